//! The rules of a token's life, as pure functions of what is held and what time it is.

use std::time::{Duration, SystemTime};

/// A token that has at least this long to live on arrival is refreshed in a window before its end.
const LONG: Duration = Duration::from_secs(10 * 60);
/// The window opens this long before the end at the latest …
const WINDOW_LATEST: Duration = Duration::from_secs(3 * 60);
/// … and at most this much sooner, drawn for each token so that a fleet does not refresh together. Entra's
/// libraries hand out the old token until 300 s remain: an earlier window would only bring that one again.
const WINDOW_SPREAD: Duration = Duration::from_secs(2 * 60);
/// A token is not served in its last moments, which a request on its way may need.
const MARGIN: Duration = Duration::from_secs(10);

const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// Until a first success somebody may be running `az login` right now.
const LONGEST_REST_AT_FIRST: Duration = Duration::from_secs(5);
/// Between two calls that were forced by a refusal.
const FORCED_REST: Duration = Duration::from_secs(30);

/// The times that matter in the life of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) refreshed_from: SystemTime,
    pub(crate) served_until: SystemTime,
    pub(crate) ends: SystemTime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Served, and left alone.
    Fresh,
    /// Served, and to be replaced.
    Stale,
    /// Not served any more.
    Ended,
}

impl Life {
    /// `draw` is a number from 0 to 1. `None` for a token that has ended on arrival.
    pub(crate) fn new(arrived: SystemTime, ends: SystemTime, draw: f64) -> Option<Self> {
        let left = ends.duration_since(arrived).ok().filter(|left| !left.is_zero())?;
        let window = if left < LONG { left / 2 } else { WINDOW_LATEST + WINDOW_SPREAD.mul_f64(draw) };
        Some(Self { refreshed_from: ends - window, served_until: ends - MARGIN.min(left / 4), ends })
    }

    pub(crate) fn phase(&self, now: SystemTime) -> Phase {
        if now < self.refreshed_from {
            Phase::Fresh
        } else if now < self.served_until {
            Phase::Stale
        } else {
            Phase::Ended
        }
    }

    fn is_served(&self, now: SystemTime) -> bool {
        self.phase(now) != Phase::Ended
    }
}

/// What is remembered of the calls made so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// Whether any has brought a token.
    succeeded: bool,
    /// Calls in a row that brought none.
    failures: u32,
    rest: Option<Rest>,
    forced: Option<Rest>,
    /// Whether a forced call has brought the held value again: for that value there is no other.
    settled: bool,
}

/// A time in which the credential is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    from: SystemTime,
    until: SystemTime,
}

impl Rest {
    fn new(from: SystemTime, length: Duration) -> Self {
        // At the end of time there is no rest.
        Self { from, until: from.checked_add(length).unwrap_or(from) }
    }

    /// How much of it is left. A clock that was set back to before it began ends it: nobody knows how long it took.
    fn left(&self, now: SystemTime) -> Option<Duration> {
        if now < self.from {
            return None;
        }
        self.until.duration_since(now).ok().filter(|left| !left.is_zero())
    }
}

/// What a request for a token leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The held value is served.
    Serve,
    /// The held value is served, and one call is made in the background.
    ServeAndRefresh,
    /// The request waits for one call.
    Fetch,
    /// The request gets the last error. The credential is asked again after `wait`.
    Refuse { wait: Duration },
}

pub(crate) fn classify(held: Option<&Life>, calls: &Calls, now: SystemTime) -> Decision {
    match (held.map(|life| life.phase(now)), calls.resting(now)) {
        (Some(Phase::Fresh), _) | (Some(Phase::Stale), Some(_)) => Decision::Serve,
        (Some(Phase::Stale), None) => Decision::ServeAndRefresh,
        (Some(Phase::Ended) | None, None) => Decision::Fetch,
        (Some(Phase::Ended) | None, Some(wait)) => Decision::Refuse { wait },
    }
}

/// A token that has come, as far as the rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    /// `None` if it has ended on arrival.
    pub(crate) life: Option<Life>,
    /// Whether it is the held one, letter by letter, or the refused one that the held one took the place of.
    pub(crate) known: bool,
}

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The token takes the place of what was held.
    Taken(Life),
    /// It brings nothing new: the held one stays.
    Kept,
    /// There is none, or none to be served: it had ended when it came, or is the one that just ended.
    Useless,
}

fn receive(held: Option<&Life>, arrived: Arrived, forced: bool, now: SystemTime) -> Arrival {
    let Some(life) = arrived.life else { return Arrival::Useless };
    let later = held.is_none_or(|held| held.ends < life.ends);
    match held {
        // The service refused the held one: another is better even if it ends earlier.
        Some(held) if held.is_served(now) && !arrived.known && (later || forced) => Arrival::Taken(life),
        Some(held) if held.is_served(now) => Arrival::Kept,
        // With a later end it is good again, by the word of who issued it.
        _ if arrived.known && !later => Arrival::Useless,
        _ => Arrival::Taken(life),
    }
}

impl Calls {
    /// A call has ended, with a token or, if `arrived` is `None`, without. `draw` is a number from 0 to 1.
    pub(crate) fn landed(
        &mut self,
        held: Option<&Life>,
        arrived: Option<Arrived>,
        forced: bool,
        now: SystemTime,
        draw: f64,
    ) -> Arrival {
        if forced {
            self.forced = Some(Rest::new(now, FORCED_REST));
        }
        let served = held.filter(|held| held.is_served(now));
        let arrival = arrived.map_or(Arrival::Useless, |arrived| receive(held, arrived, forced, now));
        match arrival {
            Arrival::Taken(_) => *self = Self { succeeded: true, forced: self.forced, ..Self::default() },
            Arrival::Kept if forced => self.settled = true,
            // It says nothing about the value that everybody else is served.
            Arrival::Useless if forced && served.is_some() => {}
            Arrival::Kept | Arrival::Useless => self.failed(served, now, draw),
        }
        arrival
    }

    fn failed(&mut self, served: Option<&Life>, now: SystemTime, draw: f64) {
        let longest = if self.succeeded { LONGEST_REST } else { LONGEST_REST_AT_FIRST };
        // Between half and the whole, so that those who failed together do not come back together.
        let length =
            (FIRST_REST * 2_u32.saturating_pow(self.failures.min(10))).min(longest).mul_f64(0.5 + draw / 2.0);
        self.failures = self.failures.saturating_add(1);
        let mut rest = Rest::new(now, length);
        if let Some(served) = served {
            rest.until = rest.until.min(served.served_until);
        }
        self.rest = Some(rest);
    }

    /// For how long no call is made, after a failure.
    pub(crate) fn resting(&self, now: SystemTime) -> Option<Duration> {
        self.rest.and_then(|rest| rest.left(now))
    }

    /// Whether a refusal of the held value may force a call now.
    pub(crate) fn may_force(&self, now: SystemTime) -> bool {
        !self.settled && self.forced.is_none_or(|rest| rest.left(now).is_none())
    }
}
