//! [`Incoming`]: an answer's body as it comes, and whether it is all there.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http::{Method, StatusCode};
use tokio::{
    runtime::Handle,
    time::{Sleep, sleep},
};

use super::failure::Broken;

pub(super) struct Incoming {
    pieces: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    /// How many bytes are still to come, where the answer has said how long it is.
    missing: Option<u64>,
    idle: Duration,
    /// Runs while a piece is waited for, and not while a slow reader is busy with the one before.
    silence: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    pub(super) fn new(method: &Method, response: reqwest::Response, idle: Duration) -> Self {
        // RFC 9110 section 8.6: these tell a length and have no body.
        let bodiless = *method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED;
        let missing = response.content_length().filter(|_| !bodiless);
        Self { pieces: Box::pin(response.bytes_stream()), missing, idle, silence: None }
    }

    pub(super) fn missing(&self) -> Option<u64> {
        self.missing
    }

    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Broken> {
        poll_fn(|context| self.poll_piece(context)).await.transpose()
    }

    pub(super) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        let Poll::Ready(piece) = self.pieces.as_mut().poll_next(context) else {
            // A reader without a runtime waits as long as it likes.
            if self.silence.is_none() && Handle::try_current().is_ok() {
                self.silence = Some(Box::pin(sleep(self.idle)));
            }
            let Some(silence) = &mut self.silence else { return Poll::Pending };
            ready!(silence.as_mut().poll(context));
            return Poll::Ready(Some(Err(Broken::Quiet(self.idle))));
        };
        self.silence = None;
        match piece {
            Some(Ok(bytes)) => {
                self.missing = self.missing.map(|missing| missing.saturating_sub(bytes.len() as u64));
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error.into()))),
            // Over HTTP/2 a stream that is reset without an error looks like one that has ended.
            None if self.missing.is_some_and(|missing| missing > 0) => Poll::Ready(Some(Err(Broken::Short))),
            None => Poll::Ready(None),
        }
    }
}
