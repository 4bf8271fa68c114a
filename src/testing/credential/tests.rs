//! What is in a token, and what is not issued.

use azure_core::error::ErrorKind;

use super::*;
use serde_json::Value;

fn claims(token: &str) -> Value {
    let parts: Vec<_> = token.split('.').collect();
    assert!(parts.len() == 3 && parts.iter().all(|part| !part.is_empty()));
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap()
}

#[tokio::test]
async fn the_audience_is_the_scope_without_one_default() {
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
async fn what_entra_would_not_issue_is_an_error() {
    let credential = FakeCredential::new();
    for scopes in [&[][..], &["https://x"], &["https://x/user_impersonation"], &["a/.default", "b/.default"]]
    {
        let error = credential.get_token(scopes, None).await.unwrap_err();
        assert_eq!(*error.kind(), ErrorKind::Credential);
    }
    assert_eq!(credential.calls(), 4);
}

#[test]
fn a_token_has_the_claims_of_entra() {
    let credential = FakeCredential::new().with_lifetime(Duration::from_millis(90_900));
    let (token, end) = credential.issue("r", 1_000);
    let mut claims = claims(&token);
    assert!(claims["uti"].as_str().is_some());
    claims["uti"] = json!(0);
    let expected = json!({
        "aud": "r", "iss": format!("https://sts.windows.net/{TENANT}/"), "tid": TENANT, "ver": "1.0", "uti": 0,
        "iat": 1_000, "nbf": 1_000, "exp": 1_090, "oid": PRINCIPAL, "sub": PRINCIPAL, "appid": APP,
        "idtyp": "app", "roles": ["FHIR Data Contributor", "DICOM Data Owner"],
    });
    assert_eq!((claims, end), (expected, 1_090));
}

#[test]
fn each_change_changes_its_own_claim() {
    let issue = |credential: FakeCredential| {
        let (token, end) = credential.issue("r", 10_000);
        (claims(&token), end)
    };
    assert_eq!(issue(FakeCredential::new().with_audience("r/")).0["aud"], "r/");
    assert_eq!(issue(FakeCredential::new().with_tenant("t")).0["iss"], "https://sts.windows.net/t/");
    assert_eq!(issue(FakeCredential::new().without_role()).0.get("roles"), None);
    assert_eq!(issue(FakeCredential::new().with_roles(&["a", "b"])).0["roles"], json!(["a", "b"]));
    let (ended, told) = issue(FakeCredential::new().expired());
    assert_eq!((ended["exp"].as_u64(), ended["nbf"].as_u64(), told), (Some(9_940), Some(6_340), 13_600));
    assert_eq!(issue(FakeCredential::new().with_lifetime(Duration::MAX)).1, MAX_TIME);
}

#[tokio::test]
async fn no_two_tokens_are_the_same_and_none_is_shown() {
    let credential = FakeCredential::new();
    let (first, _) = credential.issue("r", 0);
    assert_ne!(first, credential.issue("r", 0).0);
    assert_ne!(first, FakeCredential::new().issue("r", 0).0);
    assert!(!format!("{credential:?}").contains(&first[..20]));
}
