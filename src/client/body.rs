//! [`Body`]: a request body, from memory or from a stream.

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

/// The body of one attempt to send a request.
///
/// Created by the closure that is passed to [`RequestBuilder::body_stream`](crate::RequestBuilder::body_stream), which
/// the client calls again for each attempt. `Debug` shows nothing of the content.
///
/// # Examples
///
/// Uploading a DICOM file as the only part of a multipart body, without reading the whole file into memory:
///
/// ```
/// use azure_healthcare_auth::Body;
/// use bytes::Bytes;
/// use futures_util::{StreamExt, TryStreamExt, stream};
/// use std::path::PathBuf;
/// use tokio::fs::File;
/// use tokio_util::io::ReaderStream;
/// # use azure_healthcare_auth::{DicomAudience, HealthcareClient};
/// # use azure_healthcare_auth_testing::FakeCredential;
/// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};
///
/// // The boundary is a random number, because it must not occur in the file.
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
    progress: Option<UploadProgress>,
}

impl Body {
    /// Creates a body that is sent chunk by chunk.
    ///
    /// The upload may take any time, provided that a chunk is sent within each
    /// [idle timeout](crate::HealthcareClientBuilder::idle_timeout). A body from memory has to be sent completely within
    /// that timeout.
    ///
    /// If the stream yields an error, the request fails with [`ErrorKind::Body`](crate::ErrorKind::Body) and is not
    /// retried. The stream's error is dropped, because its text may contain patient data.
    pub fn stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
    {
        let progress = UploadProgress::default();
        let stream = TrackedStream { stream: Box::pin(stream), progress: progress.clone() };
        Self { content: reqwest::Body::wrap_stream(stream), progress: Some(progress) }
    }
}

macro_rules! from_buffer {
    ($($buffer:ty),*) => {$(
        impl From<$buffer> for Body {
            fn from(buffer: $buffer) -> Self {
                Self { content: buffer.into(), progress: None }
            }
        }
    )*};
}

from_buffer!(Bytes, Vec<u8>, String, &'static str, &'static [u8]);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

/// Replaces an error of the caller's stream. It can be recognized in the error chain, and contains no patient data.
#[derive(Debug, thiserror::Error)]
#[error("the request body stream failed")]
pub(super) struct BodyStreamError;

/// The progress of an upload, shared by the stream and the task that waits for the response.
#[derive(Clone)]
pub(super) struct UploadProgress(Arc<Mutex<UploadState>>);

struct UploadState {
    last_chunk: Instant,
    /// Over HTTP/2, a request's error does not show that its body was the cause.
    failed: bool,
}

impl UploadProgress {
    /// Returns the time since the last chunk was taken from the stream.
    pub(super) fn idle_time(&self) -> Duration {
        self.with(|state| state.last_chunk.elapsed())
    }

    /// Returns `true` if the stream yielded an error.
    pub(super) fn has_failed(&self) -> bool {
        self.with(|state| state.failed)
    }

    fn with<T>(&self, access: impl FnOnce(&mut UploadState) -> T) -> T {
        access(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for UploadProgress {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(UploadState { last_chunk: Instant::now(), failed: false })))
    }
}

struct TrackedStream<S> {
    stream: Pin<Box<S>>,
    progress: UploadProgress,
}

impl<S, E> Stream for TrackedStream<S>
where
    S: Stream<Item = Result<Bytes, E>>,
{
    type Item = Result<Bytes, BodyStreamError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = ready!(self.stream.as_mut().poll_next(context));
        self.progress.with(|state| {
            state.last_chunk = Instant::now();
            state.failed |= matches!(chunk, Some(Err(_)));
        });
        Poll::Ready(chunk.map(|chunk| chunk.map_err(|_| BodyStreamError)))
    }
}

/// The body of a request, from which the body of each attempt is made.
#[derive(Clone, Default)]
pub(super) enum RequestBody {
    #[default]
    Empty,
    Buffered(Bytes),
    Streamed(Arc<dyn Fn() -> Body + Send + Sync>),
}

impl RequestBody {
    pub(super) fn for_attempt(&self) -> (Option<reqwest::Body>, Option<UploadProgress>) {
        match self {
            Self::Empty => (None, None),
            Self::Buffered(bytes) => (Some(bytes.clone().into()), None),
            Self::Streamed(make_body) => {
                let Body { content, progress } = make_body();
                (Some(content), progress)
            }
        }
    }
}
