//! [`Claims`]: those of an access token, read without verification.

#[cfg(test)]
pub(crate) mod samples;
pub(crate) mod text;

use std::time::{Duration, SystemTime};

use base64::{
    Engine as _,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::HeaderValue;
use serde_json::{Map, Value};
use text::{LONG, SHORT, printable, tenant_of};

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
/// use azure_healthcare_auth::Denial;
///
/// fn principal(denial: &Denial) -> Option<&str> {
///     denial.token()?.object()
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
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

impl Claims {
    /// `aud`: what the token is for. Empty where the token does not say.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// `iss`: the address of who issued it.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// `tid`, or the id in `iss`: the tenant that issued it.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// `appid` (v1 tokens) or `azp` (v2 tokens): the application that asked for it.
    pub fn app(&self) -> Option<&str> {
        self.app.as_deref()
    }

    /// `oid`: the principal whose roles count.
    pub fn object(&self) -> Option<&str> {
        self.object.as_deref()
    }

    /// `idtyp`: `app` or `user`, where the token says so.
    pub fn kind(&self) -> Option<&str> {
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
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// `nbf`: when it begins.
    pub fn not_before(&self) -> Option<SystemTime> {
        self.not_before
    }

    /// `iat`: when it was issued.
    pub fn issued(&self) -> Option<SystemTime> {
        self.issued
    }

    /// The claims of the token in an authorization value, `Bearer …` in any case. `None` where it is no JWS.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let stand_in = azure_healthcare_auth::testing::StandIn::start().await;
    /// # let auth = azure_healthcare_auth::Authenticator::new(stand_in.fhir(), stand_in.credential());
    /// use azure_healthcare_auth::{Audience, Claims};
    ///
    /// let claims = Claims::from_authorization(&auth.authorization().await?);
    /// assert_eq!(claims.unwrap_or_default().audiences(), [auth.audience().resource()]);
    /// # Ok(()) }
    /// ```
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

#[cfg(test)]
mod tests {
    use super::samples::{Noise, jws};
    use super::*;
    use serde_json::json;

    fn expires(token: &str) -> Option<SystemTime> {
        Claims::from_token(token)?.expires()
    }

    fn seconds(claims: Value) -> Option<u64> {
        Some(expires(&jws(&claims))?.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn the_claims_that_matter_are_read() {
        let claims = Claims::from_token(&jws(&json!({
            "aud": "https://dicom.healthcareapis.azure.com", "iss": "https://sts.windows.net/T/", "tid": "T",
            "appid": "A", "azp": "no", "oid": "O", "idtyp": "app", "roles": ["R1", "R2"], "scp": "a  b",
            "exp": 3, "nbf": 2, "iat": 1,
        })))
        .unwrap();
        assert_eq!(claims.audiences(), ["https://dicom.healthcareapis.azure.com"]);
        assert_eq!(claims.issuer(), Some("https://sts.windows.net/T/"));
        assert_eq!((claims.tenant(), claims.app(), claims.object()), (Some("T"), Some("A"), Some("O")));
        assert_eq!(
            (claims.kind(), claims.roles(), claims.scopes()),
            (Some("app"), &["R1".into(), "R2".into()][..], &["a".into(), "b".into()][..])
        );
        let at = |s| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(s));
        assert_eq!((claims.issued(), claims.not_before(), claims.expires()), (at(1), at(2), at(3)));
    }

    #[test]
    fn a_claim_has_more_than_one_spelling() {
        let claims = |value| Claims::from_token(&jws(&value)).unwrap();
        assert_eq!(claims(json!({"aud": ["a", 1, "b"]})).audiences(), ["a", "b"]);
        assert_eq!(claims(json!({"azp": "v2"})).app(), Some("v2"));
        assert_eq!(claims(json!({"roles": "one"})).roles(), ["one"]);
        let (id, v2) = ("72f988bf-86f1-41af-91ab-2d7cd011db47", "https://login.microsoftonline.com/");
        assert_eq!(claims(json!({"iss": format!("{v2}{id}/v2.0")})).tenant(), Some(id));
        assert_eq!(claims(json!({"aud": 1, "oid": [], "exp": {}})), Claims::default());
    }

    #[test]
    fn times_are_numbers_or_numbers_in_strings() {
        for (exp, expected) in [
            (json!(1_700_000_000), Some(1_700_000_000)),
            (json!("1700000000"), Some(1_700_000_000)),
            (json!(1_700_000_000.9), Some(1_700_000_000)),
            (json!(0), Some(0)),
            (json!(-1), None),
            (json!(1_700_000_000_000_u64), None),
            (json!("NaN"), None),
            (json!("1e999"), None),
            (json!("soon"), None),
            (json!(null), None),
        ] {
            assert_eq!(seconds(json!({ "exp": exp })), expected, "{exp}");
        }
    }

    #[test]
    fn base64url_is_read_with_and_without_padding() {
        for payload in ["eyJleHAiOjF9", "eyJleHAiOiAxfQ==", "eyJleHAiOiAxfQ"] {
            assert!(expires(&format!("h.{payload}.s")).is_some(), "{payload}");
        }
        // `>` and `?` in a claim bring the two letters in which base64url differs from base64.
        let token = jws(&json!({"oid": "~~~>>>???"}));
        assert!(token.contains('-') || token.contains('_'));
        assert_eq!(Claims::from_token(&token).unwrap().object(), Some("~~~>>>???"));
    }

    #[test]
    fn what_is_no_jws_has_no_claims() {
        let good = jws(&json!({"exp": 1}));
        let long = format!("{good}{}", "s".repeat(MAX_TOKEN));
        for token in ["", "opaque", "a.b", "a.b.c", "..", "h.W10.s", &format!("{good}.x.y"), &long] {
            assert_eq!(Claims::from_token(token), None);
        }
        let read = |value: &str| Claims::from_authorization(&value.parse().unwrap());
        assert!(read(&format!("bearer  {good}")).is_some());
        assert_eq!((read(&format!("Basic {good}")), read(&good)), (None, None));
    }

    #[test]
    fn foreign_text_cannot_forge_a_line_or_fill_a_log() {
        let claims = Claims::from_token(&jws(&json!({
            "aud": vec!["x\n\u{202e}y"; 999], "oid": "o".repeat(9_999), "scp": "s ".repeat(999),
        })))
        .unwrap();
        assert_eq!((claims.audiences().len(), claims.scopes().len()), (MAX_ITEMS, MAX_ITEMS));
        assert_eq!(claims.audiences()[0], "x??y");
        assert_eq!(claims.object().unwrap().len(), SHORT + 3);
    }

    #[test]
    fn any_text_is_read_without_a_panic() {
        let mut noise = Noise::new(2);
        for _ in 0..2_000 {
            let bytes = noise.bytes(60, b"{}[]\":,aud1e9.-\\u");
            let payload = BASE64.encode(&bytes);
            let _ = Claims::from_token(&format!("h.{payload}.s"));
            let _ = Claims::from_token(&String::from_utf8_lossy(&bytes));
        }
        let deep = BASE64.encode("{\"aud\":".to_owned() + &"[".repeat(40_000));
        assert_eq!(Claims::from_token(&format!("h.{deep}.s")), None);
    }
}
