//! The rules of the token cache: pure functions of the cached token, the fetches so far and the time.

use std::time::{Duration, SystemTime};

/// A token with a shorter lifetime than this has a refresh window of half its lifetime.
const SHORT_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// The refresh window is at least this long.
const MIN_REFRESH_WINDOW: Duration = Duration::from_secs(3 * 60);
/// The refresh window is longer by up to this much, at random, so that the processes of a fleet do not refresh
/// together.
///
/// The window is at most 300 s long, because the credentials of `azure_identity` return the same token until it has
/// less time left than that.
const REFRESH_WINDOW_SPREAD: Duration = Duration::from_secs(2 * 60);
/// A token is not used in its last 10 s, or in the last quarter of a shorter lifetime, because it could expire before
/// the request arrives.
const EXPIRY_MARGIN: Duration = Duration::from_secs(10);

const INITIAL_BACKOFF: Duration = Duration::from_secs(1);
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// The backoff is shorter before the first success, because a developer may be running `az login` at that moment.
const MAX_BACKOFF_BEFORE_FIRST_SUCCESS: Duration = Duration::from_secs(5);
/// The minimum time from the end of one forced refresh to the start of the next.
const FORCED_REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// The times at which a token changes its [`Phase`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) refresh_from: SystemTime,
    pub(crate) usable_until: SystemTime,
    pub(crate) expires_on: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The token is used, and no refresh is due.
    Fresh,
    /// The token is in its refresh window: it is used, and a refresh is due.
    RefreshDue,
    /// The token is not used, because it has expired or is about to.
    Expired,
}

impl Validity {
    /// `jitter` is a number from 0 to 1. Returns `None` if the token had expired when it was received.
    pub(crate) fn new(received_at: SystemTime, expires_on: SystemTime, jitter: f64) -> Option<Self> {
        let lifetime = expires_on.duration_since(received_at).ok().filter(|lifetime| !lifetime.is_zero())?;
        let refresh_window = if lifetime < SHORT_LIFETIME {
            lifetime / 2
        } else {
            MIN_REFRESH_WINDOW + REFRESH_WINDOW_SPREAD.mul_f64(jitter)
        };
        Some(Self {
            refresh_from: expires_on - refresh_window,
            usable_until: expires_on - EXPIRY_MARGIN.min(lifetime / 4),
            expires_on,
        })
    }

    pub(crate) fn phase(&self, now: SystemTime) -> Phase {
        if now < self.refresh_from {
            Phase::Fresh
        } else if now < self.usable_until {
            Phase::RefreshDue
        } else {
            Phase::Expired
        }
    }

    fn is_usable(&self, now: SystemTime) -> bool {
        self.phase(now) != Phase::Expired
    }
}

/// The relevant facts about the fetches so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FetchHistory {
    any_succeeded: bool,
    consecutive_failures: u32,
    backoff: Option<Backoff>,
    forced_backoff: Option<Backoff>,
    /// A forced refresh returned the cached token, or the rejected token that it had replaced, so forcing another one
    /// is useless.
    no_replacement: bool,
}

/// A period in which no fetch of one kind, ordinary or forced, may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Backoff {
    since: SystemTime,
    until: SystemTime,
}

impl Backoff {
    fn new(since: SystemTime, length: Duration) -> Self {
        // If the end is not representable, the backoff is empty.
        Self { since, until: since.checked_add(length).unwrap_or(since) }
    }

    /// Returns the rest of the backoff. There is none if the clock was set back to before its start, because the time
    /// that has really passed is unknown.
    fn remaining(&self, now: SystemTime) -> Option<Duration> {
        if now < self.since {
            return None;
        }
        self.until.duration_since(now).ok().filter(|remaining| !remaining.is_zero())
    }
}

/// The action for a request that needs a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The request gets the cached token.
    UseCached,
    /// The request gets the cached token, and a background fetch refreshes it.
    UseCachedAndRefresh,
    /// The request waits for a fetch.
    Fetch,
    /// The request gets the last error. The next fetch may start after `remaining`.
    BackOff { remaining: Duration },
}

