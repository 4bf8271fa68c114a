//! A stand-in as it is met over the wire.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use azure_core::credentials::TokenCredential;
use tokio::task::coop;
use url::Url;

use super::*;
use crate::{Audience, DicomVersion, ServiceKind};

/// Sends a request over the wire and gives the whole answer.
fn exchange(url: &Url, head: &str) -> String {
    let mut stream = TcpStream::connect(&*url.socket_addrs(|| None).unwrap()).unwrap();
    let target = &url[url::Position::BeforePath..];
    write!(stream, "GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

async fn bearer(audience: &dyn Audience, credential: &FakeCredential) -> String {
    let token = credential.get_token(&[audience.scope()], None).await.unwrap();
    format!("authorization: Bearer {}\r\n", token.token.secret())
}

#[tokio::test]
async fn each_service_takes_the_credentials_token_for_it_and_no_other() {
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
        let answer = exchange(url, head);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert_eq!(answer.lines().filter(|line| *line == header).count(), 1, "{answer}");
    }
    assert_eq!(good.calls(), 2);
}

#[tokio::test]
async fn requests_to_both_services_are_told_in_their_order() {
    let fake_server = FakeServer::builder().patients(1).changes(1).start().await;
    let (fhir, dicom) = (fake_server.fhir(), fake_server.dicom(DicomVersion::V2));
    let (first, second) = (fhir.url("Patient?_count=3").unwrap(), dicom.url("changefeed/latest").unwrap());
    exchange(&first, "authorization: Bearer secret\r\n");
    exchange(&second, &bearer(&dicom, &fake_server.credential()).await);

    let received = fake_server.received();
    let seen: Vec<_> = received.iter().map(|r| (r.service(), r.url(), r.status().as_u16())).collect();
    assert_eq!(seen, [(ServiceKind::Fhir, &first, 401), (ServiceKind::Dicom, &second, 200)]);
    assert_eq!(received[0].headers()["authorization"], "Bearer secret");
    assert!(
        received.iter().all(|request| request.method() == http::Method::GET && request.body().is_empty())
    );
    assert!(format!("{received:?}").contains("401") && !format!("{received:?}").contains("secret"));
}

#[cfg(feature = "client")]
#[tokio::test]
async fn what_was_sent_is_told_too_and_instances_stand_beside_one_another() {
    let instance = |sop: &str, note: &str| {
        let uid = |uid: &str| serde_json::json!({ "vr": "UI", "Value": [uid] });
        serde_json::json!({ "0020000D": uid("1.2"), "0020000E": uid("1.3"), "00080018": uid(sop), "note": note })
    };
    let builder =
        FakeServer::builder().changes(0).instance(&instance("1.4", "old")).instance(&instance("1.5", ""));
    let fake_server = builder.instance(&instance("1.4", "new")).start().await;
    let dicom = crate::HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());
    let feed: serde_json::Value = dicom.get("changefeed").send().await.unwrap().json().unwrap();
    let of =
        |index: usize| (feed[index]["sopInstanceUid"].as_str(), feed[index]["metadata"]["note"].as_str());
    assert_eq!(
        (of(0), of(1), feed.as_array().unwrap().len()),
        ((Some("1.5"), Some("")), (Some("1.4"), Some("new")), 2)
    );

    let fhir = crate::HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    let form = fhir.post("Patient/_search").body("name=x").header("content-type", "application/json");
    assert_eq!(form.send().await.unwrap().status(), 400);
    let received = fake_server.received();
    let sent = received.last().unwrap();
    assert_eq!((sent.method(), sent.body()), (&http::Method::POST, &b"name=x"[..]));
}

