//! [`TestCredential`]: a credential that runs a script, blocks calls on request, and counts them.

use std::{
    fmt,
    future::pending,
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};
use azure_healthcare_auth::credentials::ForceRefresh;
use tokio::sync::watch;

use super::{TestClock, with_timeout};

/// A call to the credential, for its script.
pub(crate) struct Call {
    /// 1 for the first call.
    pub(crate) number: usize,
    pub(crate) forced: bool,
    pub(crate) scope: String,
}

pub(crate) enum CallResult {
    /// A token that expires at a Unix timestamp, in seconds.
    ExpiresOn(String, i64),
    /// A token that expires this long after the call returns it.
    ExpiresIn(String, Duration),
    Error,
    Panic,
    Hang,
}

pub(crate) fn token_valid_for(token: impl Into<String>, lifetime: Duration) -> CallResult {
    CallResult::ExpiresIn(token.into(), lifetime)
}

pub(crate) struct TestCredential {
    pub(crate) clock: TestClock,
    script: Box<dyn Fn(&Call) -> CallResult + Send + Sync>,
    started_calls: watch::Sender<usize>,
    is_blocked: watch::Sender<bool>,
    forced_calls: AtomicUsize,
    running_calls: AtomicUsize,
    max_concurrent_calls: AtomicUsize,
}

impl TestCredential {
    pub(crate) fn new(script: impl Fn(&Call) -> CallResult + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            clock: TestClock::new(),
            script: Box::new(script),
            started_calls: watch::Sender::new(0),
            is_blocked: watch::Sender::new(false),
            forced_calls: AtomicUsize::new(0),
            running_calls: AtomicUsize::new(0),
            max_concurrent_calls: AtomicUsize::new(0),
        })
    }

    /// Makes all calls wait until [`unblock_calls`](Self::unblock_calls).
    pub(crate) fn block_calls(&self) {
        self.is_blocked.send_replace(true);
    }

    pub(crate) fn unblock_calls(&self) {
        self.is_blocked.send_replace(false);
    }

    /// Waits until `calls` calls have started in total.
    pub(crate) async fn wait_for_calls(&self, calls: usize) {
        let mut started = self.started_calls.subscribe();
        with_timeout("call to the credential", started.wait_for(|started| *started >= calls)).await.unwrap();
    }

    pub(crate) fn calls(&self) -> usize {
        *self.started_calls.borrow()
    }

    /// Returns the number of calls with [`ForceRefresh`].
    pub(crate) fn forced_calls(&self) -> usize {
        self.forced_calls.load(Ordering::SeqCst)
    }

    /// Returns the number of calls that have started and have neither returned nor been dropped.
    pub(crate) fn running_calls(&self) -> usize {
        self.running_calls.load(Ordering::SeqCst)
    }

    pub(crate) fn max_concurrent_calls(&self) -> usize {
        self.max_concurrent_calls.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for TestCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestCredential").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

/// Counts a call as running until it returns or is dropped.
struct RunningCall<'a>(&'a AtomicUsize);

impl Drop for RunningCall<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl TokenCredential for TestCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let running = self.running_calls.fetch_add(1, Ordering::SeqCst) + 1;
        let _running = RunningCall(&self.running_calls);
        self.max_concurrent_calls.fetch_max(running, Ordering::SeqCst);
        let forced = ForceRefresh::is_in(options.as_ref());
        self.forced_calls.fetch_add(usize::from(forced), Ordering::SeqCst);
        let mut number = 0;
        self.started_calls.send_modify(|started| {
            *started += 1;
            number = *started;
        });
        let result = (self.script)(&Call { number, forced, scope: scopes.concat() });
        self.is_blocked.subscribe().wait_for(|is_blocked| !is_blocked).await.unwrap();
        let (token, expires_on) = match result {
            CallResult::ExpiresOn(token, expires_on) => (token, expires_on),
            CallResult::ExpiresIn(token, lifetime) => {
                let expires_on = self.clock.now() + lifetime;
                let expires_on = expires_on.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
                (token, i64::try_from(expires_on).unwrap())
            }
            CallResult::Error => {
                return Err(azure_core::Error::with_message(ErrorKind::Credential, "run `az login`"));
            }
            // Unlike `panic!`, this does not call the panic hook, which would print.
            CallResult::Panic => resume_unwind(Box::new("panic of the script")),
            CallResult::Hang => pending().await,
        };
        Ok(AccessToken::new(token, OffsetDateTime::from_unix_timestamp(expires_on).unwrap()))
    }
}
