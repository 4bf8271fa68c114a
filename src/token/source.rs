//! [`Source`]: a credential and its slots, one for each scope.

use std::{
    collections::HashMap,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{ClientMethodOptions, Context},
};
use tokio::sync::Semaphore;

use super::{force_refresh::ForceRefresh, slot::Slot};
use crate::{Error, ErrorKind, Result, clock::Clock};

/// How long a credential may take for one token.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// The credentials of `azure_identity` wait for one another in a loop that spins when there are many.
const CALLS_AT_ONCE: usize = 2;

pub(crate) struct Source {
    caller: Arc<Caller>,
    slots: Mutex<HashMap<Box<str>, Arc<Slot>>>,
}

impl Source {
    pub(crate) fn new(credential: Arc<dyn TokenCredential>, timeout: Duration, clock: Clock) -> Self {
        let calls = Semaphore::new(CALLS_AT_ONCE);
        Self { caller: Arc::new(Caller { credential, calls, timeout, clock }), slots: Mutex::default() }
    }

    /// The same credential with other settings, and nothing held yet.
    pub(crate) fn with_timeout(&self, timeout: Duration) -> Self {
        Self::new(self.caller.credential.clone(), timeout, self.caller.clock.clone())
    }

    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn with_clock(&self, clock: Clock) -> Self {
        Self::new(self.caller.credential.clone(), self.caller.timeout, clock)
    }

    #[cfg(feature = "client")]
    pub(crate) fn now(&self) -> std::time::SystemTime {
        self.caller.clock.now()
    }

    /// The slot of a scope, the same for all who ask.
    pub(crate) fn slot(&self, scope: &str) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        match slots.get(scope) {
            Some(slot) => slot.clone(),
            None => {
                let slot = Arc::new(Slot::new(scope, self.caller.clone()));
                slots.insert(scope.into(), slot.clone());
                slot
            }
        }
    }
}

/// Asks the credential, two calls at a time.
pub(super) struct Caller {
    credential: Arc<dyn TokenCredential>,
    calls: Semaphore,
    timeout: Duration,
    pub(super) clock: Clock,
}

impl Caller {
    /// A token of the credential, or why there is none. A panic of the credential is such a reason.
    pub(super) async fn call(&self, scope: &str, forced: bool) -> Result<AccessToken> {
        let mut call = pin!(self.ask(scope, forced));
        poll_fn(|cx| {
            // What panicked is not polled again, so that nobody sees it half done.
            catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))).unwrap_or_else(|_| {
                let message = format!("no token for {scope}: the credential panicked");
                Poll::Ready(Err(Error::new(ErrorKind::Credential, message)))
            })
        })
        .await
    }

    async fn ask(&self, scope: &str, forced: bool) -> Result<AccessToken> {
        let no_more = |_| Error::new(ErrorKind::Credential, "the credential takes no more calls");
        let _turn = self.calls.acquire().await.map_err(no_more)?;
        let options = forced.then(|| TokenRequestOptions {
            method_options: ClientMethodOptions { context: Context::new().with_value(ForceRefresh) },
        });
        let scopes = [scope];
        // The time counts from here: a turn that is long in coming is not the credential's doing.
        match tokio::time::timeout(self.timeout, self.credential.get_token(&scopes, options)).await {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(error)) => Err(Error::from_credential(scope, &error)),
            Err(_) => {
                let seconds = self.timeout.as_secs_f32();
                let message =
                    format!("no token for {scope}: the credential gave no answer within {seconds} s");
                Err(Error::new(ErrorKind::Timeout, message))
            }
        }
    }
}
