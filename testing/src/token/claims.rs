//! [`TokenClaims`]: the claims of the token in a request.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header::AUTHORIZATION};
use serde_json::Value;

use super::challenge::Rejection;

/// The claims of a token. Its signature is not checked.
#[derive(Debug, PartialEq)]
pub(crate) struct TokenClaims(Value);

impl TokenClaims {
    /// Reads the claims of the only Bearer token in the headers, for any audience.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, Rejection> {
        claims(&bearer(headers).ok_or(Rejection::Missing)?).map(Self).ok_or(Rejection::Malformed)
    }

    /// Reads the claims of a token, or returns `None` if it is not a JWT.
    pub(crate) fn of(token: &str) -> Option<Self> {
        claims(token).map(Self)
    }

    /// Returns the values of `aud`.
    pub(crate) fn audiences(&self) -> impl Iterator<Item = &str> {
        strings(self.0.get("aud"))
    }

    pub(crate) fn roles(&self) -> impl Iterator<Item = &str> {
        strings(self.0.get("roles"))
    }

    pub(crate) fn issuer(&self) -> &str {
        self.text("iss").unwrap_or_default()
    }

    /// Returns a claim that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Returns a time claim, in seconds since the Unix epoch.
    pub(crate) fn time(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }
}

/// Returns the text after the scheme.
///
/// Several headers are joined into one value, so their tokens become one malformed token.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let values: Vec<_> = headers.get_all(AUTHORIZATION).iter().map(|value| value.as_bytes()).collect();
    let value = String::from_utf8_lossy(&values.join(&b","[..])).into_owned();
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("Bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// Parses the claims of a JWS in compact serialization (RFC 7515 §7.1) without checking its signature.
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

/// Returns the strings of a claim that is a string or a list of strings.
fn strings(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = claim.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    claim.into_iter().chain(list).filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn roles_can_be_a_string_or_a_list() {
        for (roles, expected) in
            [(json!(["a", "b"]), &["a", "b"][..]), (json!("a"), &["a"]), (json!(null), &[])]
        {
            assert_eq!(TokenClaims(json!({ "roles": roles })).roles().collect::<Vec<_>>(), expected);
        }
    }
}
