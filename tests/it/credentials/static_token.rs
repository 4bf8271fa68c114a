//! Tests of `StaticTokenCredential`.

#![cfg(any(feature = "client", feature = "identity"))]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use azure_healthcare_auth::{Authenticator, Error, ErrorKind, credentials::StaticTokenCredential};
use http::HeaderValue;

use crate::support::{HOUR, MINUTE, bearer, fhir};

/// A token with the claims `{"exp":4102444800}`: it expires in the first second of 2100.
const EXPIRES_2100: &str = "e30.eyJleHAiOjQxMDI0NDQ4MDB9.canary";
/// A token with the claims `{"exp":978307200}`: it expired in the first second of 2001.
const EXPIRED_2001: &str = "e30.eyJleHAiOjk3ODMwNzIwMH0.canary";

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
        EXPIRES_2100.to_owned(),
        format!("{EXPIRES_2100}\n"),
        format!(" {EXPIRES_2100}\r\n"),
        format!("Bearer {EXPIRES_2100}"),
        format!("bearer  {EXPIRES_2100}\n"),
    ] {
        let result = authorize(StaticTokenCredential::new(&input).unwrap()).await.unwrap();
        assert_eq!(result, (bearer(EXPIRES_2100), 4_102_444_800), "{input:?}");
    }
}

#[tokio::test]
async fn with_expiry_accepts_opaque_token() {
    let expires_on = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    let credential = StaticTokenCredential::with_expiry("opaque~token\n", expires_on).unwrap();
    assert_eq!(authorize(credential).await.unwrap(), (bearer("opaque~token"), 4_102_444_800));
}

#[tokio::test]
async fn with_expiry_overrides_exp_claim() {
    let expires_on = SystemTime::now() + HOUR;
    let credential = StaticTokenCredential::with_expiry(EXPIRES_2100, expires_on).unwrap();
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
        StaticTokenCredential::new(EXPIRED_2001),
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
    let auth = Authenticator::new(fhir(), Arc::new(StaticTokenCredential::new(EXPIRES_2100).unwrap()));
    let authorization = auth.authorization().await.unwrap();
    assert_eq!(auth.refresh_rejected(&authorization).await.unwrap(), None);
}

#[test]
fn debug_does_not_contain_the_token() {
    let debug = format!("{:?}", StaticTokenCredential::new(EXPIRES_2100).unwrap());
    assert!(debug.contains("[redacted]") && !debug.contains("canary") && !debug.contains("eyJ"), "{debug}");
}
