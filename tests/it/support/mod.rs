//! Helpers for tests of the token cache: a scripted credential, a manual clock and concurrent tasks.

#![allow(dead_code, unused_imports, reason = "each test program uses a part of this module")]

mod concurrent;
mod credential;

use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime},
};

use azure_healthcare_auth::{Authenticator, FhirAudience, Result};
use http::HeaderValue;
use tokio::time::timeout;

pub(crate) use concurrent::{ConcurrentTasks, spawn_concurrent, wait_for_background_tasks};
pub(crate) use credential::{Call, CallResult, TestCredential, token_valid_for};

/// The number of concurrent tasks in a test.
pub(crate) const TASKS: usize = 1_000;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

/// A clock that only moves when a test moves it.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// The Unix timestamp at which the clock starts.
    pub(crate) const START: i64 = 1_800_000_000;

    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(Self::START * 1_000)))
    }

    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::SeqCst).unsigned_abs())
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn set_back(&self, by: Duration) {
        self.0.fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

pub(crate) fn fhir() -> FhirAudience {
    FhirAudience::workspace("contoso", "records").build().unwrap()
}

/// Returns an authenticator that uses the clock of its credential.
pub(crate) fn authenticator(credential: &Arc<TestCredential>) -> Authenticator<FhirAudience> {
    let clock = credential.clock.clone();
    Authenticator::builder(fhir(), credential.clone()).clock(move || clock.now()).build()
}

/// Spawns [`TASKS`] tasks that request an authorization value.
pub(crate) fn spawn_requests(auth: &Authenticator<FhirAudience>) -> ConcurrentTasks<Result<HeaderValue>> {
    spawn_concurrent(TASKS, |_| {
        let auth = auth.clone();
        async move { auth.authorization().await }
    })
}

/// Spawns [`TASKS`] tasks that report a token as rejected.
pub(crate) fn spawn_rejections(
    auth: &Authenticator<FhirAudience>,
    token: &str,
) -> ConcurrentTasks<Result<Option<HeaderValue>>> {
    spawn_concurrent(TASKS, |_| {
        let (auth, rejected) = (auth.clone(), bearer(token));
        async move { auth.refresh_rejected(&rejected).await }
    })
}

/// Returns the authorization value of a token.
pub(crate) fn bearer(token: &str) -> HeaderValue {
    HeaderValue::try_from(format!("Bearer {token}")).unwrap()
}

/// Counts the results that are the authorization value of `token`.
pub(crate) fn count_token(results: &[Result<HeaderValue>], token: &str) -> usize {
    let value = bearer(token);
    results.iter().filter(|result| result.as_ref().is_ok_and(|found| *found == value)).count()
}

/// Awaits a future, and panics after 20 s, so that a failing test does not hang.
pub(crate) async fn with_timeout<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(20 * SECOND, future).await {
        Ok(output) => output,
        Err(_) => panic!("timed out: {what}"),
    }
}

/// Polls a future once, without a runtime. Returns `None` if it is pending.
pub(crate) fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
