//! [`PendingFetch`]: a fetch to wait for, and [`FetchGuard`]: its end.

use std::sync::Arc;

use azure_core::credentials::AccessToken;
use http::HeaderValue;
use tokio::runtime::Handle;
use tracing::{Instrument as _, Span};

use super::shared::EntryShared;
use crate::{
    Error, ErrorKind, Result,
    token::{
        fetched_token::FetchedToken,
        in_flight::{FetchCompleter, InFlight},
    },
};

/// A fetch that a request waits for: its own, which is not spawned yet, or one that another request started.
pub(super) struct PendingFetch {
    in_flight: InFlight,
    unspawned: Option<(Handle, FetchGuard)>,
}

impl PendingFetch {
    /// Joins a fetch that another request started.
    pub(super) fn join(in_flight: &InFlight) -> Self {
        Self { in_flight: in_flight.clone(), unspawned: None }
    }

    /// Creates a fetch for a runtime. It starts with [`spawn`](Self::spawn) or [`wait`](Self::wait).
    pub(super) fn new(in_flight: InFlight, runtime: Handle, guard: FetchGuard) -> Self {
        Self { in_flight, unspawned: Some((runtime, guard)) }
    }

    pub(super) fn is_forced(&self) -> bool {
        self.in_flight.forced
    }

    /// Spawns the fetch in `span`, unless another request has done so.
    pub(super) fn spawn(self, span: Span) -> InFlight {
        if let Some((runtime, mut guard)) = self.unspawned {
            let fetch = async move {
                let result = guard.entry.fetcher.fetch(&guard.entry.scope, guard.forced).await;
                guard.complete(result);
            };
            runtime.spawn(fetch.instrument(span));
        }
        self.in_flight
    }

    /// Waits for the result. Returns `None` if another request's fetch was dropped with its runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the request's own fetch was dropped with its runtime.
    pub(super) async fn wait(self) -> Result<Option<Result<HeaderValue>>> {
        let is_own = self.unspawned.is_some();
        match self.spawn(Span::current()).wait().await {
            // Not retried, because retries on a runtime that is shutting down never end.
            None if is_own => {
                let message = "the Tokio runtime shut down during the token fetch";
                Err(Error::new(ErrorKind::NoRuntime, message))
            }
            result => Ok(result),
        }
    }
}

/// Ends a fetch in every case: with a result, or without one if it is dropped with its runtime.
pub(super) struct FetchGuard {
    entry: Arc<EntryShared>,
    completer: Option<FetchCompleter>,
    forced: bool,
}

impl FetchGuard {
    pub(super) fn new(entry: Arc<EntryShared>, completer: FetchCompleter, forced: bool) -> Self {
        Self { entry, completer: Some(completer), forced }
    }

    fn complete(&mut self, result: Result<AccessToken>) {
        let Some(completer) = self.completer.take() else { return };
        let fetched = result.and_then(|token| FetchedToken::new(&token));
        let (outcome, result) = {
            let mut refresh_state = self.entry.lock_refresh_state();
            // Under the same lock as the store, so that no request finds the old token and no fetch in flight.
            refresh_state.in_flight = None;
            self.entry.store(&mut refresh_state, fetched, self.forced)
        };
        completer.complete(result.clone());
        // Log after unlocking and completing, because a subscriber may be slow or may request a token itself.
        self.entry.log(outcome, &result);
    }
}

impl Drop for FetchGuard {
    fn drop(&mut self) {
        if self.completer.is_some() {
            // The waiters find the channel closed and start a new fetch on their own runtime.
            self.entry.lock_refresh_state().in_flight = None;
        }
    }
}
