//! [`TestCredential`]: a credential that records how it is called.

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};
use real_std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use shuttle::{
    future::yield_now,
    rand::{Rng, thread_rng},
};

use crate::{
    clock::Clock,
    sync::Arc,
    time::{Duration, SystemTime},
    token::{DEFAULT_TIMEOUT, TokenCache},
};

const LIFETIME: Duration = Duration::from_secs(3600);

/// The behavior of the calls that start from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behavior {
    Succeed,
    Fail,
    Hang,
    SucceedOrFail,
}

/// Records the highest number of concurrent calls, per scope and in total.
#[derive(Debug)]
pub(crate) struct TestCredential {
    pub(crate) clock: Clock,
    behavior: Mutex<Behavior>,
    calls: AtomicUsize,
    running: Mutex<HashMap<String, usize>>,
    max_concurrent_per_scope: AtomicUsize,
    max_concurrent: AtomicUsize,
}

impl TestCredential {
    pub(crate) fn new(behavior: Behavior) -> (Arc<Self>, TokenCache) {
        let clock = Clock::default();
        let credential = Arc::new(Self {
            clock: clock.clone(),
            behavior: Mutex::new(behavior),
            calls: AtomicUsize::new(0),
            running: Mutex::default(),
            max_concurrent_per_scope: AtomicUsize::new(0),
            max_concurrent: AtomicUsize::new(0),
        });
        let cache = TokenCache::new(credential.clone(), DEFAULT_TIMEOUT, clock);
        (credential, cache)
    }

    pub(crate) fn set_behavior(&self, behavior: Behavior) {
        *self.behavior.lock().expect("not poisoned") = behavior;
    }

    /// Returns the number of calls so far.
    ///
    /// Panics if too many calls ran concurrently. The check is here rather than in the call, because the cache turns a
    /// panic of the credential into an error.
    pub(crate) fn calls(&self) -> usize {
        let per_scope = self.max_concurrent_per_scope.load(Ordering::SeqCst);
        assert!(per_scope <= 1, "{per_scope} concurrent calls for one scope");
        let total = self.max_concurrent.load(Ordering::SeqCst);
        assert!(total <= 2, "{total} concurrent calls");
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl TokenCredential for TestCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let _running = RunningCall::new(self, scopes[0]);
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let behavior = *self.behavior.lock().expect("not poisoned");
        for _ in 0..thread_rng().gen_range(0..3) {
            yield_now().await;
        }
        match behavior {
            Behavior::Hang => futures_util::future::pending().await,
            Behavior::SucceedOrFail if thread_rng().r#gen() => {}
            Behavior::Fail | Behavior::SucceedOrFail => {
                return Err(azure_core::Error::with_message(ErrorKind::Credential, "failed"));
            }
            Behavior::Succeed => {}
        }
        let expires_on = self.clock.now() + LIFETIME;
        let expires_on =
            expires_on.duration_since(SystemTime::UNIX_EPOCH).expect("a time after 1970").as_secs();
        let expires_on =
            OffsetDateTime::from_unix_timestamp(expires_on as i64).expect("a time before the year 9999");
        Ok(AccessToken::new(format!("{number}"), expires_on))
    }
}

/// Counts a call as running until it completes or is dropped.
struct RunningCall<'a> {
    credential: &'a TestCredential,
    scope: String,
}

impl<'a> RunningCall<'a> {
    fn new(credential: &'a TestCredential, scope: &str) -> Self {
        let mut running = credential.running.lock().expect("not poisoned");
        *running.entry(scope.to_owned()).or_default() += 1;
        credential.max_concurrent_per_scope.fetch_max(running[scope], Ordering::SeqCst);
        credential.max_concurrent.fetch_max(running.values().sum(), Ordering::SeqCst);
        Self { credential, scope: scope.to_owned() }
    }
}

impl Drop for RunningCall<'_> {
    fn drop(&mut self) {
        let mut running = self.credential.running.lock().expect("not poisoned");
        *running.entry(self.scope.clone()).or_default() -= 1;
    }
}
