//! Over HTTP/2 the `Authorization` value is never added to a compression table, so that the size of compressed requests
//! reveals nothing about it (RFC 7541 section 7.1.3).

#![cfg(feature = "client")]

use std::sync::Arc;

use azure_healthcare_auth::{FhirAudience, HealthcareAuth, HealthcareClient, HealthcareClientBuilder};
use tokio::net::TcpListener;

use crate::wire::{
    FixedAuth, credential,
    http2::{self, END_HEADERS, END_STREAM, HEADERS},
};

/// A never-indexed literal (RFC 7541 section 6.2.3) with the name of static table entry 23, `authorization`.
const NEVER_INDEXED: &[u8] = &[0b0001_1111, 23 - 15];

/// Responds with 200 to this number of requests on one connection, and returns their header blocks.
async fn header_blocks(listener: TcpListener, requests: usize) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    // `:status: 200`
    let ok: (u8, u8, &[u8]) = (HEADERS, END_HEADERS | END_STREAM, &[0x88]);
    http2::respond(&listener, &[ok], |block| {
        blocks.push(block);
        blocks.len() < requests
    })
    .await;
    blocks
}

async fn sent_header_blocks(
    client: impl FnOnce(FhirAudience) -> HealthcareClientBuilder<FhirAudience>,
) -> Vec<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let client = client(audience).configure_http(|http| http.http2_prior_knowledge()).build().unwrap();
    let server = tokio::spawn(header_blocks(listener, 2));
    for _ in 0..2 {
        assert_eq!(client.get("Patient").send().await.unwrap().status(), 200);
    }
    server.await.unwrap()
}

fn contains(block: &[u8], wanted: &[u8]) -> bool {
    block.windows(wanted.len()).any(|window| window == wanted)
}

#[tokio::test]
async fn authorization_is_never_indexed() {
    let blocks = sent_header_blocks(|audience| HealthcareClient::builder(audience, credential())).await;
    assert!(blocks.iter().all(|block| contains(block, NEVER_INDEXED)), "{blocks:x?}");
    // Other headers are indexed: the second request refers to the user agent by its table entry.
    assert!(blocks[1].len() < blocks[0].len());
}

#[tokio::test]
async fn authorization_of_custom_auth_is_never_indexed_even_if_not_marked_sensitive() {
    assert!(!FixedAuth("http://127.0.0.1".parse().unwrap()).authorization().await.unwrap().is_sensitive());
    let blocks =
        sent_header_blocks(|audience| HealthcareClient::builder_from_auth(Arc::new(FixedAuth(audience))))
            .await;
    assert!(blocks.iter().all(|block| contains(block, NEVER_INDEXED)), "{blocks:x?}");
}
