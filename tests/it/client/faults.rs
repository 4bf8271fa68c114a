//! Sends every kind of request into every kind of connection failure, and counts complete requests at the service.

#![cfg(feature = "client")]

use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient, RequestBuilder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use wiremock::ResponseTemplate;

use crate::wire::{TRUNCATED, count, credential, fhir, responding};

/// Limits concurrent checks, because on a busy machine the 30 s for retries could elapse.
const MAX_CONCURRENT: usize = 16;

/// Waits until another check may start.
async fn wait_for_capacity(checks: &mut JoinSet<()>) {
    if checks.len() == MAX_CONCURRENT {
        checks.join_next().await.unwrap().unwrap();
    }
}

/// The behavior of the service on each connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum ConnectionFault {
    ClosedAtOnce,
    ClosedDuringRequest,
    ClosedAfterRequest,
    ResetAfterRequest,
    InvalidResponse,
    TruncatedHead,
    TruncatedBody,
}

const FAULTS: [ConnectionFault; 7] = [
    ConnectionFault::ClosedAtOnce,
    ConnectionFault::ClosedDuringRequest,
    ConnectionFault::ClosedAfterRequest,
    ConnectionFault::ResetAfterRequest,
    ConnectionFault::InvalidResponse,
    ConnectionFault::TruncatedHead,
    ConnectionFault::TruncatedBody,
];

/// Larger than all socket buffers.
const BODY: usize = 8 * 1024 * 1024;

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    complete_requests: AtomicUsize,
}

async fn failing(fault: ConnectionFault) -> (FhirAudience, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let counts = Arc::new(Counts::default());
    let counter = counts.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.connections.fetch_add(1, Ordering::SeqCst);
            // A failed write to a closed connection does not matter here.
            let _ = fail(stream, fault, &counter).await;
        }
    });
    (audience, counts)
}

