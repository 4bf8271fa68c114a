//! [`Gate`]: at most one fetch at a time, whose outcome everybody who waits for it shares.

use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use tokio::sync::watch;

use super::state::Calls;
use crate::{Error, Result};

/// What is known of the calls, and the one in flight. Locked for a moment, never across a wait.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Inner>);

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) calls: Calls,
    /// The error of the last call that brought nothing, for those who ask before the next.
    pub(super) error: Option<Error>,
    pub(super) flight: Option<Flight>,
}

impl Gate {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that runs under the lock can leave it half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fetch in flight, for those who wait for it.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) forced: bool,
    outcome: watch::Receiver<Option<Result<HeaderValue>>>,
}

/// The end of a [`Flight`] at which its outcome is told.
#[derive(Debug)]
pub(super) struct Pilot(watch::Sender<Option<Result<HeaderValue>>>);

impl Flight {
    pub(super) fn new(forced: bool) -> (Pilot, Self) {
        let (sender, outcome) = watch::channel(None);
        (Pilot(sender), Self { forced, outcome })
    }

    /// The outcome. `None` if there will be none: the runtime that fetched is gone.
    pub(super) async fn landed(mut self) -> Option<Result<HeaderValue>> {
        match self.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => (*outcome).clone(),
            Err(_) => None,
        }
    }
}

impl Pilot {
    pub(super) fn tell(self, outcome: Result<HeaderValue>) {
        // Nobody may be waiting: a refresh in the background.
        let _ = self.0.send(Some(outcome));
    }
}
