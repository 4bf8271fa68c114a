//! [`CacheEntry`]: the cached token of one scope.

mod fetch;
mod shared;

use std::{sync::Arc, time::SystemTime};

use http::HeaderValue;
use tokio::runtime::Handle;
use tracing::Span;

use self::fetch::{FetchGuard, PendingFetch};
use self::shared::{EntryShared, RefreshState};
use super::{
    fetcher::Fetcher,
    in_flight::InFlight,
    state::{self, Decision, Phase},
};
use crate::{Error, ErrorKind, Result};

/// The cached token and the fetches of one scope.
///
/// A request that finds a fresh token takes no lock. Any other request locks the refresh state.
#[derive(Clone)]
pub(crate) struct CacheEntry(Arc<EntryShared>);

/// The result of [`CacheEntry::look_up`].
enum Lookup {
    Cached(HeaderValue),
    Pending(PendingFetch),
}

/// The result of [`CacheEntry::look_up_replacement`].
enum Replacement {
    /// Another token is cached.
    Cached(HeaderValue),
    Pending(PendingFetch),
    /// No usable token is cached, so an ordinary fetch is due.
    NotCached,
    /// The credential has no other token, or a forced refresh may not start yet.
    Unavailable,
}

impl CacheEntry {
    pub(super) fn new(scope: &str, fetcher: Arc<Fetcher>) -> Self {
        Self(Arc::new(EntryShared::new(scope, fetcher)))
    }

    pub(crate) fn expires_on(&self) -> Option<SystemTime> {
        self.0.expires_on()
    }

    /// Returns an authorization value. Waits only if no usable token is cached.
    pub(crate) async fn authorization(&self) -> Result<HeaderValue> {
        match self.fresh_authorization() {
            Some(value) => Ok(value),
            // Boxed, so that the future of a cache hit stays small.
            None => Box::pin(self.look_up_or_wait()).await,
        }
    }

    /// Returns the cached authorization value if it is fresh.
    #[inline]
    pub(crate) fn fresh_authorization(&self) -> Option<HeaderValue> {
        let cached = self.0.cached.load();
        let fresh =
            cached.as_ref().filter(|cached| cached.validity.phase(self.0.fetcher.now()) == Phase::Fresh);
        fresh.map(|cached| cached.value.clone())
    }

    async fn look_up_or_wait(&self) -> Result<HeaderValue> {
        loop {
            let pending = match self.look_up()? {
                Lookup::Cached(value) => return Ok(value),
                Lookup::Pending(pending) => pending,
            };
            if let Some(result) = pending.wait().await? {
                return result;
            }
        }
    }

    /// Returns a replacement for a value that the service rejected, or `None` if the credential returned no other token
    /// or a forced refresh may not start yet.
    pub(crate) async fn refresh_rejected(&self, rejected: &HeaderValue) -> Result<Option<HeaderValue>> {
        loop {
            let pending = match self.look_up_replacement(rejected)? {
                Replacement::Cached(value) => return Ok(Some(value)),
                Replacement::Unavailable => return Ok(None),
                Replacement::NotCached => {
                    let value = self.authorization().await?;
                    return Ok(Some(value).filter(|value| value != rejected));
                }
                Replacement::Pending(pending) => pending,
            };
            let forced = pending.is_forced();
            match pending.wait().await? {
                Some(Ok(value)) if value != *rejected => return Ok(Some(value)),
                Some(Ok(_)) if forced => return Ok(None),
                Some(Err(error)) if forced => return Err(error),
                // Look again: an ordinary refresh failed or returned the rejected token, or the fetch was dropped with
                // its runtime.
                Some(_) | None => {}
            }
        }
    }

    /// Returns the cached value or a fetch to wait for. Holds the lock, so that only one of several concurrent requests
    /// starts a fetch.
    fn look_up(&self) -> Result<Lookup> {
        let mut refresh_state = self.0.lock_refresh_state();
        // Read the time and the token again, because a fetch may have completed before the lock was taken. A time read
        // before locking could precede the start of a new backoff, which would then be ignored.
        let now = self.0.fetcher.now();
        let cached = self.0.cached.load();
        let validity = cached.as_ref().map(|cached| &cached.validity);
        match (&*cached, state::decide(validity, &refresh_state.history, now)) {
            (Some(cached), Decision::UseCached) => Ok(Lookup::Cached(cached.value.clone())),
            (Some(cached), Decision::UseCachedAndRefresh) => {
                // Outside a runtime the refresh is left to a later request.
                if refresh_state.in_flight.is_none()
                    && let Ok(pending) = self.prepare_fetch(&mut refresh_state, false)
                {
                    drop(refresh_state);
                    // Not in the request's span, because the request does not wait for the refresh.
                    pending.spawn(Span::none());
                }
                Ok(Lookup::Cached(cached.value.clone()))
            }
            (_, Decision::BackOff { remaining }) if refresh_state.in_flight.is_none() => {
                Err(refresh_state.backoff_error(remaining))
            }
            _ => match &refresh_state.in_flight {
                Some(in_flight) => Ok(Lookup::Pending(PendingFetch::join(in_flight))),
                None => self.prepare_fetch(&mut refresh_state, false).map(Lookup::Pending),
            },
        }
    }

    /// Returns the replacement for a rejected token, or a fetch to wait for. Holds the lock, so that only one of
    /// several requests with the same rejected token starts a forced refresh.
    fn look_up_replacement(&self, rejected: &HeaderValue) -> Result<Replacement> {
        let mut refresh_state = self.0.lock_refresh_state();
        let now = self.0.fetcher.now();
        let cached = self.0.cached.load();
        let Some(cached) = cached.as_ref().filter(|cached| cached.validity.phase(now) != Phase::Expired)
        else {
            return Ok(Replacement::NotCached);
        };
        if cached.value != *rejected {
            return Ok(Replacement::Cached(cached.value.clone()));
        }
        if let Some(in_flight) = &refresh_state.in_flight {
            return Ok(Replacement::Pending(PendingFetch::join(in_flight)));
        }
        if !refresh_state.history.may_force(now) {
            return Ok(Replacement::Unavailable);
        }
        self.prepare_fetch(&mut refresh_state, true).map(Replacement::Pending)
    }

    /// Registers a fetch. Its task starts later, after unlocking, because a runtime that is shutting down drops a new
    /// task at once, and dropping its [`FetchGuard`] needs the lock.
    fn prepare_fetch(&self, refresh_state: &mut RefreshState, forced: bool) -> Result<PendingFetch> {
        let runtime = Handle::try_current().map_err(|_| {
            let message = "a token fetch needs a Tokio runtime (call this from within one)";
            Error::new(ErrorKind::NoRuntime, message)
        })?;
        let (completer, in_flight) = InFlight::new(forced);
        refresh_state.in_flight = Some(in_flight.clone());
        Ok(PendingFetch::new(in_flight, runtime, FetchGuard::new(self.0.clone(), completer, forced)))
    }
}