pub(crate) fn decide(cached: Option<&Validity>, history: &FetchHistory, now: SystemTime) -> Decision {
    match (cached.map(|validity| validity.phase(now)), history.backoff_remaining(now)) {
        (Some(Phase::Fresh), _) | (Some(Phase::RefreshDue), Some(_)) => Decision::UseCached,
        (Some(Phase::RefreshDue), None) => Decision::UseCachedAndRefresh,
        (Some(Phase::Expired) | None, None) => Decision::Fetch,
        (Some(Phase::Expired) | None, Some(remaining)) => Decision::BackOff { remaining },
    }
}

/// A token that the credential returned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// `None` if the token had expired when it was received.
    pub(crate) validity: Option<Validity>,
    /// `true` if the token is identical to the cached one, or to the rejected one that the cached one replaced.
    pub(crate) is_known: bool,
}

/// The effect of a fetch on the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FetchOutcome {
    /// The fetched token is now the cached one.
    Stored(Validity),
    /// The cached token stays, because the new token is no improvement.
    Unchanged,
    /// There is no new token, or it cannot be used: it has expired, or it is the one that just expired.
    Unusable,
}

fn evaluate(cached: Option<&Validity>, candidate: Candidate, forced: bool, now: SystemTime) -> FetchOutcome {
    let Some(validity) = candidate.validity else { return FetchOutcome::Unusable };
    let expires_later = cached.is_none_or(|cached| cached.expires_on < validity.expires_on);
    let cached_is_usable = cached.is_some_and(|cached| cached.is_usable(now));
    match (cached_is_usable, candidate.is_known) {
        // In a forced refresh, any other token is better than the rejected one, even if it expires earlier.
        (true, false) if expires_later || forced => FetchOutcome::Stored(validity),
        (true, _) => FetchOutcome::Unchanged,
        // A known token is usable again only if the credential returned it with a later expiry.
        (false, true) if !expires_later => FetchOutcome::Unusable,
        (false, _) => FetchOutcome::Stored(validity),
    }
}

impl FetchHistory {
    /// Records the end of a fetch and returns its outcome. `candidate` is `None` if the fetch failed, and `jitter` is a
    /// number from 0 to 1.
    pub(crate) fn record(
        &mut self,
        cached: Option<&Validity>,
        candidate: Option<Candidate>,
        forced: bool,
        now: SystemTime,
        jitter: f64,
    ) -> FetchOutcome {
        if forced {
            self.forced_backoff = Some(Backoff::new(now, FORCED_REFRESH_INTERVAL));
        }
        let usable = cached.filter(|cached| cached.is_usable(now));
        let outcome =
            candidate.map_or(FetchOutcome::Unusable, |candidate| evaluate(cached, candidate, forced, now));
        match outcome {
            FetchOutcome::Stored(_) => {
                *self = Self { any_succeeded: true, forced_backoff: self.forced_backoff, ..Self::default() };
            }
            FetchOutcome::Unchanged if forced => self.no_replacement = true,
            // A failed forced refresh does not delay the next ordinary one, because the cached token stays in use.
            FetchOutcome::Unusable if forced && usable.is_some() => {}
            FetchOutcome::Unchanged | FetchOutcome::Unusable => self.record_failure(usable, now, jitter),
        }
        outcome
    }

    fn record_failure(&mut self, usable: Option<&Validity>, now: SystemTime, jitter: f64) {
        let max = if self.any_succeeded { MAX_BACKOFF } else { MAX_BACKOFF_BEFORE_FIRST_SUCCESS };
        // The jitter shortens the backoff by up to a half, so that processes that failed together do not retry
        // together.
        let length = (INITIAL_BACKOFF * 2_u32.saturating_pow(self.consecutive_failures.min(10)))
            .min(max)
            .mul_f64(0.5 + jitter / 2.0);
        self.consecutive_failures = self.consecutive_failures.saturating_add(1);
        let mut backoff = Backoff::new(now, length);
        if let Some(usable) = usable {
            backoff.until = backoff.until.min(usable.usable_until);
        }
        self.backoff = Some(backoff);
    }

    /// Returns the time until the next fetch may start after a failure.
    pub(crate) fn backoff_remaining(&self, now: SystemTime) -> Option<Duration> {
        self.backoff.and_then(|backoff| backoff.remaining(now))
    }

    /// Returns `true` if a forced refresh of the cached token may start.
    pub(crate) fn may_force(&self, now: SystemTime) -> bool {
        !self.no_replacement && self.forced_backoff.is_none_or(|backoff| backoff.remaining(now).is_none())
    }
}
