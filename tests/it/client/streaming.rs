//! Streamed responses: a truncated body is an error and never looks like the end.

#![cfg(feature = "client")]

use std::{future::poll_fn, pin::Pin, sync::atomic::Ordering};

use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient};
use futures_core::Stream as _;
use http::Method;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use wiremock::ResponseTemplate;

use crate::wire::{
    COMPLETE, TRUNCATED, credential, fhir,
    http2::{self, DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM},
    responding, responding_raw,
};

#[tokio::test]
async fn complete_stream_ends_with_none() {
    let (audience, _) = responding_raw(|_| COMPLETE).await;
    let mut response = HealthcareClient::new(audience, credential()).get("Patient").stream().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "{}");
    assert_eq!(response.chunk().await.unwrap(), None);
    assert_eq!(response.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn truncated_stream_is_an_error_on_every_read() {
    let (audience, _) = responding_raw(|_| TRUNCATED).await;
    let client = HealthcareClient::new(audience, credential());
    let mut response = client.get("Patient").stream().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "{\"half\":");
    let error = response.chunk().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    // Reading again after an error does not look like the end.
    assert_eq!(response.chunk().await.unwrap_err().kind(), ErrorKind::Connection);

    // The same, read as a `Stream`.
    let mut response = client.get("Patient").stream().await.unwrap();
    let mut items = Vec::new();
    while let Some(item) = poll_fn(|context| Pin::new(&mut response).poll_next(context)).await {
        items.push(item.map_err(|error| error.kind()));
    }
    assert_eq!(items.last().unwrap().as_ref().unwrap_err(), &ErrorKind::Connection);
}

fn http2_client(audience: FhirAudience, body_limit: usize) -> HealthcareClient<FhirAudience> {
    HealthcareClient::builder(audience, credential())
        .configure_http(|http| http.http2_prior_knowledge())
        .body_limit(body_limit)
        .build()
        .unwrap()
}

fn with_body_limit(audience: &FhirAudience, bytes: usize) -> HealthcareClient<FhirAudience> {
    HealthcareClient::builder(audience.clone(), credential()).body_limit(bytes).build().unwrap()
}

/// A stream reset with NO_ERROR, as gateways send it when the server behind them closes the connection.
const RESET: (u8, u8, &[u8]) = (RST_STREAM, 0, &[0; 4]);

#[tokio::test]
async fn http2_stream_reset_without_error_is_an_error() {
    // `:status: 200` and `content-length: 100` (RFC 7541 section 6.2.2 and appendix A).
    const HEAD_OF_100: &[u8] = b"\x88\x0f\x0d\x03100";
    let (audience, requests) =
        http2::responding(&[(HEADERS, END_HEADERS, HEAD_OF_100), (DATA, 0, b"half"), RESET]).await;
    let client = http2_client(audience, 1_000);
    let mut response = client.get("Patient").stream().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "half");
    for _ in 0..2 {
        assert_eq!(response.chunk().await.unwrap_err().kind(), ErrorKind::Connection);
    }
    let error = client.post("Patient").send().await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Connection, 200));
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn content_length_without_body_is_not_trusted() {
    // The response to a HEAD request states a length above the limit and has no body.
    const LONG: &[u8] = b"\x88\x0f\x0d\x09999999999";
    let (audience, _) = http2::responding(&[(HEADERS, END_HEADERS | END_STREAM, LONG)]).await;
    let response = http2_client(audience, 1_000).request(Method::HEAD, "Patient").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.bytes().len()), (200, 0));

    // The client does not allocate a stated length that exceeds the memory.
    const ENDLESS: &[u8] = b"\x88\x0f\x0d\x134611686018427387904";
    const FRAMES: &[(u8, u8, &[u8])] =
        &[(HEADERS, END_HEADERS, ENDLESS), (DATA, 0, b"ab"), (DATA, 0, b"cd"), RESET];
    let (audience, _) = http2::responding(FRAMES).await;
    let client = http2_client(audience, usize::MAX);
    assert_eq!(client.post("Patient").send().await.unwrap_err().kind(), ErrorKind::Connection);
}

#[tokio::test]
async fn status_is_available_before_the_body() {
    let server = responding(ResponseTemplate::new(404).set_body_string("x")).await;
    let response = HealthcareClient::new(fhir(&server), credential()).get("Patient").stream().await.unwrap();
    assert_eq!(response.status(), 404);
    assert_eq!(response.error_for_status().unwrap_err().kind(), ErrorKind::Status);
}

#[tokio::test]
async fn chunks_are_joined_up_to_the_body_limit() {
    const CHUNKS: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
        3\r\nabc\r\n4\r\ndefg\r\n2\r\nhi\r\n0\r\n\r\n";
    let (audience, _) = responding_raw(|_| CHUNKS).await;
    let response = with_body_limit(&audience, 9).get("Patient").send().await.unwrap();
    assert_eq!(response.bytes(), "abcdefghi");
    for limit in [8, 6, 3, 2, 0] {
        let error = with_body_limit(&audience, limit).get("Patient").send().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{limit}");
    }
}

#[tokio::test]
async fn body_limit_applies_to_buffered_responses_only() {
    let server = responding(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 100_000])).await;
    let client = with_body_limit(&fhir(&server), 99_999);
    let error = client.get("Patient").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let mut response = client.get("Patient").stream().await.unwrap();
    let mut length = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        length += chunk.len();
    }
    assert_eq!(length, 100_000);
    let client = with_body_limit(&fhir(&server), 100_000);
    assert_eq!(client.get("Patient").send().await.unwrap().bytes().len(), 100_000);
}

#[tokio::test]
async fn default_body_limit_is_64_mib() {
    for (head, kind) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-length: 67108865\r\n\r\n"[..], ErrorKind::TooLarge),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n", ErrorKind::Connection),
    ] {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let audience: FhirAudience = format!("http://{}", server.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4_096]).await.unwrap() > 0);
            stream.write_all(head).await.unwrap();
        });
        // Prevents retries, because the server responds only once.
        let request = HealthcareClient::new(audience, credential()).get("Patient");
        let error = request.header("prefer", "respond-async").send().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}
