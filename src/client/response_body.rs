//! [`ResponseBody`]: a response body that is still being received.

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

use super::failure::TransportFailure;

/// Reading it fails if the body is incomplete, or if there is no progress for the idle timeout.
pub(super) struct ResponseBody {
    chunks: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    /// The number of bytes still to be received, if the response has a `Content-Length`.
    remaining: Option<u64>,
    idle_timeout: Duration,
    /// Runs only while a chunk is awaited, so that a slow reader does not cause a timeout.
    idle_timer: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    pub(super) fn new(method: &Method, response: reqwest::Response, idle_timeout: Duration) -> Self {
        // RFC 9110 section 8.6: these responses may have a `Content-Length`, but have no body.
        let has_no_body = *method == Method::HEAD || response.status() == StatusCode::NOT_MODIFIED;
        let remaining = response.content_length().filter(|_| !has_no_body);
        Self { chunks: Box::pin(response.bytes_stream()), remaining, idle_timeout, idle_timer: None }
    }

    pub(super) fn remaining(&self) -> Option<u64> {
        self.remaining
    }

    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, TransportFailure> {
        poll_fn(|context| self.poll_chunk(context)).await.transpose()
    }

    pub(super) fn poll_chunk(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, TransportFailure>>> {
        let Poll::Ready(chunk) = self.chunks.as_mut().poll_next(context) else {
            // A timer needs a runtime. Without one, the reader has no timeout.
            if self.idle_timer.is_none() && Handle::try_current().is_ok() {
                self.idle_timer = Some(Box::pin(sleep(self.idle_timeout)));
            }
            let Some(timer) = &mut self.idle_timer else { return Poll::Pending };
            ready!(timer.as_mut().poll(context));
            return Poll::Ready(Some(Err(TransportFailure::IdleTimeout(self.idle_timeout))));
        };
        self.idle_timer = None;
        match chunk {
            Some(Ok(bytes)) => {
                self.remaining = self.remaining.map(|remaining| remaining.saturating_sub(bytes.len() as u64));
                Poll::Ready(Some(Ok(bytes)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(error.into()))),
            // Over HTTP/2, a stream that is reset with NO_ERROR looks like one that ended.
            None if self.remaining.is_some_and(|remaining| remaining > 0) => {
                Poll::Ready(Some(Err(TransportFailure::Truncated)))
            }
            None => Poll::Ready(None),
        }
    }
}
