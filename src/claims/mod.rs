//! [`UnverifiedClaims`]: those of an access token, read without verification.

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

use crate::text::{LONG, SHORT, printable, tenant_of};

/// The longest token that is read, in bytes; Entra's have 1 to 8 KiB.
const MAX_TOKEN: usize = 64 * 1024;
const MAX_ITEMS: usize = 64;
/// The end of the year 9999: what lies behind it is no time but milliseconds taken for seconds.
const MAX_TIME: f64 = 253_402_300_799.0;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The claims of an access token that decide about access, **unverified**: good for explaining a refusal, never for
/// granting anything.
///
/// Read from the compact form of a JWS (RFC 7515 §3.1, RFC 7519 §4.1 and Entra's access token claims). The token
/// itself is not kept. Every text is cut to a limit and holds visible ASCII only (anything else is a `?`), so all of
/// it may be printed. No method panics.
///
/// ```
/// use std::time::Duration;
///
/// use azure_healthcare_auth::{Audience, UnverifiedClaims};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let fake_server = azure_healthcare_auth::testing::FakeServer::start().await;
/// # let credential = azure_healthcare_auth::testing::FakeCredential::new().with_roles(&["Records.Read"]);
/// # let auth = azure_healthcare_auth::Authenticator::new(fake_server.fhir(), std::sync::Arc::new(credential));
/// let claims = UnverifiedClaims::from_authorization(&auth.authorization().await?).unwrap_or_default();
///
/// // Who asks, as the owner of the service knows it:
/// println!("{} {}", claims.principal_type().unwrap_or("principal"), claims.object_id().unwrap_or("without an id"));
/// println!("of application {:?}, in tenant {:?} of {:?}", claims.app_id(), claims.tenant_id(), claims.issuer());
///
/// // What the token is for, and what it allows: an application has roles, a signed-in user scopes.
/// assert_eq!(claims.audiences(), [auth.audience().resource()]);
/// assert_eq!(claims.roles(), ["Records.Read"]);
/// assert!(claims.scopes().is_empty());
///
/// // From when to when:
/// assert_eq!(claims.not_before(), claims.issued_at());
/// assert_eq!(claims.expires_on(), claims.issued_at().map(|issued| issued + Duration::from_secs(60 * 60)));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnverifiedClaims {
    audiences: Vec<String>,
    issuer: Option<String>,
    tenant: Option<String>,
    app: Option<String>,
    object: Option<String>,
    kind: Option<String>,
    roles: Vec<String>,
    scopes: Vec<String>,
    expires: Option<SystemTime>,
    not_before: Option<SystemTime>,
    issued: Option<SystemTime>,
}

impl UnverifiedClaims {
    /// `aud`: what the token is for. Empty where the token does not say.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// `iss`: the address of who issued it.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// `tid`, or the id in `iss`: the tenant that issued it.
    pub fn tenant_id(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// `appid` (v1 tokens) or `azp` (v2 tokens): the application that asked for it.
    pub fn app_id(&self) -> Option<&str> {
        self.app.as_deref()
    }

    /// `oid`: the principal whose roles count.
    pub fn object_id(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// `idtyp`: `app` or `user`, where the token says so.
    pub fn principal_type(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// `roles`: the application roles in the token. Azure's own role assignments are not among them.
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// `scp`: the scopes that a signed-in user has delegated.
    pub fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// `exp`: when it ends.
    pub fn expires_on(&self) -> Option<SystemTime> {
        self.expires
    }

    /// `nbf`: when it begins.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// `iat`: when it was issued.
    pub fn issued_at(&self) -> Option<SystemTime> {
        self.issued
    }

    /// The claims of the token in an authorization value, `Bearer …` in any case. `None` where it is no JWS.
    pub fn from_authorization(value: &HeaderValue) -> Option<Self> {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| Self::from_token(token.trim()))?
    }

    /// The claims of a token. `None` where it is no JWS in compact form with a JSON object inside.
    pub(crate) fn from_token(token: &str) -> Option<Self> {
        let claims = payload(token)?;
        let text = |name: &str, limit| claims.get(name)?.as_str().map(|t| printable(t, limit));
        let issuer = text("iss", LONG);
        Some(Self {
            audiences: texts(claims.get("aud"), LONG, |t| vec![t]),
            tenant: text("tid", SHORT).or_else(|| tenant_of(issuer.as_deref()?)),
            issuer,
            app: text("appid", SHORT).or_else(|| text("azp", SHORT)),
            object: text("oid", SHORT),
            kind: text("idtyp", SHORT),
            roles: texts(claims.get("roles"), LONG, |t| vec![t]),
            scopes: texts(claims.get("scp"), LONG, |t| t.split(' ').filter(|s| !s.is_empty()).collect()),
            expires: time(claims.get("exp")),
            not_before: time(claims.get("nbf")),
            issued: time(claims.get("iat")),
        })
    }
}

/// The second of exactly three parts: five are a JWE, whose claims nobody but the service can read.
fn payload(token: &str) -> Option<Map<String, Value>> {
    if token.len() > MAX_TOKEN {
        return None;
    }
    let mut parts = token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()
}

/// The texts of a claim that is a string or an array of strings.
fn texts(claim: Option<&Value>, limit: usize, split: fn(&str) -> Vec<&str>) -> Vec<String> {
    let values = match claim {
        Some(Value::Array(values)) => values,
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    let texts = values.iter().filter_map(Value::as_str).flat_map(split);
    texts.take(MAX_ITEMS).map(|t| printable(t, limit)).collect()
}

/// A NumericDate (RFC 7519 §2), which some issuers write as a string.
fn time(claim: Option<&Value>) -> Option<SystemTime> {
    let seconds = match claim? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // The range also keeps out what is not a number at all.
    let whole = (0.0..=MAX_TIME).contains(&seconds).then_some(seconds as u64)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(whole))
}
