//! [`InFlight`]: the one fetch of a scope that is running, and its result for all waiters.

use http::HeaderValue;
use tokio::sync::watch;

use crate::Result;

/// The waiters' side of a running fetch.
#[derive(Clone, Debug)]
pub(super) struct InFlight {
    /// `true` for a forced refresh.
    pub(super) forced: bool,
    result: watch::Receiver<Option<Result<HeaderValue>>>,
}

/// The fetching side of an [`InFlight`].
#[derive(Debug)]
pub(super) struct FetchCompleter(watch::Sender<Option<Result<HeaderValue>>>);

impl InFlight {
    pub(super) fn new(forced: bool) -> (FetchCompleter, Self) {
        let (sender, result) = watch::channel(None);
        (FetchCompleter(sender), Self { forced, result })
    }

    /// Waits for the result. Returns `None` if the fetch was dropped with its runtime.
    pub(super) async fn wait(mut self) -> Option<Result<HeaderValue>> {
        match self.result.wait_for(Option::is_some).await {
            Ok(result) => (*result).clone(),
            Err(_) => None,
        }
    }
}

impl FetchCompleter {
    pub(super) fn complete(self, result: Result<HeaderValue>) {
        // Sending fails without receivers: a background refresh can have no waiters.
        let _ = self.0.send(Some(result));
    }
}
