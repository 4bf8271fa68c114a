//! What the tests of the token cache share: a credential that follows a script, a clock that a test moves, and a
//! storm of requests that begin together.

#![allow(dead_code, unused_imports, reason = "each file of tests uses a part of it")]

mod credential;
mod storm;

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

pub(crate) use credential::{Answer, Call, Scripted, lives};
pub(crate) use storm::{Storm, quiet, storm};

pub(crate) const MANY: usize = 1_000;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

/// A clock that stands still until it is moved. It starts at a whole second, as tokens end at one.
#[derive(Clone)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000)))
    }

    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::SeqCst).unsigned_abs())
    }

    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn back(&self, by: Duration) {
        self.0.fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

pub(crate) fn fhir() -> FhirAudience {
    FhirAudience::workspace("contoso", "records").build().unwrap()
}

/// An authenticator by the credential's clock.
pub(crate) fn authenticator(credential: &Arc<Scripted>) -> Authenticator<FhirAudience> {
    let clock = credential.clock.clone();
    Authenticator::new(fhir(), credential.clone()).with_clock(move || clock.now())
}

/// Many requests that need a token.
pub(crate) fn requests(auth: &Authenticator<FhirAudience>) -> Storm<Result<HeaderValue>> {
    storm(MANY, |_| {
        let auth = auth.clone();
        async move { auth.authorization().await }
    })
}

/// Many that saw the service refuse a token.
pub(crate) fn refusals(
    auth: &Authenticator<FhirAudience>,
    token: &str,
) -> Storm<Result<Option<HeaderValue>>> {
    storm(MANY, |_| {
        let (auth, refused) = (auth.clone(), bearer(token));
        async move { auth.refresh_rejected(&refused).await }
    })
}

/// The value that is made of a token.
pub(crate) fn bearer(token: &str) -> HeaderValue {
    HeaderValue::try_from(format!("Bearer {token}")).unwrap()
}

/// How many of the outcomes are this token.
pub(crate) fn count(outcomes: &[Result<HeaderValue>], token: &str) -> usize {
    let value = bearer(token);
    outcomes.iter().filter(|outcome| outcome.as_ref().is_ok_and(|found| *found == value)).count()
}

/// What a future gives, if it does not take for ever: a test that has failed should say so rather than hang.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(20 * SECOND, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: waited in vain"),
    }
}

/// What a future gives when it is polled once, by hand and outside any runtime. `None` if it is not ready.
pub(crate) fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
