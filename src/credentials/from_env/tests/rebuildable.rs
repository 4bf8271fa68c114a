//! A forced refresh or a failed call rebuilds the credential.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
    http::ClientMethodOptions,
    time::OffsetDateTime,
};
use http::HeaderValue;
use tokio::sync::Notify;

use super::super::rebuildable::Rebuildable;
use crate::{
    Authenticator, FhirAudience,
    credentials::{ForceRefresh, from_fn},
};

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";

fn audience(workspace: &str) -> FhirAudience {
    FhirAudience::workspace(workspace, "records").build().unwrap()
}

/// Returns an authenticator and its number of builds. Each build always returns the same token, and the build with the
/// number `failing_build` fails.
fn counted(failing_build: usize) -> (Authenticator<FhirAudience>, Arc<AtomicUsize>) {
    let builds = Arc::new(AtomicUsize::new(0));
    let counter = builds.clone();
    let credential = Rebuildable::new(move || {
        let build = counter.fetch_add(1, Ordering::SeqCst) + 1;
        if build == failing_build {
            return Err(Error::with_message(ErrorKind::Credential, "the file is gone"));
        }
        Ok(from_fn(move |_| async move {
            let hour = Duration::from_secs(3_600);
            Ok(AccessToken::new(format!("of-build-{build}"), OffsetDateTime::now_utc() + hour))
        }))
    });
    (Authenticator::new(audience("contoso"), Arc::new(credential)), builds)
}

#[tokio::test]
async fn credential_is_built_on_first_use_and_rebuilt_for_rejected_token() {
    let (auth, builds) = counted(0);
    assert_eq!(builds.load(Ordering::SeqCst), 0);
    let first = auth.authorization().await.unwrap();
    auth.for_audience(audience("fabrikam")).authorization().await.unwrap();
    assert_eq!(builds.load(Ordering::SeqCst), 1);
    let second = auth.refresh_rejected(&first).await.unwrap();
    assert_eq!(second, Some(HeaderValue::from_static("Bearer of-build-2")));
    auth.for_audience(audience("adatum")).authorization().await.unwrap();
    assert_eq!(builds.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn failed_build_is_retried_on_next_call() {
    let (auth, builds) = counted(1);
    let error = auth.authorization().await.unwrap_err();
    assert!(error.to_string().contains("the file is gone"), "{error}");
    assert_eq!(auth.for_audience(audience("fabrikam")).authorization().await.unwrap(), "Bearer of-build-2");
    assert_eq!(builds.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn credential_is_rebuilt_after_failed_call() {
    let builds = Arc::new(AtomicUsize::new(0));
    let counter = builds.clone();
    // For example, the certificate in the file was replaced.
    let credential = Rebuildable::new(move || {
        let build = counter.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(from_fn(move |_| async move {
            match build {
                1 => Err("AADSTS700027: the certificate has expired".into()),
                _ => Ok(AccessToken::new("good", OffsetDateTime::now_utc() + Duration::from_secs(3_600))),
            }
        }))
    });
    let auth = Authenticator::new(audience("contoso"), Arc::new(credential));
    auth.authorization().await.unwrap_err();
    assert_eq!(auth.for_audience(audience("fabrikam")).authorization().await.unwrap(), "Bearer good");
    assert_eq!(builds.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn failed_call_does_not_discard_newer_credential() {
    let (builds, fail) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (counter, failure) = (builds.clone(), fail.clone());
    let credential = Rebuildable::new(move || {
        let (build, failure) = (counter.fetch_add(1, Ordering::SeqCst) + 1, failure.clone());
        Ok(from_fn(move |_| {
            let failure = failure.clone();
            async move {
                if build == 1 {
                    failure.notified().await;
                    return Err("AADSTS700027: the certificate has expired".into());
                }
                Ok(AccessToken::new("good", OffsetDateTime::now_utc() + Duration::from_secs(3_600)))
            }
        }))
    });
    let mut first_call = credential.get_token(&[SCOPE], None);
    assert!(first_call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let method_options =
        ClientMethodOptions { context: azure_core::http::Context::new().with_value(ForceRefresh) };
    let forced = TokenRequestOptions { method_options };
    credential.get_token(&[SCOPE], Some(forced)).await.unwrap();
    fail.notify_one();
    first_call.await.unwrap_err();
    credential.get_token(&[SCOPE], None).await.unwrap();
    assert_eq!(builds.load(Ordering::SeqCst), 2);
}
