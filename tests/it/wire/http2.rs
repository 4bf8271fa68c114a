//! A minimal HTTP/2 server (RFC 9113), for responses that no server library would send.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use azure_healthcare_auth::FhirAudience;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
/// A flag of SETTINGS frames.
const ACK: u8 = 1;
/// A flag of HEADERS frames.
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const END_STREAM: u8 = 1;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) struct Frame {
    kind: u8,
    flags: u8,
    stream: [u8; 4],
    payload: Vec<u8>,
}

async fn read(connection: &mut TcpStream) -> std::io::Result<Frame> {
    let mut head = [0; 9];
    connection.read_exact(&mut head).await?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
    connection.read_exact(&mut payload).await?;
    Ok(Frame { kind, flags, stream, payload })
}

async fn write(connection: &mut TcpStream, kind: u8, flags: u8, stream: [u8; 4], payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let frame = [&length[1..], &[kind, flags], &stream, payload].concat();
    connection.write_all(&frame).await.unwrap();
}

/// Accepts one connection and responds to each request with these frames (kind, flags, payload). Passes the header block of
/// each request to `on_request`, and stops when that returns `false` or the connection closes.
pub(crate) async fn respond(
    listener: &TcpListener,
    frames: &[(u8, u8, &[u8])],
    mut on_request: impl FnMut(Vec<u8>) -> bool,
) {
    let (mut connection, _) = listener.accept().await.unwrap();
    let mut preface = [0; PREFACE.len()];
    connection.read_exact(&mut preface).await.unwrap();
    assert_eq!(preface, PREFACE);
    write(&mut connection, SETTINGS, 0, [0; 4], &[]).await;
    while let Ok(frame) = read(&mut connection).await {
        match frame.kind {
            SETTINGS if frame.flags & ACK == 0 => write(&mut connection, SETTINGS, ACK, [0; 4], &[]).await,
            HEADERS => {
                let more = on_request(frame.payload);
                for (kind, flags, payload) in frames {
                    write(&mut connection, *kind, *flags, frame.stream, payload).await;
                }
                if !more {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// Starts a server that responds to every request with these frames. Returns its audience and its request counter.
pub(crate) async fn responding(
    frames: &'static [(u8, u8, &'static [u8])],
) -> (FhirAudience, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    tokio::spawn(async move {
        loop {
            respond(&listener, frames, |_| {
                count.fetch_add(1, Ordering::SeqCst);
                true
            })
            .await;
        }
    });
    (audience, requests)
}