async fn fail(mut stream: TcpStream, fault: ConnectionFault, counts: &Counts) -> std::io::Result<()> {
    if fault == ConnectionFault::ClosedAtOnce {
        return Ok(());
    }
    let (mut request, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let read = stream.read(&mut buffer).await?;
        request.extend_from_slice(&buffer[..read]);
        let Some(head) = request.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        if fault == ConnectionFault::ClosedDuringRequest {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        if request.len() == head + 4 + length.map_or(0, |length| length.parse().unwrap()) {
            break;
        }
    }
    counts.complete_requests.fetch_add(1, Ordering::SeqCst);
    match fault {
        // Without a linger time, dropping the connection resets it.
        ConnectionFault::ResetAfterRequest => stream.set_zero_linger(),
        ConnectionFault::InvalidResponse => stream.write_all(b"\x00\xff no HTTP\r\n\r\n").await,
        ConnectionFault::TruncatedHead => stream.write_all(b"HTTP/1.1 201 Cre").await,
        ConnectionFault::TruncatedBody => stream.write_all(TRUNCATED).await,
        _ => Ok(()),
    }
}

/// Returns the requests, each with whether it is retried.
fn requests(
    client: &HealthcareClient<FhirAudience>,
) -> Vec<(&'static str, RequestBuilder<FhirAudience>, bool)> {
    let form = client.post("Patient/_search").header("content-type", "application/x-www-form-urlencoded");
    vec![
        ("GET", client.get("Patient?name=x"), true),
        ("HEAD", client.head("Patient/1"), true),
        ("PUT", client.put("Patient/1").body(vec![7; BODY]), true),
        ("DELETE", client.delete("Patient/1"), true),
        ("POST _search", form.body("name=x"), true),
        ("idempotent POST", client.post("Patient").body(vec![7; BODY]).idempotent(), true),
        ("POST", client.post("Patient").body(vec![7; BODY]), false),
        ("transaction POST", client.post("").body("{}"), false),
        ("PATCH", client.patch("Patient/1").body("[]"), false),
        ("conditional PUT", client.put("Patient?identifier=x").body("{}"), false),
        ("conditional DELETE", client.delete("Patient?identifier=x"), false),
        ("respond-async", client.get("$export").header("prefer", "respond-async"), false),
        (
            "idempotent respond-async",
            client.get("$export").header("prefer", "respond-async").idempotent(),
            false,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_failure_never_duplicates_a_request_that_is_not_idempotent() {
    let mut checks = JoinSet::new();
    for fault in FAULTS {
        for index in 0..requests(&HealthcareClient::new("http://[::1]".parse().unwrap(), credential())).len()
        {
            wait_for_capacity(&mut checks).await;
            checks.spawn(async move {
                let (audience, counts) = failing(fault).await;
                let client = HealthcareClient::new(audience, credential());
                let (name, request, retried) = requests(&client).swap_remove(index);
                let outcome = request.send().await;
                let (connections, complete) = (
                    counts.connections.load(Ordering::SeqCst),
                    counts.complete_requests.load(Ordering::SeqCst),
                );
                let case = format!(
                    "{name}, {fault:?}: {connections} connections, {complete} complete requests, {outcome:?}"
                );
                if name == "HEAD" && fault == ConnectionFault::TruncatedBody {
                    // The response to HEAD has no body, so it is complete.
                    assert!(outcome.is_ok(), "{case}");
                    return;
                }
                assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Connection, "{case}");
                assert_eq!(connections, if retried { 4 } else { 1 }, "{case}");
                assert!(retried || complete <= 1, "{case}");
            });
        }
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requested_wait_never_duplicates_a_request_that_is_not_idempotent() {
    // A header, its value, and whether the client waits that long.
    const WAITS: [(&str, &str, bool); 14] = [
        ("x-ms-retry-after-ms", "0", true),
        ("x-ms-retry-after-ms", "20", true),
        ("x-ms-retry-after-ms", "86400000", false),
        ("x-ms-retry-after-ms", "18446744073709551615", false),
        ("retry-after-ms", "20", true),
        ("retry-after-ms", "99999999999", false),
        ("retry-after", "0", true),
        ("retry-after", "86400", false),
        ("retry-after", "18446744073709551615", false),
        ("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT", true),
        ("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT", false),
        // Invalid values are ignored.
        ("retry-after", "-5", true),
        ("retry-after", "soon\u{e9}", true),
        ("x-ms-retry-after-ms", "1e3", true),
    ];
    let mut checks = JoinSet::new();
    for status in [408, 429, 500, 502, 503, 504] {
        for (header, value, waited) in WAITS {
            wait_for_capacity(&mut checks).await;
            checks.spawn(async move {
                let server = responding(ResponseTemplate::new(status).insert_header(header, value)).await;
                let client = HealthcareClient::new(fhir(&server), credential());
                let case = format!("{status}, {header}: {value}");
                // Much less than a day, and more than a busy machine needs.
                let response =
                    tokio::time::timeout(Duration::from_secs(300), client.get("Patient").send()).await;
                let response = response.expect(&case).unwrap();
                assert_eq!(
                    (response.status().as_u16(), response.attempts()),
                    (status, if waited { 4 } else { 1 }),
                    "{case}"
                );
                let before = count(&server).await;
                let response = client.post("Patient").send().await.unwrap();
                let retried = waited && status == 429;
                assert_eq!(response.attempts(), if retried { 4 } else { 1 }, "{case}");
                assert_eq!(count(&server).await - before, response.attempts() as usize, "{case}");
            });
        }
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
}

#[tokio::test]
async fn dropped_request_sends_nothing_more() {
    let server = responding(ResponseTemplate::new(503).insert_header("x-ms-retry-after-ms", "20")).await;
    let client = HealthcareClient::new(fhir(&server), credential());
    // Drops the request at its first poll, at its second, and so on, including polls while it waits to retry, until a
    // request completes. A request that is not polled sends nothing.
    let mut most = 0;
    for polls in 1.. {
        most += 4.min(polls - 1);
        let mut left = polls;
        let mut send = pin!(client.get("Patient").send());
        let outcome = poll_fn(|context| {
            left -= 1;
            if left == 0 { Poll::Ready(None) } else { send.as_mut().poll(context).map(Some) }
        });
        if let Some(response) = outcome.await {
            assert_eq!(response.unwrap().attempts(), 4);
            assert!(polls > 4 && count(&server).await <= most, "{polls}");
            break;
        }
    }
    // The client still works.
    let healthy = crate::wire::service().await;
    assert_eq!(
        client.for_audience(fhir(&healthy)).unwrap().get("Patient").send().await.unwrap().status(),
        200
    );
}
