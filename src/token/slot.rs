//! [`Slot`]: the token of one scope, as readers see it.

mod fetch;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use tokio::runtime::Handle;
use tracing::Span;

use super::{
    fetched::Fetched,
    gate::{Flight, Gate, Inner},
    source::Caller,
    state::{self, Arrival, Arrived, Decision, Life, Phase},
};
use crate::{Error, ErrorKind, Result, clock::draw};
use fetch::{Landing, Wait};

/// Readers load what is held and go; only one that finds it not fresh looks at the gate.
pub(crate) struct Slot {
    scope: Box<str>,
    caller: Arc<Caller>,
    held: ArcSwapOption<Held>,
    gate: Gate,
}

#[derive(Debug)]
struct Held {
    value: HeaderValue,
    life: Life,
    /// The refused value that this one, or one before it, took the place of. A credential may hand it out again.
    refused: Option<HeaderValue>,
}

impl Slot {
    pub(super) fn new(scope: &str, caller: Arc<Caller>) -> Self {
        Self { scope: scope.into(), caller, held: ArcSwapOption::empty(), gate: Gate::default() }
    }

    /// The end of the token that is held.
    pub(crate) fn expires_on(&self) -> Option<SystemTime> {
        self.held.load().as_ref().map(|held| held.life.ends)
    }

    /// A value that can be sent. Waits only where none is held, or the one that is has ended.
    pub(crate) async fn authorization(self: &Arc<Self>) -> Result<HeaderValue> {
        match self.fresh() {
            Some(value) => Ok(value),
            // Boxed, so that the future of a hit stays small.
            None => Box::pin(self.admitted()).await,
        }
    }

    /// The held value, if it is to be left alone: all that most requests need.
    #[inline]
    pub(crate) fn fresh(&self) -> Option<HeaderValue> {
        let held = self.held.load();
        let fresh = held.as_ref().filter(|held| held.life.phase(self.caller.clock.now()) == Phase::Fresh);
        fresh.map(|held| held.value.clone())
    }

    async fn admitted(self: &Arc<Self>) -> Result<HeaderValue> {
        loop {
            let wait = match self.check_url()? {
                Admission::Served(value) => return Ok(value),
                Admission::Waits(wait) => wait,
            };
            if let Some(outcome) = wait.landed().await? {
                return outcome;
            }
        }
    }

    /// Another value than the one that the service refused, or `None` where there is none to be had.
    pub(crate) async fn refresh_rejected(
        self: &Arc<Self>,
        refused: &HeaderValue,
    ) -> Result<Option<HeaderValue>> {
        loop {
            let wait = match self.force(refused)? {
                Renewal::Other(value) => return Ok(Some(value)),
                Renewal::Nothing => return Ok(None),
                Renewal::Ended => {
                    let value = self.authorization().await?;
                    return Ok(Some(value).filter(|value| value != refused));
                }
                Renewal::Waits(wait) => wait,
            };
            let forced = wait.force_refresh();
            match wait.landed().await? {
                Some(Ok(value)) if value != *refused => return Ok(Some(value)),
                Some(_) if forced => return Ok(None),
                // An ordinary refresh brought nothing, or its runtime is gone: look again.
                Some(_) | None => {}
            }
        }
    }

    /// Decides under the gate's lock, so that of all who come at once one starts a fetch.
    fn check_url(self: &Arc<Self>) -> Result<Admission> {
        let mut gate = self.gate.lock();
        // Looked at again: a fetch may have landed on the way to the lock. To a time before that landing its failure
        // would lie in the future, and hold nobody back.
        let now = self.caller.clock.now();
        let held = self.held.load();
        let decision = state::classify(held.as_ref().map(|held| &held.life), &gate.calls, now);
        match (&*held, decision) {
            (Some(held), Decision::Serve) => Ok(Admission::Served(held.value.clone())),
            (Some(held), Decision::ServeAndRefresh) => {
                // Outside a runtime nothing can be started, and a value that is served needs nothing.
                if gate.flight.is_none()
                    && let Ok(wait) = self.start(&mut gate, false)
                {
                    drop(gate);
                    // In no request's span: that would stay open for longer than its request takes.
                    wait.depart(Span::none());
                }
                Ok(Admission::Served(held.value.clone()))
            }
            (_, Decision::Refuse { wait }) if gate.flight.is_none() => Err(gate.refusal(wait)),
            _ => match &gate.flight {
                Some(flight) => Ok(Admission::Waits(Wait::join(flight))),
                None => self.start(&mut gate, false).map(Admission::Waits),
            },
        }
    }

