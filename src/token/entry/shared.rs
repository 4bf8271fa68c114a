//! [`EntryShared`]: the state of a cache entry, shared by its readers and its running fetch.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use http::HeaderValue;

use crate::{
    Error, ErrorKind, Result,
    clock::jitter,
    token::{
        fetched_token::FetchedToken,
        fetcher::Fetcher,
        in_flight::InFlight,
        state::{Candidate, FetchHistory, FetchOutcome, Validity},
    },
};

pub(super) struct EntryShared {
    pub(super) scope: Box<str>,
    pub(super) fetcher: Arc<Fetcher>,
    pub(super) cached: ArcSwapOption<CachedToken>,
    refresh_state: Mutex<RefreshState>,
}

#[derive(Debug)]
pub(super) struct CachedToken {
    pub(super) value: HeaderValue,
    pub(super) validity: Validity,
    /// The last authorization value that a forced refresh replaced. The credential may return it again.
    rejected: Option<HeaderValue>,
}

impl CachedToken {
    fn is_known(&self, value: &HeaderValue) -> bool {
        self.value == *value || self.rejected.as_ref() == Some(value)
    }
}

/// The past fetches and the running one. Its lock is never held across an `await`.
#[derive(Debug, Default)]
pub(super) struct RefreshState {
    pub(super) history: FetchHistory,
    /// The error of the last failed fetch, for requests during the backoff.
    last_error: Option<Error>,
    pub(super) in_flight: Option<InFlight>,
}

impl RefreshState {
    /// Returns the error for a request during the backoff.
    pub(super) fn backoff_error(&self, remaining: Duration) -> Error {
        let error = self.last_error.clone();
        error
            .unwrap_or_else(|| Error::new(ErrorKind::Credential, "no token"))
            .with_retry_after(Some(remaining))
    }
}

impl EntryShared {
    pub(super) fn new(scope: &str, fetcher: Arc<Fetcher>) -> Self {
        Self { scope: scope.into(), fetcher, cached: ArcSwapOption::empty(), refresh_state: Mutex::default() }
    }

    pub(super) fn lock_refresh_state(&self) -> MutexGuard<'_, RefreshState> {
        // A poisoned lock is usable, because a panic cannot leave the state inconsistent.
        self.refresh_state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn expires_on(&self) -> Option<SystemTime> {
        self.cached.load().as_ref().map(|cached| cached.validity.expires_on)
    }

    /// Records the result of a fetch and caches its token if it is better. Returns the outcome, and the result for the
    /// waiters.
    pub(super) fn store(
        &self,
        refresh_state: &mut RefreshState,
        fetched: Result<FetchedToken>,
        forced: bool,
    ) -> (FetchOutcome, Result<HeaderValue>) {
        let (now, jitter) = (self.fetcher.now(), jitter());
        let cached = self.cached.load_full();
        let candidate = fetched.as_ref().ok().map(|fetched| Candidate {
            validity: Validity::new(now, fetched.expires_on, jitter),
            is_known: cached.as_ref().is_some_and(|cached| cached.is_known(&fetched.value)),
        });
        let validity = cached.as_deref().map(|cached| &cached.validity);
        let outcome = refresh_state.history.record(validity, candidate, forced, now, jitter);
        let error = match (outcome, fetched, cached) {
            (FetchOutcome::Stored(validity), Ok(FetchedToken { value, .. }), cached) => {
                let rejected = cached.and_then(|cached| match forced {
                    true => Some(cached.value.clone()),
                    false => cached.rejected.clone(),
                });
                let token = CachedToken { value: value.clone(), validity, rejected };
                self.cached.store(Some(Arc::new(token)));
                refresh_state.last_error = None;
                return (outcome, Ok(value));
            }
            (FetchOutcome::Unchanged, Ok(_), Some(cached)) => return (outcome, Ok(cached.value.clone())),
            (_, Ok(fetched), _) => fetched.expired_error(&self.scope, now),
            (_, Err(error), _) => error,
        };
        refresh_state.last_error = Some(error.clone());
        (outcome, Err(error.with_retry_after(refresh_state.history.backoff_remaining(now))))
    }

    pub(super) fn log(&self, outcome: FetchOutcome, result: &Result<HeaderValue>) {
        match result {
            Ok(_) if outcome == FetchOutcome::Unchanged => {
                tracing::debug!(scope = %self.scope, "the credential returned no new token");
            }
            Ok(_) => tracing::debug!(scope = %self.scope, seconds = self.seconds_left(), "token received"),
            Err(error) => tracing::warn!(scope = %self.scope, %error, "token fetch failed"),
        }
    }

    fn seconds_left(&self) -> u64 {
        let left =
            self.expires_on().and_then(|expires_on| expires_on.duration_since(self.fetcher.now()).ok());
        left.unwrap_or_default().as_secs()
    }
}
