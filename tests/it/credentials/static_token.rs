//! Tests of `StaticTokenCredential`.

#![cfg(any(feature = "client", feature = "identity"))]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use azure_healthcare_auth::{Authenticator, Error, ErrorKind, credentials::StaticTokenCredential};
use http::HeaderValue;

use crate::support::{HOUR, MINUTE, bearer, fhir};

/// A token with the claims `{"exp":7258118400}`: it expires in the first second of 2200.
const EXPIRES_2200: &str = "e30.eyJleHAiOjcyNTgxMTg0MDB9.canary";
/// A token with the claims `{"exp":1}`: it expired in 1970.
const EXPIRED_1970: &str = "e30.eyJleHAiOjF9.canary";

fn seconds_since_epoch(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

/// Returns the authorization value and its expiry in seconds since 1970.
async fn authorize(credential: StaticTokenCredential) -> Result<(HeaderValue, u64), Error> {
    let auth = Authenticator::new(fhir(), Arc::new(credential));
    let authorization = auth.authorization().await?;
    Ok((authorization, seconds_since_epoch(auth.expires_on().unwrap())))
}

#[tokio::test]
async fn new_reads_expiry_from_exp_claim() {
    for input in [
        EXPIRES_2200.to_owned(),
        format!("{EXPIRES_2200}\n"),
        format!(" {EXPIRES_2200}\r\n"),
        format!("Bearer {EXPIRES_2200}"),
        format!("bearer  {EXPIRES_2200}\n"),
    ] {
        let result = authorize(StaticTokenCredential::new(&input).unwrap()).await.unwrap();
        assert_eq!(result, (bearer(EXPIRES_2200), 7_258_118_400), "{input:?}");
    }
}

#[tokio::test]
async fn with_expiry_accepts_opaque_token() {
    let expires_on = SystemTime::UNIX_EPOCH + Duration::from_secs(7_258_118_400);
    let credential = StaticTokenCredential::with_expiry("opaque~token\n", expires_on).unwrap();
    assert_eq!(authorize(credential).await.unwrap(), (bearer("opaque~token"), 7_258_118_400));
}

#[tokio::test]
async fn with_expiry_overrides_exp_claim() {
    let expires_on = SystemTime::now() + HOUR;
    let credential = StaticTokenCredential::with_expiry(EXPIRES_2200, expires_on).unwrap();
    let (_, seconds) = authorize(credential).await.unwrap();
    assert_eq!(seconds, seconds_since_epoch(expires_on));
}

#[tokio::test]
async fn unusable_token_is_rejected_on_creation() {
    for (input, reason) in [
        ("", "empty"),
        (" \n", "empty"),
        ("canary canary", "a space"),
        ("\"canary\"", "a quote"),
        ("canary\ncanary", "a line break"),
        ("canaryé", "cannot"),
        ("canary", "StaticTokenCredential::with_expiry"),
        ("e30.e30.canary", "StaticTokenCredential::with_expiry"),
    ] {
        let error = StaticTokenCredential::new(input).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert_eq!(error.kind(), ErrorKind::Credential);
        assert!(shown.contains(reason) && !shown.contains("canary"), "{input:?}: {shown}");
    }
    assert!(StaticTokenCredential::with_expiry("can ary", SystemTime::now() + HOUR).is_err());
}

#[tokio::test]
async fn expired_token_is_an_error() {
    let two_minutes_ago = SystemTime::now() - 2 * MINUTE;
    for credential in [
        StaticTokenCredential::new(EXPIRED_1970),
        StaticTokenCredential::with_expiry("canary", two_minutes_ago),
    ] {
        let error = authorize(credential.unwrap()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("expired") && shown.contains("cannot be refreshed"), "{shown}");
        assert!(!shown.contains("canary") && !error.is_transient(), "{shown}");
    }
}

#[tokio::test]
async fn expiry_after_the_year_9999_is_an_error() {
    let expires_on = SystemTime::now() + Duration::from_secs(400_000_000_000);
    let credential = StaticTokenCredential::with_expiry("canary", expires_on).unwrap();
    let error = authorize(credential).await.unwrap_err();
    assert!(error.to_string().contains("after the year 9999"), "{error}");
}

#[tokio::test]
async fn rejected_token_has_no_replacement() {
    let auth = Authenticator::new(fhir(), Arc::new(StaticTokenCredential::new(EXPIRES_2200).unwrap()));
    let authorization = auth.authorization().await.unwrap();
    assert_eq!(auth.refresh_rejected(&authorization).await.unwrap(), None);
}

#[test]
fn debug_does_not_contain_the_token() {
    let debug = format!("{:?}", StaticTokenCredential::new(EXPIRES_2200).unwrap());
    assert!(debug.contains("[redacted]") && !debug.contains("canary") && !debug.contains("eyJ"), "{debug}");
}
