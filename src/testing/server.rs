//! [`serve`]: the wire between a desk and those who ask, HTTP/1.1 on loopback.

use std::{
    fmt, io,
    net::{Ipv4Addr, TcpListener},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    thread,
};

use bytes::Bytes;
use http::Response;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{runtime::Builder, sync::oneshot, time::sleep};
use url::Url;
use wiremock::Request;

use super::{answer::Answer, desk::Desk};

/// A port that is free, and its origin. Who connects from now on is kept waiting until it is served.
pub(super) fn listen() -> io::Result<(TcpListener, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let origin = format!("http://{}", listener.local_addr()?);
    Ok((listener, origin))
}

/// Serves all desks on one thread, until what is returned is dropped.
///
/// The thread has a runtime of its own: that of a test may be gone, blocked, or have its clock paused.
pub(super) fn serve(desks: [(TcpListener, Desk); 2]) -> io::Result<oneshot::Sender<()>> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    for (listener, desk) in desks {
        let _inside = runtime.enter();
        runtime.spawn(accept(tokio::net::TcpListener::from_std(listener)?, Arc::new(desk)));
    }
    let (stop, stopped) = oneshot::channel::<()>();
    thread::Builder::new().name("stand-in".to_owned()).spawn(move || {
        // An error is what the end of the sender looks like.
        let _ = runtime.block_on(stopped);
    })?;
    Ok(stop)
}

async fn accept(listener: tokio::net::TcpListener, desk: Arc<Desk>) {
    while let Ok((stream, _)) = listener.accept().await {
        let desk = desk.clone();
        let service = service_fn(move |request| answer(desk.clone(), request));
        tokio::spawn(async move {
            // A connection that breaks is noticed at its other end.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(desk: Arc<Desk>, request: http::Request<Incoming>) -> Result<Response<Sent>, Cut> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let url = Url::parse(&format!("{}{target}", desk.origin)).map_err(|_| Cut)?;
    let request = Request { url, method: head.method, headers: head.headers, body: body.into() };
    let answer = desk.answer_and_record(request);
    if !answer.delay.is_zero() {
        sleep(answer.delay).await;
    }
    // Of an answer without a body nothing is left to cut but the whole.
    if answer.cut && answer.body.is_empty() {
        return Err(Cut);
    }
    Ok(answer.into_response())
}

impl Answer {
    fn into_response(self) -> Response<Sent> {
        let mut body = Bytes::from(self.body);
        let length = body.len();
        if self.cut {
            body.truncate(length / 2);
        }
        let mut response = Response::new(Sent { body: Some(body), length, cut: self.cut, held_back: false });
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// A body on its way: whole, or one that breaks off.
struct Sent {
    body: Option<Bytes>,
    /// The length that is told.
    length: usize,
    cut: bool,
    held_back: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(body) = self.body.take() {
            return Poll::Ready(Some(Ok(Frame::data(body))));
        }
        if !self.cut {
            return Poll::Ready(None);
        }
        // An error closes the connection with what is not yet written. The pause has it written first.
        if !self.held_back {
            self.held_back = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(Cut)))
    }

    fn is_end_stream(&self) -> bool {
        !self.cut && self.body.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.length).unwrap_or(u64::MAX))
    }
}

/// Makes `hyper` close the connection.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is cut")
    }
}

impl std::error::Error for Cut {}
