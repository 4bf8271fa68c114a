//! A refusal, of a token or of the credential, builds it anew.

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

use super::super::rebuilt::Rebuildable;
use crate::{
    Authenticator, FhirAudience,
    credentials::{ForceRefresh, from_fn},
};

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";

fn audience(workspace: &str) -> FhirAudience {
    FhirAudience::workspace(workspace, "records").build().unwrap()
}

/// Builds credentials that keep their token for ever, each one of its own.
fn counted(fails_at: usize) -> (Authenticator<FhirAudience>, Arc<AtomicUsize>) {
    let builds = Arc::new(AtomicUsize::new(0));
    let counter = builds.clone();
    let rebuilt = Rebuildable::new(move || {
        let build = counter.fetch_add(1, Ordering::SeqCst) + 1;
        if build == fails_at {
            return Err(Error::with_message(ErrorKind::Credential, "the file is gone"));
        }
        Ok(from_fn(move |_| async move {
            let hour = Duration::from_secs(3_600);
            Ok(AccessToken::new(format!("of-build-{build}"), OffsetDateTime::now_utc() + hour))
        }))
    });
    (Authenticator::new(audience("contoso"), Arc::new(rebuilt)), builds)
}

#[tokio::test]
async fn it_is_built_when_it_is_needed_and_anew_for_a_refused_token() {
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
async fn one_that_cannot_be_built_is_built_again_for_the_next_call() {
    let (auth, builds) = counted(1);
    let error = auth.authorization().await.unwrap_err();
    assert!(error.to_string().contains("the file is gone"), "{error}");
    assert_eq!(auth.for_audience(audience("fabrikam")).authorization().await.unwrap(), "Bearer of-build-2");
    assert_eq!(builds.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_that_was_refused_is_built_again_for_the_next_call() {
    let builds = Arc::new(AtomicUsize::new(0));
    let counter = builds.clone();
    // As of a certificate that was replaced in its file.
    let rebuilt = Rebuildable::new(move || {
        let build = counter.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(from_fn(move |_| async move {
            match build {
                1 => Err("AADSTS700027: the certificate is over".into()),
                _ => Ok(AccessToken::new("good", OffsetDateTime::now_utc() + Duration::from_secs(3_600))),
            }
        }))
    });
    let auth = Authenticator::new(audience("contoso"), Arc::new(rebuilt));
    auth.authorization().await.unwrap_err();
    assert_eq!(auth.for_audience(audience("fabrikam")).authorization().await.unwrap(), "Bearer good");
    assert_eq!(builds.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_was_built_anew_meanwhile_is_kept() {
    let (builds, go_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (counter, waits) = (builds.clone(), go_on.clone());
    let rebuilt = Rebuildable::new(move || {
        let (build, waits) = (counter.fetch_add(1, Ordering::SeqCst) + 1, waits.clone());
        Ok(from_fn(move |_| {
            let waits = waits.clone();
            async move {
                if build == 1 {
                    waits.notified().await;
                    return Err("AADSTS700027: the certificate is over".into());
                }
                Ok(AccessToken::new("good", OffsetDateTime::now_utc() + Duration::from_secs(3_600)))
            }
        }))
    });
    let mut early = rebuilt.get_token(&[SCOPE], None);
    assert!(early.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let method_options =
        ClientMethodOptions { context: azure_core::http::Context::new().with_value(ForceRefresh) };
    let forced = TokenRequestOptions { method_options };
    rebuilt.get_token(&[SCOPE], Some(forced)).await.unwrap();
    go_on.notify_one();
    early.await.unwrap_err();
    rebuilt.get_token(&[SCOPE], None).await.unwrap();
    assert_eq!(builds.load(Ordering::SeqCst), 2);
}
