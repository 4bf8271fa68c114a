//! Over HTTP/2 the `Authorization` value enters no compression table: who can see how requests are compressed learns
//! nothing of it (RFC 7541 §7.1.3).

#![cfg(feature = "client")]

mod wire;

use azure_healthcare_auth::{FhirAudience, HealthcareAuth, HealthcareClient, default_http};
use std::sync::Arc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use wire::{Fixed, credential};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
/// Literal, never indexed (RFC 7541 §6.2.3), with the name of entry 23 of the static table: `authorization`.
const NEVER_INDEXED: &[u8] = &[0b0001_1111, 23 - 15];

struct Frame {
    kind: u8,
    flags: u8,
    stream: [u8; 4],
    payload: Vec<u8>,
}

async fn read(connection: &mut TcpStream) -> Frame {
    let mut head = [0; 9];
    connection.read_exact(&mut head).await.unwrap();
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    connection.read_exact(&mut payload).await.unwrap();
    Frame { kind, flags, stream, payload }
}

async fn write(connection: &mut TcpStream, kind: u8, flags: u8, stream: [u8; 4], payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let frame = [&length[1..], &[kind, flags], &stream, payload].concat();
    connection.write_all(&frame).await.unwrap();
}

/// Answers so many requests on one connection with 200, and gives their header blocks as they came.
async fn header_blocks(listener: TcpListener, requests: usize) -> Vec<Vec<u8>> {
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut preface = [0; PREFACE.len()];
    connection.read_exact(&mut preface).await.unwrap();
    assert_eq!(preface, PREFACE);
    write(&mut connection, SETTINGS, 0, [0; 4], &[]).await;
    let mut blocks = Vec::new();
    while blocks.len() < requests {
        let frame = read(&mut connection).await;
        match frame.kind {
            SETTINGS if frame.flags & 1 == 0 => write(&mut connection, SETTINGS, 1, [0; 4], &[]).await,
            HEADERS => {
                blocks.push(frame.payload);
                // `:status: 200`, the end of the headers and of the stream.
                write(&mut connection, HEADERS, 5, frame.stream, &[0x88]).await;
            }
            _ => {}
        }
    }
    blocks
}

async fn sent(client: impl FnOnce(FhirAudience) -> HealthcareClient<FhirAudience>) -> Vec<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let client = client(audience).with_http(default_http().http2_prior_knowledge());
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
    let blocks = sent(|audience| HealthcareClient::new(audience, credential())).await;
    assert!(blocks.iter().all(|block| is_in(NEVER_INDEXED, block)), "{blocks:x?}");
    // What is not sensitive is: the second request names the user agent by its place in the table.
    assert!(blocks[1].len() < blocks[0].len());
}

#[tokio::test]
async fn not_even_where_somebodys_own_auth_does_not_mark_it() {
    assert!(!Fixed("http://127.0.0.1".parse().unwrap()).authorization().await.unwrap().is_sensitive());
    let blocks = sent(|audience| HealthcareClient::from_auth(Arc::new(Fixed(audience)))).await;
    assert!(blocks.iter().all(|block| is_in(NEVER_INDEXED, block)), "{blocks:x?}");
}
