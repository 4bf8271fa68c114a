//! A token from elsewhere is sent as it is until it ends, and never shown.

#![cfg(any(feature = "client", feature = "identity"))]

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::support::{HOUR, MINUTE, bearer, fhir};
use azure_healthcare_auth::{Authenticator, Error, ErrorKind, credentials::StaticTokenCredential};
use http::HeaderValue;

/// In base64url `{"exp":4102444800}`: the first second of 2100.
const OF_2100: &str = "e30.eyJleHAiOjQxMDI0NDQ4MDB9.canary";
/// The same of 2001: `{"exp":978307200}`.
const OF_2001: &str = "e30.eyJleHAiOjk3ODMwNzIwMH0.canary";

/// The value that a request gets, and the end of it in seconds since 1970.
async fn served(token: StaticTokenCredential) -> Result<(HeaderValue, u64), Error> {
    let auth = Authenticator::new(fhir(), Arc::new(token));
    let value = auth.authorization().await?;
    let ends = auth.expires_on().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Ok((value, ends.as_secs()))
}

#[tokio::test]
async fn its_end_is_read_from_its_claims() {
    for written in [
        OF_2100.to_owned(),
        format!("{OF_2100}\n"),
        format!(" {OF_2100}\r\n"),
        format!("Bearer {OF_2100}"),
        format!("bearer  {OF_2100}\n"),
    ] {
        let (value, ends) = served(StaticTokenCredential::new(&written).unwrap()).await.unwrap();
        assert_eq!((value, ends), (bearer(OF_2100), 4_102_444_800), "{written:?}");
    }
}

#[tokio::test]
async fn one_of_any_form_can_be_given_with_its_end() {
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(4_102_444_800);
    let (value, ends) =
        served(StaticTokenCredential::with_expiry("opaque~token\n", end).unwrap()).await.unwrap();
    assert_eq!((value, ends), (bearer("opaque~token"), 4_102_444_800));
    // What is given counts, not what the token says.
    let soon = SystemTime::now() + HOUR;
    let (_, ends) = served(StaticTokenCredential::with_expiry(OF_2100, soon).unwrap()).await.unwrap();
    assert_eq!(ends, soon.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs());
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_at_once() {
    for (written, why) in [
        ("", "it is empty"),
        (" \n", "it is empty"),
        ("canary canary", "a space"),
        ("\"canary\"", "a quote"),
        ("canary\ncanary", "a line break"),
        ("canaryé", "cannot"),
        ("canary", "StaticTokenCredential::with_expiry"),
        ("e30.e30.canary", "StaticTokenCredential::with_expiry"),
    ] {
        let error = StaticTokenCredential::new(written).unwrap_err();
        let shown = format!("{error} {error:?}");
        assert_eq!(error.kind(), ErrorKind::Credential);
        assert!(shown.contains(why) && !shown.contains("canary"), "{written:?}: {shown}");
    }
    assert!(StaticTokenCredential::with_expiry("can ary", SystemTime::now() + HOUR).is_err());
}

#[tokio::test]
async fn after_its_end_it_says_that_it_has_ended() {
    let earlier = SystemTime::now() - 2 * MINUTE;
    for token in [StaticTokenCredential::new(OF_2001), StaticTokenCredential::with_expiry("canary", earlier)]
    {
        let error = served(token.unwrap()).await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("ended") && shown.contains("cannot be renewed"), "{shown}");
        assert!(!shown.contains("canary") && !error.is_transient(), "{shown}");
    }
    let far = SystemTime::now() + Duration::from_secs(400_000_000_000);
    let error = served(StaticTokenCredential::with_expiry("canary", far).unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("behind the year 9999"), "{error}");
}

#[tokio::test]
async fn a_service_that_refuses_it_gets_no_other() {
    let auth = Authenticator::new(fhir(), Arc::new(StaticTokenCredential::new(OF_2100).unwrap()));
    let value = auth.authorization().await.unwrap();
    assert_eq!(auth.refresh_rejected(&value).await.unwrap(), None);
}

#[test]
fn it_is_not_shown() {
    let shown = format!("{:?}", StaticTokenCredential::new(OF_2100).unwrap());
    assert!(shown.contains("[elided]") && !shown.contains("canary") && !shown.contains("eyJ"), "{shown}");
}
