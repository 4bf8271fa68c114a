//! [`UnverifiedClaims`]: claims of an access token, parsed without verifying the signature.

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime};

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::HeaderValue;
use serde_json::{Map, Value};

use crate::text::{MAX_ID_LEN, MAX_RESOURCE_LEN, printable, tenant_of};

/// The longest token that is parsed, in bytes. Entra's tokens are 1 to 8 KiB long.
const MAX_TOKEN_LEN: usize = 64 * 1024;
const MAX_ITEMS: usize = 64;
/// The end of the year 9999. A larger number is probably in milliseconds.
const MAX_TIME: f64 = 253_402_300_799.0;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The claims of an access token that matter for access, **unverified**.
///
/// Use them to explain why a request was denied, never to grant access.
///
/// The claims are parsed from the compact form of a JWS (RFC 7515 §3.1; RFC 7519 §4.1 and Entra's access token claims).
/// The token itself is not kept. All text can be printed: it is truncated, and quotation marks, backticks and all
/// characters other than visible ASCII are replaced with `?`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use azure_healthcare_auth::{UnverifiedClaims};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let fake_server = azure_healthcare_auth_testing::FakeServer::start().await;
/// # let credential = azure_healthcare_auth_testing::FakeCredential::new().with_roles(&["Records.Read"]);
/// # let auth = azure_healthcare_auth::Authenticator::new(fake_server.fhir(), std::sync::Arc::new(credential));
/// let claims = UnverifiedClaims::from_authorization(&auth.authorization().await?).unwrap_or_default();
///
/// // The principal, by the id that role assignments use:
/// println!("{} {}", claims.principal_type().unwrap_or("principal"), claims.object_id().unwrap_or("unknown"));
/// println!("application {:?}, tenant {:?}, issuer {:?}", claims.app_id(), claims.tenant_id(), claims.issuer());
///
/// // The audience and the permissions. Applications have roles, signed-in users have scopes.
/// assert_eq!(claims.audiences(), [auth.audience().resource()]);
/// assert_eq!(claims.roles(), ["Records.Read"]);
/// assert!(claims.scopes().is_empty());
///
/// // The period of validity:
/// assert_eq!(claims.not_before(), claims.issued_at());
/// assert_eq!(claims.expires_on(), claims.issued_at().map(|issued| issued + Duration::from_secs(60 * 60)));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UnverifiedClaims {
    audiences: Vec<String>,
    issuer: Option<String>,
    tenant_id: Option<String>,
    app_id: Option<String>,
    object_id: Option<String>,
    principal_type: Option<String>,
    roles: Vec<String>,
    scopes: Vec<String>,
    expires_on: Option<SystemTime>,
    not_before: Option<SystemTime>,
    issued_at: Option<SystemTime>,
}

impl UnverifiedClaims {
    /// Returns `aud`: the audiences that the token is for. Empty if the token names none.
    #[must_use]
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// Returns `iss`: the URL of the issuer.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Returns `tid`, or the tenant id in `iss`: the tenant that issued the token.
    #[must_use]
    pub fn tenant_id(&self) -> Option<&str> {
        self.tenant_id.as_deref()
    }

    /// Returns `appid` (v1 tokens) or `azp` (v2 tokens): the application that requested the token.
    #[must_use]
    pub fn app_id(&self) -> Option<&str> {
        self.app_id.as_deref()
    }

    /// Returns `oid`: the principal that roles are assigned to.
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        self.object_id.as_deref()
    }

    /// Returns `idtyp`: `app` or `user`, if the token has the claim.
    #[must_use]
    pub fn principal_type(&self) -> Option<&str> {
        self.principal_type.as_deref()
    }

    /// Returns `roles`: the application roles in the token. Azure role assignments are not among them.
    #[must_use]
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// Returns `scp`: the scopes that a signed-in user delegated.
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Returns `exp`: the end of the token's validity.
    #[must_use]
    pub fn expires_on(&self) -> Option<SystemTime> {
        self.expires_on
    }

    /// Returns `nbf`: the start of the token's validity.
    #[must_use]
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// Returns `iat`: when the token was issued.
    #[must_use]
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued_at
    }

    /// Parses the claims of the token in an authorization value.
    ///
    /// Returns `None` if the value is not `Bearer` (ignoring case) followed by a JWS in compact form with a JSON object
    /// as payload, or if the token is longer than 64 KiB.
    #[must_use]
    pub fn from_authorization(value: &HeaderValue) -> Option<Self> {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| Self::from_token(token.trim()))?
    }

    /// Parses the claims of a token. Returns `None` if it is not a JWS in compact form with a JSON object as payload.
    pub(crate) fn from_token(token: &str) -> Option<Self> {
        let claims = payload(token)?;
        let text = |name: &str, limit| claims.get(name)?.as_str().map(|text| printable(text, limit));
        let issuer = text("iss", MAX_RESOURCE_LEN);
        Some(Self {
            audiences: texts(claims.get("aud"), MAX_RESOURCE_LEN, |text| vec![text]),
            tenant_id: text("tid", MAX_ID_LEN).or_else(|| tenant_of(issuer.as_deref()?)),
            issuer,
            app_id: text("appid", MAX_ID_LEN).or_else(|| text("azp", MAX_ID_LEN)),
            object_id: text("oid", MAX_ID_LEN),
            principal_type: text("idtyp", MAX_ID_LEN),
            roles: texts(claims.get("roles"), MAX_RESOURCE_LEN, |text| vec![text]),
            scopes: texts(claims.get("scp"), MAX_RESOURCE_LEN, |text| {
                text.split(' ').filter(|s| !s.is_empty()).collect()
            }),
            expires_on: time(claims.get("exp")),
            not_before: time(claims.get("nbf")),
            issued_at: time(claims.get("iat")),
        })
    }
}

/// Decodes the second of exactly three parts. Five parts are a JWE, whose claims only the service can decrypt.
fn payload(token: &str) -> Option<Map<String, Value>> {
    if token.len() > MAX_TOKEN_LEN {
        return None;
    }
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
}

/// Returns the strings of a claim that is a string or an array of strings.
fn texts(claim: Option<&Value>, limit: usize, split: fn(&str) -> Vec<&str>) -> Vec<String> {
    let values = match claim {
        Some(Value::Array(values)) => values,
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    let texts = values.iter().filter_map(Value::as_str).flat_map(split);
    texts.take(MAX_ITEMS).map(|t| printable(t, limit)).collect()
}

/// Parses a NumericDate (RFC 7519 §2), which some issuers write as a string.
fn time(claim: Option<&Value>) -> Option<SystemTime> {
    let seconds = match claim? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // The range also excludes NaN.
    let whole = (0.0..=MAX_TIME).contains(&seconds).then_some(seconds as u64)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(whole))
}
