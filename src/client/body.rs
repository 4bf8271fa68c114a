//! [`Body`]: what is sent, whole or as a stream.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::Instant;

/// A body that is made anew for each send: see [`RequestBuilder::body_stream`](crate::RequestBuilder::body_stream).
///
/// `Debug` shows nothing of its content.
///
/// A file, as the one part of what a DICOM service stores; it is read while it is sent, and never held in memory:
///
/// ```
/// use azure_healthcare_auth::Body;
/// use bytes::Bytes;
/// use futures_util::{StreamExt, TryStreamExt, stream};
/// use std::path::PathBuf;
/// use tokio::fs::File;
/// use tokio_util::io::ReaderStream;
/// # use azure_healthcare_auth::{DicomAudience, HealthcareClient, testing::FakeCredential};
/// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};
///
/// /// One file. Its content must not hold the boundary, so it is a number that nobody else would draw.
/// fn multipart(file: PathBuf) -> Body {
///     let text = |text: &'static str| stream::iter([Ok(Bytes::from(text))]);
///     let content = stream::once(File::open(file)).map_ok(ReaderStream::new).try_flatten();
///     let head = text("--e5f1c8a02b7d4963\r\nContent-Type: application/dicom\r\n\r\n");
///     Body::stream(head.chain(content).chain(text("\r\n--e5f1c8a02b7d4963--\r\n")))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let server = MockServer::start().await;
/// # Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
/// # let audience: DicomAudience = server.uri().parse()?;
/// # let dicom = HealthcareClient::new(audience, std::sync::Arc::new(FakeCredential::new()));
/// # let file = PathBuf::from("Cargo.toml");
/// let stored = dicom
///     .post("studies")
///     .header("content-type", "multipart/related; type=\"application/dicom\"; boundary=e5f1c8a02b7d4963")
///     .body_stream(move || multipart(file.clone()))
///     .send()
///     .await?;
/// assert_eq!(stored.status(), 200);
/// # let body = &server.received_requests().await.unwrap()[0].body;
/// # assert!(body.starts_with(b"--e5f1c8a02b7d4963\r\n") && body.ends_with(b"\r\n--e5f1c8a02b7d4963--\r\n") && body.len() > 1_000);
/// # Ok(()) }
/// ```
pub struct Body {
    content: reqwest::Body,
    flow: Option<Flow>,
}

impl Body {
    /// A body that is sent piece by piece, in chunks as they come.
    ///
    /// It may take as long as it needs, as long as a piece is taken within each
    /// [idle time](crate::HealthcareClientBuilder::idle_timeout): a body that is given whole has to be sent in that time.
    ///
    /// An error in the stream breaks the request off, and it is not repeated. What the error says goes nowhere: it may
    /// be about a patient.
    pub fn stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    {
        let flow = Flow::default();
        let muted = Muted { stream: Box::pin(stream), flow: flow.clone() };
        Self { content: reqwest::Body::wrap_stream(muted), flow: Some(flow) }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self { content: reqwest::Body::from(bytes.into()), flow: None }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

/// In place of whatever error the caller's stream gave: it can be told from one of the connection, and says nothing.
#[derive(Debug, thiserror::Error)]
#[error("the body that was given broke off")]
pub(super) struct BrokeOff;

/// How far a streamed body has come, for whoever sends it.
#[derive(Clone)]
pub(super) struct Flow(Arc<Mutex<Progress>>);

struct Progress {
    moved: Instant,
    /// Over HTTP/2 the error of a request does not say that its body was the reason.
    broke_off: bool,
}

impl Flow {
    /// How long ago the last piece was taken.
    pub(super) fn still_for(&self) -> Duration {
        self.with(|progress| progress.moved.elapsed())
    }

    pub(super) fn broke_off(&self) -> bool {
        self.with(|progress| progress.broke_off)
    }

    fn with<T>(&self, look: impl FnOnce(&mut Progress) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Flow {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Progress { moved: Instant::now(), broke_off: false })))
    }
}

struct Muted<S> {
    stream: Pin<Box<S>>,
    flow: Flow,
}

impl<S, E> Stream for Muted<S>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    type Item = Result<Bytes, BrokeOff>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = ready!(self.stream.as_mut().poll_next(context));
        self.flow.with(|progress| {
            progress.moved = Instant::now();
            progress.broke_off |= matches!(piece, Some(Err(_)));
        });
        Poll::Ready(piece.map(|piece| piece.map_err(|_| BrokeOff)))
    }
}

/// Makes the body of each send.
#[derive(Clone, Default)]
pub(super) enum Content {
    #[default]
    None,
    Whole(Bytes),
    Made(Arc<dyn Fn() -> Body + Send + Sync>),
}

impl Content {
    pub(super) fn body(&self) -> (Option<reqwest::Body>, Option<Flow>) {
        match self {
            Self::None => (None, None),
            Self::Whole(bytes) => (Some(bytes.clone().into()), None),
            Self::Made(make) => {
                let Body { content, flow } = make();
                (Some(content), flow)
            }
        }
    }
}
