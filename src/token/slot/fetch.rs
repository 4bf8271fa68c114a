//! A fetch for a slot: who waits for it, and how it ends.

use std::sync::Arc;

use azure_core::credentials::AccessToken;
use http::HeaderValue;
use tokio::runtime::Handle;
use tracing::{Instrument as _, Span};

use super::Slot;
use crate::{
    Error, ErrorKind, Result,
    token::{
        fetched::Fetched,
        gate::{Flight, Pilot},
    },
};

/// A wait for a fetch, which begins with the fetch itself for the one who starts it.
pub(super) struct Wait {
    flight: Flight,
    departure: Option<(Handle, Landing)>,
}

impl Wait {
    /// For a fetch that somebody else began.
    pub(super) fn join(flight: &Flight) -> Self {
        Self { flight: flight.clone(), departure: None }
    }

    /// For a fetch that is still to begin, on this runtime.
    pub(super) fn of(flight: Flight, runtime: Handle, landing: Landing) -> Self {
        Self { flight, departure: Some((runtime, landing)) }
    }

    pub(super) fn force_refresh(&self) -> bool {
        self.flight.forced
    }

    /// Sends the fetch off, if it is still to begin. What it traces is in this span.
    pub(super) fn depart(self, span: Span) -> Flight {
        if let Some((runtime, mut landing)) = self.departure {
            let fetch = async move {
                let outcome = landing.slot.caller.call(&landing.slot.scope, landing.forced).await;
                landing.land(outcome);
            };
            runtime.spawn(fetch.instrument(span));
        }
        self.flight
    }

    /// The outcome, or `None` if the runtime of somebody else's fetch is gone and it has to be begun again.
    pub(super) async fn landed(self) -> Result<Option<Result<HeaderValue>>> {
        let ours = self.departure.is_some();
        match self.depart(Span::current()).landed().await {
            // To try again on a runtime that is shutting down would never end.
            None if ours => {
                Err(Error::new(ErrorKind::NoRuntime, "the runtime shut down while it fetched a token"))
            }
            outcome => Ok(outcome),
        }
    }
}

/// Ends a fetch, however it ends: with an outcome, or dropped with its runtime.
pub(super) struct Landing {
    slot: Arc<Slot>,
    pilot: Option<Pilot>,
    forced: bool,
}

impl Landing {
    pub(super) fn new(slot: Arc<Slot>, pilot: Pilot, forced: bool) -> Self {
        Self { slot, pilot: Some(pilot), forced }
    }

    fn land(&mut self, outcome: Result<AccessToken>) {
        let Some(pilot) = self.pilot.take() else { return };
        let fetched = outcome.and_then(|token| Fetched::new(&token));
        let (arrival, told) = {
            let mut gate = self.slot.gate.lock();
            // In one step with what is held: nobody finds the old value and no fetch in flight.
            gate.flight = None;
            self.slot.take(&mut gate, fetched, self.forced)
        };
        pilot.tell(told.clone());
        // Not before, and not under the lock: what collects events may be slow, or need a token itself.
        self.slot.log(arrival, &told);
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if self.pilot.is_some() {
            // Those who wait find the channel closed and begin again, on their own runtime.
            self.slot.gate.lock().flight = None;
        }
    }
}
