//! Media types, its sender, time-outs, and where a request can be sent from.

#![cfg(feature = "client")]

use crate::wire::{Fixed, answering, count, credential, dicom, fhir, service};
use azure_healthcare_auth::{ErrorKind, HealthcareClient, testing::FakeServer};
use std::{sync::Arc, time::Duration};
use wiremock::{Mock, ResponseTemplate, matchers::path};

#[tokio::test]
async fn in_the_media_type_of_the_service() {
    let server = service().await;
    let records = HealthcareClient::new(fhir(&server), credential());
    let imaging = records.for_audience(dicom(&server)).unwrap();
    records.put("Patient/1").json(&1).send().await.unwrap();
    imaging.post("workitems").json(&1).send().await.unwrap();
    records
        .put("Patient/1")
        .header("content-type", "a/b")
        .header("accept", "c/d")
        .json(&1)
        .send()
        .await
        .unwrap();
    records.get("Patient").send().await.unwrap();
    let sent: Vec<_> = server
        .received_requests()
        .await
        .unwrap()
        .into_iter()
        .map(|request| {
            let header = |name| request.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
            (header("accept"), header("content-type"))
        })
        .collect();
    let types = |accept: &str, content: &str| (Some(accept.to_owned()), Some(content.to_owned()));
    assert_eq!(sent[0], types("application/fhir+json", "application/fhir+json"));
    assert_eq!(sent[1], types("application/dicom+json", "application/dicom+json"));
    assert_eq!(sent[2], types("c/d", "a/b"));
    assert_eq!(sent[3], (Some("application/fhir+json".to_owned()), None));
}

#[tokio::test]
async fn and_by_what_it_is_sent() {
    let server = service().await;
    HealthcareClient::new(fhir(&server), credential()).get("Patient").send().await.unwrap();
    let sender = concat!("azure_healthcare_auth/", env!("CARGO_PKG_VERSION"));
    assert_eq!(server.received_requests().await.unwrap()[0].headers["user-agent"], sender);
}

#[tokio::test]
async fn but_a_patch_names_its_own() {
    let (server, tokens) = (service().await, credential());
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    let error = client.patch("Patient/1").json(&[1]).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert_eq!((tokens.calls(), count(&server).await), (0, 0));
    let named = client.patch("Patient/1").header("content-type", "application/json-patch+json").json(&[1]);
    named.send().await.unwrap();
    assert_eq!(count(&server).await, 1);
}

#[tokio::test]
async fn with_what_is_asked_for_encoded() {
    let fake_server = FakeServer::start().await;
    let client = HealthcareClient::new(fake_server.dicom(Default::default()), fake_server.credential());
    let since = "2024-01-01T08:00:00+00:00";
    let response =
        client.get("changefeed").query("startTime", since).query("limit", "1").send().await.unwrap();
    assert_eq!(response.json::<Vec<serde_json::Value>>().unwrap().len(), 1);
    let received = fake_server.received();
    assert_eq!(received[0].url().query(), Some("startTime=2024-01-01T08%3A00%3A00%2B00%3A00&limit=1"));
}

#[tokio::test]
async fn and_an_answer_of_nothing_is_none() {
    let server = answering(ResponseTemplate::new(204)).await;
    let response = HealthcareClient::new(dicom(&server), credential()).get("studies").send().await.unwrap();
    assert_eq!(response.json::<Option<Vec<u8>>>().unwrap(), None);
    assert_eq!(response.json::<Vec<u8>>().unwrap_err().kind(), ErrorKind::Decode);
    let empty = answering(ResponseTemplate::new(200)).await;
    let response = HealthcareClient::new(dicom(&empty), credential()).get("studies").send().await.unwrap();
    assert_eq!(response.json::<Option<Vec<u8>>>().unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn and_a_service_that_goes_quiet_is_given_up_after_a_minute() {
    let server = crate::wire::Service::start().await;
    let never = ResponseTemplate::new(200).set_delay(Duration::from_secs(1_000_000));
    Mock::given(path("/never")).respond_with(never).mount(&server).await;
    Mock::given(path("/well")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let client = HealthcareClient::new(fhir(&server), credential());
    // The connection is made in real time, and waits in the pool.
    client.get("well").send().await.unwrap();
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let error = client.get("never").send().await.unwrap_err();
    assert_eq!((error.kind(), started.elapsed().as_secs()), (ErrorKind::Timeout, 60));
}

#[test]
fn outside_a_runtime_it_is_an_error_and_no_panic() {
    let client = HealthcareClient::from_auth(Arc::new(Fixed("http://127.0.0.1:1".parse().unwrap())));
    let mut sending = std::pin::pin!(client.get("Patient").send());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = sending.as_mut().poll(&mut context) else { panic!("it waits") };
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
}
