//! A service may be quiet for a minute, and no longer; an upload or a download may take as long as it moves.

#![cfg(feature = "client")]

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use crate::wire::{credential, fhir, service};
use azure_healthcare_auth::{Body, ErrorKind, FhirAudience, HealthcareClient};
use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Notify,
    time,
};

/// Lets so much time go by, by the clock of this test's runtime.
async fn pass(time: Duration) {
    time::pause();
    time::advance(time).await;
    time::resume();
}

fn with_idle_timeout(audience: FhirAudience, timeout: Duration) -> HealthcareClient<FhirAudience> {
    HealthcareClient::builder(audience, credential()).idle_timeout(timeout).build().unwrap()
}

/// So many pieces, with 40 s before each.
struct Slowly {
    pieces: usize,
    wait: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl futures_core::Stream for Slowly {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.pieces == 0 {
            return Poll::Ready(None);
        }
        let wait = self.wait.get_or_insert_with(|| Box::pin(pass(Duration::from_secs(40))));
        ready!(wait.as_mut().poll(context));
        self.wait = None;
        self.pieces -= 1;
        Poll::Ready(Some(Ok(Bytes::from_static(b"piece"))))
    }
}

#[tokio::test]
async fn an_upload() {
    let server = service().await;
    let client = HealthcareClient::new(fhir(&server), credential());
    let slowly = || Body::stream(Slowly { pieces: 5, wait: None });
    let response = client.post("Patient").body_stream(slowly).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 1));
    assert_eq!(server.received_requests().await.unwrap()[0].body, b"piece".repeat(5));
}

/// A service that sends this, and the rest when it is told to.
async fn sending(first: &'static [u8], rest: &'static [u8]) -> (FhirAudience, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let told = Arc::new(Notify::new());
    let go_on = told.clone();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4_096]).await.unwrap() > 0);
        stream.write_all(first).await.unwrap();
        go_on.notified().await;
        stream.write_all(rest).await.unwrap();
    });
    (audience, told)
}

#[tokio::test]
async fn a_reader() {
    let (audience, told) = sending(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc", b"def").await;
    let client = HealthcareClient::new(audience, credential());
    let mut response = client.get("Patient").stream().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "abc");
    // What it does with a piece may take longer than the service may be quiet.
    pass(Duration::from_secs(61)).await;
    told.notify_one();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "def");
    assert_eq!(response.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn but_not_where_nothing_moves() {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n";
    for (first, status) in [(&b""[..], None), (HEAD, Some(200))] {
        let (audience, _) = sending(first, b"").await;
        // Time enough for the head of the answer, on a busy machine too.
        let client = with_idle_timeout(audience, Duration::from_millis(500));
        let error = client.post("Patient").send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert!(error.to_string().ends_with("timed out: no progress for 500ms"), "{error}");
        assert_eq!(error.status().map(|status| status.as_u16()), status);
    }
}

#[tokio::test]
async fn nor_where_an_upload_comes_to_a_halt() {
    let (audience, _) = sending(b"", b"").await;
    let client = with_idle_timeout(audience, Duration::from_millis(20));
    let halting = || Body::stream(Slowly { pieces: 1, wait: Some(Box::pin(std::future::pending())) });
    let error = client.post("Patient").body_stream(halting).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn and_an_idle_time_may_be_longer_than_any_clock_runs() {
    let server = service().await;
    let client = with_idle_timeout(fhir(&server), Duration::MAX);
    let response = client.get("Patient").send().await.unwrap();
    assert_eq!(response.bytes(), "{}");
}
