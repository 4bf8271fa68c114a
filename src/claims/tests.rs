//! Tests of the claims.

use serde_json::json;

use super::{
    samples::{RandomBytes, jwt},
    *,
};

fn expires_on(token: &str) -> Option<SystemTime> {
    UnverifiedClaims::from_token(token)?.expires_on()
}

fn expires_on_seconds(claims: Value) -> Option<u64> {
    Some(expires_on(&jwt(&claims))?.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
}

#[test]
fn every_getter_returns_its_claim() {
    let claims = UnverifiedClaims::from_token(&jwt(&json!({
        "aud": "https://dicom.healthcareapis.azure.com", "iss": "https://sts.windows.net/T/", "tid": "T",
        "appid": "A", "azp": "no", "oid": "O", "idtyp": "app", "roles": ["R1", "R2"], "scp": "a  b",
        "exp": 3, "nbf": 2, "iat": 1,
    })))
    .unwrap();
    assert_eq!(claims.audiences(), ["https://dicom.healthcareapis.azure.com"]);
    assert_eq!(claims.issuer(), Some("https://sts.windows.net/T/"));
    assert_eq!((claims.tenant_id(), claims.app_id(), claims.object_id()), (Some("T"), Some("A"), Some("O")));
    assert_eq!(
        (claims.principal_type(), claims.roles(), claims.scopes()),
        (Some("app"), &["R1".into(), "R2".into()][..], &["a".into(), "b".into()][..])
    );
    let at = |s| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(s));
    assert_eq!((claims.issued_at(), claims.not_before(), claims.expires_on()), (at(1), at(2), at(3)));
}

#[test]
fn alternative_forms_of_claims_are_read() {
    let claims = |value| UnverifiedClaims::from_token(&jwt(&value)).unwrap();
    assert_eq!(claims(json!({"aud": ["a", 1, "b"]})).audiences(), ["a", "b"]);
    assert_eq!(claims(json!({"azp": "v2"})).app_id(), Some("v2"));
    assert_eq!(claims(json!({"roles": "one"})).roles(), ["one"]);
    let (id, v2) = ("72f988bf-86f1-41af-91ab-2d7cd011db47", "https://login.microsoftonline.com/");
    assert_eq!(claims(json!({"iss": format!("{v2}{id}/v2.0")})).tenant_id(), Some(id));
    assert_eq!(claims(json!({"aud": 1, "oid": [], "exp": {}})), UnverifiedClaims::default());
}

#[test]
fn times_are_read_from_numbers_and_strings() {
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
        assert_eq!(expires_on_seconds(json!({ "exp": exp })), expected, "{exp}");
    }
}

#[test]
fn base64url_is_decoded_with_and_without_padding() {
    for payload in ["eyJleHAiOjF9", "eyJleHAiOiAxfQ==", "eyJleHAiOiAxfQ"] {
        assert!(expires_on(&format!("h.{payload}.s")).is_some(), "{payload}");
    }
    // `~`, `>` and `?` encode to the two characters that differ between base64url and base64.
    let token = jwt(&json!({"oid": "~~~>>>???"}));
    assert!(token.contains('-') || token.contains('_'));
    assert_eq!(UnverifiedClaims::from_token(&token).unwrap().object_id(), Some("~~~>>>???"));
}

#[test]
fn tokens_longer_than_64_kib_are_not_parsed() {
    let token = jwt(&json!({ "oid": "o" }));
    let padded = |length: usize| format!("{token}{}", "A".repeat(length - token.len()));
    assert_eq!(UnverifiedClaims::from_token(&padded(64 * 1024)).unwrap().object_id(), Some("o"));
    assert_eq!(UnverifiedClaims::from_token(&padded(64 * 1024 + 1)), None);
}

#[test]
fn text_other_than_a_jwt_has_no_claims() {
    let valid = jwt(&json!({"exp": 1}));
    let long = format!("{valid}{}", "s".repeat(MAX_TOKEN_LEN));
    for token in ["", "opaque", "a.b", "a.b.c", "..", "h.W10.s", &format!("{valid}.x.y"), &long] {
        assert_eq!(UnverifiedClaims::from_token(token), None);
    }
    let read = |value: &str| UnverifiedClaims::from_authorization(&value.parse().unwrap());
    assert!(read(&format!("bearer  {valid}")).is_some());
    assert_eq!((read(&format!("Basic {valid}")), read(&valid)), (None, None));
}

#[test]
fn claims_are_printable_and_limited_in_length() {
    let claims = UnverifiedClaims::from_token(&jwt(&json!({
        "aud": vec!["x\n\u{202e}y"; 999], "oid": "o".repeat(9_999), "scp": "s ".repeat(999),
    })))
    .unwrap();
    assert_eq!((claims.audiences().len(), claims.scopes().len()), (MAX_ITEMS, MAX_ITEMS));
    assert_eq!(claims.audiences()[0], "x??y");
    assert_eq!(claims.object_id().unwrap().len(), MAX_ID_LEN + 3);
}

#[test]
fn random_tokens_do_not_panic() {
    let mut random = RandomBytes::new(2);
    for _ in 0..2_000 {
        let bytes = random.bytes(60, b"{}[]\":,aud1e9.-\\u");
        let payload = BASE64.encode(&bytes);
        let _ = UnverifiedClaims::from_token(&format!("h.{payload}.s"));
        let _ = UnverifiedClaims::from_token(&String::from_utf8_lossy(&bytes));
    }
    let deep = BASE64.encode("{\"aud\":".to_owned() + &"[".repeat(40_000));
    assert_eq!(UnverifiedClaims::from_token(&format!("h.{deep}.s")), None);
}
