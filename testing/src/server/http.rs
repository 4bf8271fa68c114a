//! [`serve`]: the HTTP/1.1 server of the fake services, on loopback.

use std::{
    fmt, io,
    net::TcpListener,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{sync::oneshot, time::sleep};

use super::pipeline::{Pipeline, Reply};
use crate::loopback;

/// More header lines than [`limits`](super::limits) allows, so that the pipeline can record and reject the request.
const MAX_HEADERS: usize = 1_000;

/// Listens on a free port and returns the listener and its origin.
///
/// The operating system queues connections until [`serve`] accepts them.
pub(super) fn listen() -> io::Result<(TcpListener, String)> {
    let listener = loopback::listen()?;
    let origin = format!("http://{}", listener.local_addr()?);
    Ok((listener, origin))
}

/// Serves all services on one thread until the returned sender is dropped.
pub(super) fn serve(services: Vec<(TcpListener, Pipeline)>) -> io::Result<oneshot::Sender<()>> {
    loopback::run("fake-server", services, |listener, service| accept(listener, Arc::new(service)))
}

async fn accept(listener: tokio::net::TcpListener, service: Arc<Pipeline>) {
    loop {
        let stream = loopback::accept(&listener).await;
        let service = service.clone();
        let handler = service_fn(move |request| respond(service.clone(), request));
        tokio::spawn(async move {
            // The client sees a connection error too.
            let mut server = http1::Builder::new();
            let _ = server.max_headers(MAX_HEADERS).serve_connection(TokioIo::new(stream), handler).await;
        });
    }
}

async fn respond(
    service: Arc<Pipeline>,
    request: http::Request<Incoming>,
) -> Result<Response<FakeBody>, CloseConnection> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| CloseConnection)?.to_bytes();
    let Reply { response, delay, truncated } = service.respond(head, body).await;
    if !delay.is_zero() {
        sleep(delay).await;
    }
    // A response without a body has nothing to truncate, so none of it is sent.
    if truncated && response.body().is_empty() {
        return Err(CloseConnection);
    }
    Ok(response.map(|body| FakeBody::new(body, truncated)))
}

/// A response body that is either complete or truncated.
struct FakeBody {
    body: Option<Bytes>,
    /// The value of `Content-Length`.
    length: usize,
    truncated: bool,
    flushed: bool,
}

impl FakeBody {
    fn new(mut body: Bytes, truncated: bool) -> Self {
        let length = body.len();
        if truncated {
            body.truncate(length / 2);
        }
        Self { body: Some(body), length, truncated, flushed: false }
    }
}

impl Body for FakeBody {
    type Data = Bytes;
    type Error = CloseConnection;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CloseConnection>>> {
        if let Some(body) = self.body.take() {
            return Poll::Ready(Some(Ok(Frame::data(body))));
        }
        if !self.truncated {
            return Poll::Ready(None);
        }
        // An error makes `hyper` close the connection and discard unwritten data. Yielding once lets it write the data
        // first.
        if !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(CloseConnection)))
    }

    fn is_end_stream(&self) -> bool {
        !self.truncated && self.body.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.length).unwrap_or(u64::MAX))
    }
}

/// An error that makes `hyper` close the connection.
#[derive(Debug)]
struct CloseConnection;

impl fmt::Display for CloseConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was closed on purpose")
    }
}

impl std::error::Error for CloseConnection {}
