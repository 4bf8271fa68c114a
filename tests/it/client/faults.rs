//! Every way a connection can fail × every kind of request: how often the service got a whole request, counted there.

#![cfg(feature = "client")]

use crate::wire::{HALF, answering, count, credential, fhir};
use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient, RequestBuilder};
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
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use wiremock::ResponseTemplate;

/// How many checks go on at once: with all of them, a busy machine would let a request's 30 s for repeats go by.
const AT_ONCE: usize = 16;

/// Waits until one more can begin.
async fn room(checks: &mut JoinSet<()>) {
    if checks.len() == AT_ONCE {
        checks.join_next().await.unwrap().unwrap();
    }
}

/// What the service does with each connection.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    ClosedAtOnce,
    ClosedInTheMiddleOfTheRequest,
    ClosedAfterTheRequest,
    ResetAfterTheRequest,
    NoAnswerButNoise,
    HalfAHead,
    HalfAnAnswer,
}

const FAULTS: [Fault; 7] = [
    Fault::ClosedAtOnce,
    Fault::ClosedInTheMiddleOfTheRequest,
    Fault::ClosedAfterTheRequest,
    Fault::ResetAfterTheRequest,
    Fault::NoAnswerButNoise,
    Fault::HalfAHead,
    Fault::HalfAnAnswer,
];

/// Long enough not to fit into the buffers on the way.
const BODY: usize = 8 * 1024 * 1024;

#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    whole: AtomicUsize,
}

async fn failing(fault: Fault) -> (FhirAudience, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let seen = Arc::new(Seen::default());
    let counter = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.connections.fetch_add(1, Ordering::SeqCst);
            // What cannot be written to one who has gone is no matter here.
            let _ = fail(stream, fault, &counter).await;
        }
    });
    (audience, seen)
}

async fn fail(mut stream: TcpStream, fault: Fault, seen: &Seen) -> std::io::Result<()> {
    if fault == Fault::ClosedAtOnce {
        return Ok(());
    }
    let (mut request, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let read = stream.read(&mut buffer).await?;
        request.extend_from_slice(&buffer[..read]);
        let Some(head) = request.windows(4).position(|end| end == b"\r\n\r\n") else { continue };
        if fault == Fault::ClosedInTheMiddleOfTheRequest {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        if request.len() == head + 4 + length.map_or(0, |length| length.parse().unwrap()) {
            break;
        }
    }
    seen.whole.fetch_add(1, Ordering::SeqCst);
    match fault {
        // Dropped with no time to linger, a connection is reset.
        Fault::ResetAfterTheRequest => stream.set_zero_linger(),
        Fault::NoAnswerButNoise => stream.write_all(b"\x00\xff no HTTP\r\n\r\n").await,
        Fault::HalfAHead => stream.write_all(b"HTTP/1.1 201 Cre").await,
        Fault::HalfAnAnswer => stream.write_all(HALF).await,
        _ => Ok(()),
    }
}

/// A request, and whether it can be sent again without harm.
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
        ("POST, told to be repeatable", client.post("Patient").body(vec![7; BODY]).idempotent(), true),
        ("POST", client.post("Patient").body(vec![7; BODY]), false),
        ("POST of a transaction", client.post("").body("{}"), false),
        ("PATCH", client.patch("Patient/1").body("[]"), false),
        ("conditional PUT", client.put("Patient?identifier=x").body("{}"), false),
        ("conditional DELETE", client.delete("Patient?identifier=x"), false),
        ("respond-async", client.get("$export").header("prefer", "respond-async"), false),
        ("respond-async, told", client.get("$export").header("prefer", "respond-async").idempotent(), false),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_the_connection_fails() {
    let mut checks = JoinSet::new();
    for fault in FAULTS {
        for index in 0..requests(&HealthcareClient::new("http://[::1]".parse().unwrap(), credential())).len()
        {
            room(&mut checks).await;
            checks.spawn(async move {
                let (audience, seen) = failing(fault).await;
                let client = HealthcareClient::new(audience, credential());
                let (name, request, repeated) = requests(&client).swap_remove(index);
                let outcome = request.send().await;
                let (connections, whole) =
                    (seen.connections.load(Ordering::SeqCst), seen.whole.load(Ordering::SeqCst));
                let case = format!(
                    "{name}, {fault:?}: {connections} connections, {whole} whole requests, {outcome:?}"
                );
                if name == "HEAD" && fault == Fault::HalfAnAnswer {
                    // It has no body, so half an answer is a whole one.
                    assert!(outcome.is_ok(), "{case}");
                    return;
                }
                assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Connection, "{case}");
                assert_eq!(connections, if repeated { 4 } else { 1 }, "{case}");
                assert!(repeated || whole <= 1, "{case}");
            });
        }
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_busy_service_asks_for() {
    // A wait, and whether it is short enough to be waited.
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
        // What cannot be read counts as not said.
        ("retry-after", "-5", true),
        ("retry-after", "soon\u{e9}", true),
        ("x-ms-retry-after-ms", "1e3", true),
    ];
    let mut checks = JoinSet::new();
    for status in [408, 429, 500, 502, 503, 504] {
        for (header, value, waited) in WAITS {
            room(&mut checks).await;
            checks.spawn(async move {
                let server = answering(ResponseTemplate::new(status).insert_header(header, value)).await;
                let client = HealthcareClient::new(fhir(&server), credential());
                let case = format!("{status}, {header}: {value}");
                // Far less than a day, and more than a busy machine needs.
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
                let repeated = waited && status == 429;
                assert_eq!(response.attempts(), if repeated { 4 } else { 1 }, "{case}");
                assert_eq!(count(&server).await - before, response.attempts() as usize, "{case}");
            });
        }
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
}

#[tokio::test]
async fn and_a_caller_s_deadline_cuts_it_anywhere() {
    let server = answering(ResponseTemplate::new(503).insert_header("x-ms-retry-after-ms", "20")).await;
    let client = HealthcareClient::new(fhir(&server), credential());
    // At its first poll, at its second, and so on, waits between two sends among them, until one comes to its end.
    // Where nobody polls it, nothing is sent.
    let mut most = 0;
    for polls in 1.. {
        most += 4.min(polls - 1);
        let mut left = polls;
        let mut send = pin!(client.get("Patient").send());
        let ended = poll_fn(|context| {
            left -= 1;
            if left == 0 { Poll::Ready(None) } else { send.as_mut().poll(context).map(Some) }
        });
        if let Some(response) = ended.await {
            assert_eq!(response.unwrap().attempts(), 4);
            assert!(polls > 4 && count(&server).await <= most, "{polls}");
            break;
        }
    }
    // It was harmless: the client goes on.
    let well = crate::wire::service().await;
    assert_eq!(client.for_audience(fhir(&well)).unwrap().get("Patient").send().await.unwrap().status(), 200);
}
