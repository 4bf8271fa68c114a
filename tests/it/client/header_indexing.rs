//! Over HTTP/2 the `Authorization` value enters no compression table: who can see how requests are compressed learns
//! nothing of it (RFC 7541 §7.1.3).

#![cfg(feature = "client")]

use crate::wire::{
    Fixed, credential,
    http2::{self, END_HEADERS, END_STREAM, HEADERS},
};
use azure_healthcare_auth::{FhirAudience, HealthcareAuth, HealthcareClient, HealthcareClientBuilder};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Literal, never indexed (RFC 7541 §6.2.3), with the name of entry 23 of the static table: `authorization`.
const NEVER_INDEXED: &[u8] = &[0b0001_1111, 23 - 15];

/// Answers so many requests on one connection with 200, and gives their header blocks as they came.
async fn header_blocks(listener: TcpListener, requests: usize) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    // `:status: 200`, the end of the headers and of the stream.
    let ok: (u8, u8, &[u8]) = (HEADERS, END_HEADERS | END_STREAM, &[0x88]);
    http2::answer(&listener, &[ok], |block| {
        blocks.push(block);
        blocks.len() < requests
    })
    .await;
    blocks
}

async fn sent(client: impl FnOnce(FhirAudience) -> HealthcareClientBuilder<FhirAudience>) -> Vec<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let client = client(audience).configure_http(|http| http.http2_prior_knowledge()).build().unwrap();
    let server = tokio::spawn(header_blocks(listener, 2));
    for _ in 0..2 {
        assert_eq!(client.get("Patient").send().await.unwrap().status(), 200);
    }
    server.await.unwrap()
}

fn is_in(wanted: &[u8], block: &[u8]) -> bool {
    block.windows(wanted.len()).any(|window| window == wanted)
}

#[tokio::test]
async fn in_any_request() {
    let blocks = sent(|audience| HealthcareClient::builder(audience, credential())).await;
    assert!(blocks.iter().all(|block| is_in(NEVER_INDEXED, block)), "{blocks:x?}");
    // What is not sensitive is: the second request names the user agent by its place in the table.
    assert!(blocks[1].len() < blocks[0].len());
}

#[tokio::test]
async fn not_even_where_somebodys_own_auth_does_not_mark_it() {
    assert!(!Fixed("http://127.0.0.1".parse().unwrap()).authorization().await.unwrap().is_sensitive());
    let blocks = sent(|audience| HealthcareClient::builder_from_auth(Arc::new(Fixed(audience)))).await;
    assert!(blocks.iter().all(|block| is_in(NEVER_INDEXED, block)), "{blocks:x?}");
}
