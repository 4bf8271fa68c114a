//! [`Fetcher`]: calls the credential, with a time limit.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, SystemTime},
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    http::{ClientMethodOptions, Context},
};
use tokio::sync::Semaphore;

use super::force_refresh::ForceRefresh;
use crate::{Error, ErrorKind, Result, clock::Clock};

/// At most two calls run at once, because concurrent calls to a credential of `azure_identity` wait for its lock in a
/// loop that uses the CPU.
const MAX_CONCURRENT_CALLS: usize = 2;

pub(super) struct Fetcher {
    credential: Arc<dyn TokenCredential>,
    permits: Semaphore,
    timeout: Duration,
    clock: Clock,
}

impl Fetcher {
    pub(super) fn new(credential: Arc<dyn TokenCredential>, timeout: Duration, clock: Clock) -> Self {
        Self { credential, permits: Semaphore::new(MAX_CONCURRENT_CALLS), timeout, clock }
    }

    #[inline]
    pub(super) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Calls the credential. Returns an error if the credential panics.
    pub(super) async fn fetch(&self, scope: &str, forced: bool) -> Result<AccessToken> {
        let mut call = pin!(self.call(scope, forced));
        poll_fn(|cx| {
            // Unwind safe, because a call that panicked is not polled again.
            catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx))).unwrap_or_else(|_| {
                let message = format!("no token for {scope}: the credential panicked");
                Poll::Ready(Err(Error::new(ErrorKind::Credential, message)))
            })
        })
        .await
    }

    async fn call(&self, scope: &str, forced: bool) -> Result<AccessToken> {
        let closed = |_| Error::new(ErrorKind::Credential, "the credential accepts no more calls");
        let _permit = self.permits.acquire().await.map_err(closed)?;
        let options = forced.then(|| TokenRequestOptions {
            method_options: ClientMethodOptions { context: Context::new().with_value(ForceRefresh) },
        });
        let scopes = [scope];
        // The time limit does not include the wait for the permit.
        match tokio::time::timeout(self.timeout, self.credential.get_token(&scopes, options)).await {
            Ok(Ok(token)) => Ok(token),
            Ok(Err(error)) => Err(Error::from_credential(scope, &error)),
            Err(_) => {
                let seconds = self.timeout.as_secs_f32();
                let message =
                    format!("no token for {scope}: the credential did not respond within {seconds} s");
                Err(Error::new(ErrorKind::Timeout, message))
            }
        }
    }
}