#[tokio::test]
async fn what_is_set_is_what_is_served() {
    let builder = FakeServer::builder().patients(11).changes(0).wording(ChallengeFormat::OpenSource);
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
async fn a_clock_that_is_moved_is_the_one_of_the_services_and_of_the_credential() {
    let moved = Arc::new(AtomicU64::new(0));
    let clock = moved.clone();
    let now = move || SystemTime::UNIX_EPOCH + Duration::from_secs(clock.load(Ordering::SeqCst));
    let fake_server = FakeServer::builder().with_clock(now.clone()).start().await;
    let own = FakeCredential::new().with_clock(now);
    let (fhir, dicom) = (fake_server.fhir(), fake_server.dicom(DicomVersion::V1));
    let (patients, feed) = (fhir.url("Patient").unwrap(), dicom.url("changefeed").unwrap());
    for (audience, url) in [(&fhir as &dyn Audience, patients), (&dicom, feed)] {
        for credential in [&*fake_server.credential(), &own] {
            let token = bearer(audience, credential).await;
            assert!(exchange(&url, &token).starts_with("HTTP/1.1 200"));
            moved.fetch_add(2 * 60 * 60, Ordering::SeqCst);
            assert!(exchange(&url, &token).contains("The token is expired"));
        }
    }
}

#[tokio::test]
async fn a_cut_answer_says_its_length_and_ends_in_its_middle() {
    let fake_server = FakeServer::start().await;
    let (fhir, credential) = (fake_server.fhir(), fake_server.credential());
    let (url, head) = (fhir.url("Patient").unwrap(), bearer(&fhir, &credential).await);
    let whole = exchange(&url, &head);
    fake_server.inject_fault(1, Fault::TruncatedBody);
    let cut = exchange(&url, &head);
    let (_, body) = whole.split_once("\r\n\r\n").unwrap();
    let (cut_head, cut_body) = cut.split_once("\r\n\r\n").unwrap();
    assert!(cut_head.contains(&format!("content-length: {}", body.len())), "{cut_head}");
    assert_eq!(cut_body, &body[..body.len() / 2]);

    let empty = FakeServer::builder().changes(0).start().await;
    let (dicom, credential) = (empty.dicom(DicomVersion::V2), empty.credential());
    empty.inject_fault(1, Fault::TruncatedBody);
    let nothing = exchange(&dicom.url("changefeed/latest").unwrap(), &bearer(&dicom, &credential).await);
    assert_eq!(nothing, "");
}

#[tokio::test]
async fn a_slow_answer_comes_so_much_later_and_holds_up_no_other() {
    let fake_server = FakeServer::start().await;
    let (fhir, credential) = (fake_server.fhir(), fake_server.credential());
    let (url, head) = (fhir.url("Patient").unwrap(), bearer(&fhir, &credential).await);
    let (begun, moment) = (Instant::now(), Duration::from_millis(20));
    fake_server.inject_fault(1, Fault::Delay(moment));
    assert!(exchange(&url, &head).starts_with("HTTP/1.1 200") && begun.elapsed() >= moment);

    fake_server.inject_fault(1, Fault::Delay(Duration::from_secs(3_600)));
    let slow = std::thread::spawn({
        let (url, head) = (url.clone(), head.clone());
        move || exchange(&url, &head)
    });
    while fake_server.received().len() < 2 {
        std::thread::yield_now();
    }
    assert!(exchange(&url, &head).starts_with("HTTP/1.1 200") && !slow.is_finished());
    drop(fake_server);
    assert_eq!(slow.join().unwrap(), "");
}

#[tokio::test]
async fn a_stand_in_can_be_dropped_by_a_task_that_has_used_up_its_share_of_the_runtime() {
    let mut fake_server = Some(FakeServer::start().await);
    std::future::poll_fn(|cx| {
        while let Poll::Ready(used) = coop::poll_proceed(cx) {
            used.made_progress();
        }
        fake_server = None;
        Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn a_stand_in_that_is_dropped_answers_no_more() {
    let fake_server = FakeServer::start().await;
    let address = fake_server.fhir().endpoint().socket_addrs(|| None).unwrap();
    drop(fake_server);
    let patience = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(&*address).is_ok() {
        assert!(Instant::now() < patience);
        std::thread::yield_now();
    }
}