    /// Decides under the gate's lock, so that of all who saw the same refusal one starts a fetch.
    fn force(self: &Arc<Self>, refused: &HeaderValue) -> Result<Renewal> {
        let mut gate = self.gate.lock();
        let now = self.caller.clock.now();
        let held = self.held.load();
        let Some(held) = held.as_ref().filter(|held| held.life.phase(now) != Phase::Ended) else {
            return Ok(Renewal::Ended);
        };
        if held.value != *refused {
            return Ok(Renewal::Other(held.value.clone()));
        }
        if let Some(flight) = &gate.flight {
            return Ok(Renewal::Waits(Wait::join(flight)));
        }
        if !gate.calls.may_force(now) {
            return Ok(Renewal::Nothing);
        }
        self.start(&mut gate, true).map(Renewal::Waits)
    }

    /// Prepares a fetch that nobody who waits for it can cancel. It begins when the wait does, after the gate is left:
    /// a runtime that is shutting down drops a task at once, and its [`Landing`] then needs the gate.
    fn start(self: &Arc<Self>, gate: &mut Inner, forced: bool) -> Result<Wait> {
        let runtime = Handle::try_current().map_err(|_| {
            let message =
                "a token has to be fetched, and there is no Tokio runtime here: call it from within one";
            Error::new(ErrorKind::NoRuntime, message)
        })?;
        let (pilot, flight) = Flight::new(forced);
        gate.flight = Some(flight.clone());
        Ok(Wait::of(flight, runtime, Landing::new(self.clone(), pilot, forced)))
    }

    /// Takes a token in, or the reason why there is none. What it returns is told to all who wait.
    fn take(
        &self,
        gate: &mut Inner,
        fetched: Result<Fetched>,
        forced: bool,
    ) -> (Arrival, Result<HeaderValue>) {
        let (now, draw) = (self.caller.clock.now(), draw());
        let held = self.held.load_full();
        let life_held = held.as_deref().map(|held| &held.life);
        let known = |held: &Arc<Held>, value| held.value == value || held.refused.as_ref() == Some(value);
        let arrived = fetched.as_ref().ok().map(|fetched| Arrived {
            life: Life::new(now, fetched.ends, draw),
            known: held.as_ref().is_some_and(|held| known(held, &fetched.value)),
        });
        let arrival = gate.calls.landed(life_held, arrived, forced, now, draw);
        let error = match (arrival, fetched, held) {
            (Arrival::Taken(life), Ok(Fetched { value, .. }), held) => {
                let refused = held.and_then(|held| match forced {
                    true => Some(held.value.clone()),
                    false => held.refused.clone(),
                });
                self.held.store(Some(Arc::new(Held { value: value.clone(), life, refused })));
                gate.error = None;
                return (arrival, Ok(value));
            }
            (Arrival::Kept, Ok(_), Some(held)) => return (arrival, Ok(held.value.clone())),
            (_, Ok(fetched), _) => fetched.ended(&self.scope, now),
            (_, Err(error), _) => error,
        };
        gate.error = Some(error.clone());
        (arrival, Err(error.with_retry_after(gate.calls.resting(now))))
    }

    fn log(&self, arrival: Arrival, told: &Result<HeaderValue>) {
        match told {
            Ok(_) if arrival == Arrival::Kept => {
                tracing::debug!(scope = %self.scope, "the credential gave no newer token");
            }
            Ok(_) => tracing::debug!(scope = %self.scope, seconds = self.seconds_left(), "token received"),
            Err(error) => tracing::warn!(scope = %self.scope, %error, "no token"),
        }
    }

    fn seconds_left(&self) -> u64 {
        let left = self.expires_on().and_then(|ends| ends.duration_since(self.caller.clock.now()).ok());
        left.unwrap_or_default().as_secs()
    }
}

/// What a request gets from [`Slot::check_url`].
enum Admission {
    Served(HeaderValue),
    Waits(Wait),
}

/// What a request gets from [`Slot::force`].
enum Renewal {
    Other(HeaderValue),
    Waits(Wait),
    /// No value is held: an ordinary fetch is due.
    Ended,
    Nothing,
}

impl Inner {
    fn refusal(&self, wait: Duration) -> Error {
        let error = self.error.clone();
        error.unwrap_or_else(|| Error::new(ErrorKind::Credential, "no token")).with_retry_after(Some(wait))
    }
}
