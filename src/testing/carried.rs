//! [`UnverifiedClaims`]: what the token of a request says.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header::AUTHORIZATION};
use serde_json::Value;

use super::gate::Refusal;

/// The claims of a token, whatever its signature.
#[derive(Debug, PartialEq)]
pub(super) struct UnverifiedClaims(Value);

impl UnverifiedClaims {
    /// Those of the one Bearer token that a request carries, whoever it is for.
    pub(super) fn carried(headers: &HeaderMap) -> Result<Self, Refusal> {
        claims(&bearer(headers).ok_or(Refusal::Missing)?).map(Self).ok_or(Refusal::Unreadable)
    }

    /// What the token is for.
    pub(super) fn audiences(&self) -> impl Iterator<Item = &str> {
        texts(self.0.get("aud"))
    }

    pub(super) fn roles(&self) -> impl Iterator<Item = &str> {
        texts(self.0.get("roles"))
    }

    pub(super) fn issuer(&self) -> &str {
        self.0.get("iss").and_then(Value::as_str).unwrap_or_default()
    }

    /// A time in seconds since 1970.
    pub(super) fn time(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }
}

/// What stands behind the scheme. Two headers are read as one, which makes their tokens one that nobody can read.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let values: Vec<_> = headers.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes()).collect();
    let all = String::from_utf8_lossy(&values.join(&b","[..])).into_owned();
    let (scheme, token) = all.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// The claims of a JWS in compact form (RFC 7515 §7.1), whatever its signature.
fn claims(token: &str) -> Option<Value> {
    let mut parts = token.split('.');
    let (head, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || signature.is_empty() {
        return None;
    }
    let object = |part| -> Option<Value> {
        let value: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
        value.is_object().then_some(value)
    };
    object(head)?;
    object(claims)
}

/// The texts of a claim that is one text or a list of them.
fn texts(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = claim.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    claim.into_iter().chain(list).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn roles_are_read_from_the_token() {
        for (roles, expected) in
            [(json!(["a", "b"]), &["a", "b"][..]), (json!("a"), &["a"]), (json!(null), &[])]
        {
            assert_eq!(UnverifiedClaims(json!({ "roles": roles })).roles().collect::<Vec<_>>(), expected);
        }
    }
}
