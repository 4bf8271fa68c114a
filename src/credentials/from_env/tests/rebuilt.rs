//! A refusal builds a credential anew.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use azure_core::{
    credentials::AccessToken,
    error::{Error, ErrorKind},
    time::OffsetDateTime,
};
use http::HeaderValue;

use super::super::rebuilt::Rebuilt;
use crate::{Authenticator, FhirAudience, credentials::from_fn};

fn audience(workspace: &str) -> FhirAudience {
    FhirAudience::workspace(workspace, "records").build().unwrap()
}

/// Builds credentials that keep their token for ever, each one of its own.
fn counted(fails_at: usize) -> (Authenticator<FhirAudience>, Arc<AtomicUsize>) {
    let builds = Arc::new(AtomicUsize::new(0));
    let counter = builds.clone();
    let rebuilt = Rebuilt::new(move || {
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
    auth.at(audience("fabrikam")).authorization().await.unwrap();
    assert_eq!(builds.load(Ordering::SeqCst), 1);
    let second = auth.renew(&first).await.unwrap();
    assert_eq!(second, Some(HeaderValue::from_static("Bearer of-build-2")));
    auth.at(audience("adatum")).authorization().await.unwrap();
    assert_eq!(builds.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_that_cannot_be_built_is_built_again_for_the_next_call() {
    let (auth, builds) = counted(1);
    let error = auth.authorization().await.unwrap_err();
    assert!(error.to_string().contains("the file is gone"), "{error}");
    assert_eq!(auth.at(audience("fabrikam")).authorization().await.unwrap(), "Bearer of-build-2");
    assert_eq!(builds.load(Ordering::SeqCst), 2);
}
