//! Tests of the issued tokens and of the scopes that are rejected.

use azure_core::error::ErrorKind;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::token::PRINCIPAL;

fn claims(token: &str) -> Value {
    let parts: Vec<_> = token.split('.').collect();
    assert!(parts.len() == 3 && parts.iter().all(|part| !part.is_empty()));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap()
}

#[tokio::test]
async fn audience_is_the_scope_without_one_default_suffix() {
    for (scope, audience) in [
        ("http://127.0.0.1:1/.default", "http://127.0.0.1:1"),
        ("http://127.0.0.1:1//.default", "http://127.0.0.1:1/"),
        ("api://x/.default/.default", "api://x/.default"),
    ] {
        let token = FakeCredential::new().get_token(&[scope], None).await.unwrap();
        assert_eq!(claims(token.token.secret())["aud"], audience);
    }
}

#[tokio::test]
async fn scopes_that_entra_rejects_are_errors() {
    let credential = FakeCredential::new();
    for scopes in [&[][..], &["https://x"], &["https://x/user_impersonation"], &["a/.default", "b/.default"]]
    {
        let error = credential.get_token(scopes, None).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Credential);
    }
    assert_eq!(credential.calls(), 4);
}

#[test]
fn token_has_the_claims_of_an_entra_token() {
    let credential = FakeCredential::new().with_lifetime(Duration::from_millis(90_900));
    let (token, expires_on) = credential.issue("r", 1_000);
    let mut claims = claims(&token);
    assert!(claims["uti"].as_str().is_some());
    claims["uti"] = json!(0);
    let expected = json!({
        "aud": "r", "iss": format!("https://sts.windows.net/{TENANT}/"), "tid": TENANT, "ver": "1.0", "uti": 0,
        "iat": 1_000, "nbf": 1_000, "exp": 1_090, "oid": PRINCIPAL, "sub": PRINCIPAL, "appid": APP,
        "idtyp": "app", "roles": ["FHIR Data Contributor", "DICOM Data Owner", "Storage Blob Data Reader"],
    });
    assert_eq!((claims, expires_on), (expected, 1_090));
}

#[test]
fn each_setting_changes_its_own_claims() {
    let issue = |credential: FakeCredential| {
        let (token, expires_on) = credential.issue("r", 10_000);
        (claims(&token), expires_on)
    };
    assert_eq!(issue(FakeCredential::new().with_audience("r/")).0["aud"], "r/");
    assert_eq!(issue(FakeCredential::new().with_tenant("t")).0["iss"], "https://sts.windows.net/t/");
    assert_eq!(issue(FakeCredential::new().without_role()).0.get("roles"), None);
    assert_eq!(issue(FakeCredential::new().with_roles(&["a", "b"])).0["roles"], json!(["a", "b"]));
    let (claims, reported) = issue(FakeCredential::new().expired());
    assert_eq!(
        (claims["exp"].as_u64(), claims["nbf"].as_u64(), reported),
        (Some(9_940), Some(6_340), 13_600)
    );
    assert_eq!(issue(FakeCredential::new().with_lifetime(Duration::MAX)).1, MAX_TIME);
}

#[tokio::test]
async fn tokens_are_unique_and_not_in_debug_output() {
    let credential = FakeCredential::new();
    let (first, _) = credential.issue("r", 0);
    assert_ne!(first, credential.issue("r", 0).0);
    assert_ne!(first, FakeCredential::new().issue("r", 0).0);
    assert!(!format!("{credential:?}").contains(&first[..20]));
}
