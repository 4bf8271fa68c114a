//! The idle timeout ends requests that make no progress, and does not limit uploads and downloads that do.

#![cfg(feature = "client")]

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use azure_healthcare_auth::{Body, ErrorKind, FhirAudience, HealthcareClient};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Notify,
    time,
};

use crate::wire::{credential, fhir, service};

/// Advances the clock of the runtime.
async fn advance(time: Duration) {
    time::pause();
    time::advance(time).await;
    time::resume();
}

fn with_idle_timeout(audience: FhirAudience, timeout: Duration) -> HealthcareClient<FhirAudience> {
    HealthcareClient::builder(audience, credential()).idle_timeout(timeout).build().unwrap()
}

/// A stream of chunks with 40 s before each.
struct SlowStream {
    chunks: usize,
    wait: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl futures_core::Stream for SlowStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.chunks == 0 {
            return Poll::Ready(None);
        }
        let wait = self.wait.get_or_insert_with(|| Box::pin(advance(Duration::from_secs(40))));
        ready!(wait.as_mut().poll(context));
        self.wait = None;
        self.chunks -= 1;
        Poll::Ready(Some(Ok(Bytes::from_static(b"chunk"))))
    }
}

#[tokio::test]
async fn upload_that_makes_progress_has_no_time_limit() {
    let server = service().await;
    let client = HealthcareClient::new(fhir(&server), credential());
    let slow = || Body::stream(SlowStream { chunks: 5, wait: None });
    let response = client.post("Patient").body_stream(slow).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 1));
    assert_eq!(server.received_requests().await.unwrap()[0].body, b"chunk".repeat(5));
}

/// Starts a service that sends `first`, and sends `rest` when it is notified.
async fn sending(first: &'static [u8], rest: &'static [u8]) -> (FhirAudience, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let notify = Arc::new(Notify::new());
    let notified = notify.clone();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4_096]).await.unwrap() > 0);
        stream.write_all(first).await.unwrap();
        notified.notified().await;
        stream.write_all(rest).await.unwrap();
    });
    (audience, notify)
}

#[tokio::test]
async fn slow_reader_does_not_trigger_the_idle_timeout() {
    let (audience, notify) = sending(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc", b"def").await;
    let client = HealthcareClient::new(audience, credential());
    let mut response = client.get("Patient").stream().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "abc");
    // The reader takes longer to process a chunk than the idle timeout.
    advance(Duration::from_secs(61)).await;
    notify.notify_one();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "def");
    assert_eq!(response.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn response_without_progress_times_out() {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n";
    for (first, status) in [(&b""[..], None), (HEAD, Some(200))] {
        let (audience, _) = sending(first, b"").await;
        // Long enough for the response head on a busy machine.
        let client = with_idle_timeout(audience, Duration::from_millis(500));
        let error = client.post("Patient").send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.to_string().ends_with("timed out: no progress for 500ms"), "{error}");
        assert_eq!(error.status().map(|status| status.as_u16()), status);
    }
}

#[tokio::test]
async fn stalled_upload_times_out() {
    let (audience, _) = sending(b"", b"").await;
    let client = with_idle_timeout(audience, Duration::from_millis(20));
    let stalled = || Body::stream(SlowStream { chunks: 1, wait: Some(Box::pin(std::future::pending())) });
    let error = client.post("Patient").body_stream(stalled).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn largest_idle_timeout_does_not_overflow() {
    let server = service().await;
    let client = with_idle_timeout(fhir(&server), Duration::MAX);
    let response = client.get("Patient").send().await.unwrap();
    assert_eq!(response.bytes(), "{}");
}
