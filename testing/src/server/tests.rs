//! Tests of the fake server over HTTP.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

use azure_core::credentials::TokenCredential;
use serde_json::json;
use tokio::task::coop;
use url::Url;

use azure_healthcare_auth::{Audience, DicomVersion};

use super::*;
use crate::{ChallengeFormat, FakeClock, FakeCredential, FakeService, Fault, dicom_file};

/// Sends a GET request with additional header lines and returns the whole response as text.
fn exchange(url: &Url, head: &str) -> String {
    let target = &url[url::Position::BeforePath..];
    exchange_text(url, &format!("GET {target} HTTP/1.1\r\n{head}"), "")
}

/// Sends a request with these first lines and returns the whole response as text.
fn exchange_text(url: &Url, head: &str, body: &str) -> String {
    exchange_bytes(url, head, body.as_bytes())
}

fn exchange_bytes(url: &Url, head: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(&*url.socket_addrs(|| None).unwrap()).unwrap();
    write!(stream, "{head}host: x\r\nconnection: close\r\n\r\n").unwrap();
    stream.write_all(body).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

async fn bearer(audience: &dyn Audience, credential: &FakeCredential) -> String {
    let token = credential.get_token(&[audience.scope()], None).await.unwrap();
    format!("authorization: Bearer {}\r\n", token.token.secret())
}

#[tokio::test]
async fn each_service_accepts_only_tokens_for_its_own_audience() {
    let fake_server = FakeServer::start().await;
    let (fhir, dicom) = (fake_server.fhir(), fake_server.dicom(DicomVersion::V1));
    assert_eq!(fhir.resource(), fhir.endpoint().as_str().trim_end_matches('/'));
    assert_eq!(dicom.resource(), "https://dicom.healthcareapis.azure.com");
    assert_ne!(fhir.endpoint().origin(), dicom.endpoint().origin());

    let good = fake_server.credential();
    let (for_fhir, for_dicom) = (bearer(&fhir, &good).await, bearer(&dicom, &good).await);
    let (patients, feed) = (fhir.url("Patient").unwrap(), dicom.url("changefeed").unwrap());
    let challenge =
        "www-authenticate: Bearer error=\"invalid_token\", error_description=\"The audience is invalid\"";
    for (url, head, status, header) in [
        (&patients, &for_fhir, "200", "content-type: application/fhir+json; charset=utf-8"),
        (&feed, &for_dicom, "200", "content-type: application/json; charset=utf-8"),
        (&patients, &for_dicom, "401", challenge),
        (&feed, &for_fhir, "401", challenge),
    ] {
        let response = exchange(url, head);
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{response}");
        assert_eq!(response.lines().filter(|line| *line == header).count(), 1, "{response}");
    }
    assert_eq!(good.calls(), 2);
}

#[tokio::test]
async fn received_requests_of_both_services_are_in_order() {
    let fake_server = FakeServer::builder().patients(1).changes(1).start().await;
    let (fhir, dicom) = (fake_server.fhir(), fake_server.dicom(DicomVersion::V2));
    let (first, second) = (fhir.url("Patient?_count=3").unwrap(), dicom.url("changefeed/latest").unwrap());
    exchange(&first, "authorization: Bearer secret\r\n");
    exchange(&second, &bearer(&dicom, &fake_server.credential()).await);

    let received = fake_server.requests();
    let summary: Vec<_> = received.iter().map(|r| (r.service(), r.url(), r.status().as_u16())).collect();
    assert_eq!(summary, [(FakeService::Fhir, &first, 401), (FakeService::Dicom, &second, 200)]);
    assert_eq!(received[0].headers()["authorization"], "Bearer secret");
    assert!(
        received.iter().all(|request| request.method() == ::http::Method::GET && request.body().is_empty())
    );
    assert!(format!("{received:?}").contains("401") && !format!("{received:?}").contains("secret"));
}

#[tokio::test]
async fn received_request_has_the_target_and_the_body_as_they_arrived() {
    let fake_server = FakeServer::start().await;
    let fhir = fake_server.fhir();
    let bearer = bearer(&fhir, &fake_server.credential()).await;
    let form = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 6\r\n";
    let search = "POST /Patient/../Patient/_search?x=%41 HTTP/1.1";
    let response = exchange_text(fhir.endpoint(), &format!("{search}\r\n{bearer}{form}"), "name=x");
    assert!(response.starts_with("HTTP/1.1 "), "{response}");

    let received = fake_server.requests();
    let [request] = &received[..] else { panic!("{received:?}") };
    assert_eq!((request.method(), request.body()), (&::http::Method::POST, &b"name=x"[..]));
    assert_eq!(request.target(), "/Patient/../Patient/_search?x=%41");
    assert_eq!(request.url().path(), "/Patient/_search");
    assert_eq!(request.token_audience().as_deref(), Some(fhir.resource()));

    fake_server.clear_requests();
    assert_eq!(fake_server.requests().len(), 0);
}

#[tokio::test]
async fn builder_settings_and_faults_take_effect() {
    let builder = FakeServer::builder().patients(11).changes(0).challenge_format(ChallengeFormat::OpenSource);
    let fake_server = builder.start().await;
    let (fhir, dicom) = (fake_server.fhir(), fake_server.dicom(DicomVersion::V1));
    let (patients, latest) = (fhir.url("Patient").unwrap(), dicom.url("changefeed/latest").unwrap());
    let credential = fake_server.credential();
    let good = bearer(&fhir, &credential).await;

    assert!(exchange(&patients, "").contains("www-authenticate: Bearer authorization_uri="));
    assert!(exchange(&patients, &good).contains("\"relation\":\"next\""));
    assert!(exchange(&latest, &bearer(&dicom, &credential).await).starts_with("HTTP/1.1 204"));

    fake_server.inject_fault(9, Fault::Throttled(Duration::from_secs(3)));
    assert!(exchange(&patients, &good).contains("retry-after: 3\r\n"));
    fake_server.clear_faults();
    assert!(exchange(&patients, &good).starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn services_and_credentials_use_the_configured_clock() {
    let seconds = Arc::new(AtomicU64::new(0));
    let clock = seconds.clone();
    let now = move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::SeqCst));
    let fake_server = FakeServer::builder().clock(now.clone()).start().await;
    let another = FakeCredential::new().with_clock(now);
    let (fhir, dicom) = (fake_server.fhir(), fake_server.dicom(DicomVersion::V1));
    let (patients, feed) = (fhir.url("Patient").unwrap(), dicom.url("changefeed").unwrap());
    for (audience, url) in [(&fhir as &dyn Audience, patients), (&dicom, feed)] {
        for credential in [&*fake_server.credential(), &another] {
            let token = bearer(audience, credential).await;
            assert!(exchange(&url, &token).starts_with("HTTP/1.1 200"));
            seconds.fetch_add(2 * 60 * 60, Ordering::SeqCst);
            assert!(exchange(&url, &token).contains("The token is expired"));
        }
    }
}

#[tokio::test]
async fn truncated_body_has_the_full_content_length_and_half_the_body() {
    let fake_server = FakeServer::start().await;
    let (fhir, credential) = (fake_server.fhir(), fake_server.credential());
    let (url, head) = (fhir.url("Patient/example-0001").unwrap(), bearer(&fhir, &credential).await);
    let complete = exchange(&url, &head);
    fake_server.inject_fault(1, Fault::TruncatedBody);
    let truncated = exchange(&url, &head);
    let (_, body) = complete.split_once("\r\n\r\n").unwrap();
    let (truncated_head, truncated_body) = truncated.split_once("\r\n\r\n").unwrap();
    assert!(truncated_head.contains(&format!("content-length: {}", body.len())), "{truncated_head}");
    assert_eq!(truncated_body, &body[..body.len() / 2]);

    let empty = FakeServer::builder().changes(0).start().await;
    let (dicom, credential) = (empty.dicom(DicomVersion::V2), empty.credential());
    empty.inject_fault(1, Fault::TruncatedBody);
    let nothing = exchange(&dicom.url("changefeed/latest").unwrap(), &bearer(&dicom, &credential).await);
    assert_eq!(nothing, "");
}

#[tokio::test]
async fn delayed_response_does_not_delay_other_responses() {
    let fake_server = FakeServer::start().await;
    let (fhir, credential) = (fake_server.fhir(), fake_server.credential());
    let (url, head) = (fhir.url("Patient").unwrap(), bearer(&fhir, &credential).await);
    let (start, delay) = (Instant::now(), Duration::from_millis(20));
    fake_server.inject_fault(1, Fault::Delay(delay));
    assert!(exchange(&url, &head).starts_with("HTTP/1.1 200") && start.elapsed() >= delay);

    fake_server.inject_fault(1, Fault::Delay(Duration::from_secs(3_600)));
    let slow = std::thread::spawn({
        let (url, head) = (url.clone(), head.clone());
        move || exchange(&url, &head)
    });
    while fake_server.requests().len() < 2 {
        std::thread::yield_now();
    }
    assert!(exchange(&url, &head).starts_with("HTTP/1.1 200") && !slow.is_finished());
    drop(fake_server);
    assert_eq!(slow.join().unwrap(), "");
}

#[tokio::test]
async fn fake_server_can_be_dropped_by_a_task_without_remaining_coop_budget() {
    let mut fake_server = Some(FakeServer::start().await);
    std::future::poll_fn(|cx| {
        while let Poll::Ready(budget) = coop::poll_proceed(cx) {
            budget.made_progress();
        }
        fake_server = None;
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn dropped_fake_server_stops_listening() {
    let fake_server = FakeServer::start().await;
    let address = fake_server.fhir().endpoint().socket_addrs(|| None).unwrap();
    drop(fake_server);
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(&*address).is_ok() {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn deeply_nested_dicom_file_does_not_end_the_process() {
    const DEPTH: usize = 1_000;
    let fake_server = FakeServer::builder().changes(0).start().await;
    let dicom = fake_server.dicom(DicomVersion::V2);
    // A sequence and an item, both of undefined length, and their ends.
    let start =
        [0x40, 0, 0x30, 0xa7, b'S', b'Q', 0, 0, 255, 255, 255, 255, 254, 255, 0, 224, 255, 255, 255, 255];
    let end = [254, 255, 0x0d, 224, 0, 0, 0, 0, 254, 255, 0xdd, 224, 0, 0, 0, 0];
    let body = [dicom_file(&json!({})), start.repeat(DEPTH), end.repeat(DEPTH)].concat();
    let head = format!(
        "POST /v2/studies HTTP/1.1\r\n{}accept: */*\r\ncontent-type: application/dicom\r\ncontent-length: {}\r\n",
        bearer(&dicom, &fake_server.credential()).await,
        body.len(),
    );
    let response = exchange_bytes(dicom.endpoint(), &head, &body);
    assert!(response.starts_with("HTTP/1.1 409"), "{response}");
}

#[tokio::test]
async fn times_without_a_date_do_not_break_the_services() {
    let clock = FakeClock::new();
    let now = clock.clone();
    let fake_server = FakeServer::builder().clock(move || now.now()).start().await;
    let metadata = fake_server.fhir().url("metadata").unwrap();
    let far = Duration::from_secs(1 << 40);
    for (time, date) in [
        (SystemTime::UNIX_EPOCH + far, "date: Fri, 31 Dec 9999 23:59:59 GMT"),
        (SystemTime::UNIX_EPOCH - far, "date: Thu, 01 Jan 1970 00:00:00 GMT"),
    ] {
        clock.set(time);
        let response = exchange(&metadata, "");
        assert!(response.starts_with("HTTP/1.1 200") && response.contains(date), "{response}");
    }
}

#[tokio::test]
async fn target_of_a_received_request_is_verbatim_in_every_form() {
    let fake_server = FakeServer::start().await;
    let fhir = fake_server.fhir();
    let targets = ["http://example.com/Patient?x=%41", "*", "example.com:80", "/Patient?x=%41"];
    for (method, target) in ["GET", "OPTIONS", "CONNECT", "GET"].iter().zip(targets) {
        let response = exchange_text(fhir.endpoint(), &format!("{method} {target} HTTP/1.1\r\n"), "");
        assert!(response.starts_with("HTTP/1.1 401"), "{response}");
    }
    let received = fake_server.requests();
    let found: Vec<_> = received.iter().map(super::ReceivedRequest::target).collect();
    assert_eq!(found, targets);
    assert!(received.iter().all(|request| request.url().origin() == fhir.endpoint().origin()));
}

#[tokio::test]
async fn request_with_too_many_headers_is_recorded_and_rejected() {
    let fake_server = FakeServer::start().await;
    let headers = |count: usize| format!("GET /Patient HTTP/1.1\r\n{}", "x: y\r\n".repeat(count));
    let response = exchange_text(fake_server.fhir().endpoint(), &headers(101), "");
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");
    assert_eq!(fake_server.requests()[0].status(), 431);
}
