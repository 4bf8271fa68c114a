//! Media types, user agent, timeouts and runtimes of requests.

#![cfg(feature = "client")]

use std::{sync::Arc, time::Duration};

use azure_healthcare_auth::{ErrorKind, HealthcareClient};
use azure_healthcare_auth_testing::FakeServer;
use wiremock::{Mock, ResponseTemplate, matchers::path};

use crate::wire::{FixedAuth, count, credential, dicom, fhir, responding, service};

#[tokio::test]
async fn media_type_depends_on_the_service_and_can_be_replaced() {
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
async fn user_agent_names_the_crate_and_its_version() {
    let server = service().await;
    HealthcareClient::new(fhir(&server), credential()).get("Patient").send().await.unwrap();
    let user_agent = concat!("azure_healthcare_auth/", env!("CARGO_PKG_VERSION"));
    assert_eq!(server.received_requests().await.unwrap()[0].headers["user-agent"], user_agent);
}

#[tokio::test]
async fn patch_without_content_type_is_an_error() {
    let (server, tokens) = (service().await, credential());
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    let error = client.patch("Patient/1").json(&[1]).send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert_eq!((tokens.calls(), count(&server).await), (0, 0));
    let patch = client.patch("Patient/1").header("content-type", "application/json-patch+json").json(&[1]);
    patch.send().await.unwrap();
    assert_eq!(count(&server).await, 1);
}

#[tokio::test]
async fn query_parameters_are_percent_encoded() {
    let fake_server = FakeServer::start().await;
    let client = HealthcareClient::new(fake_server.dicom(Default::default()), fake_server.credential());
    let since = "2024-01-01T08:00:00+00:00";
    let response =
        client.get("changefeed").query("startTime", since).query("limit", "1").send().await.unwrap();
    assert_eq!(response.json::<Vec<serde_json::Value>>().unwrap().len(), 1);
    let received = fake_server.requests();
    assert_eq!(received[0].url().query(), Some("startTime=2024-01-01T08%3A00%3A00%2B00%3A00&limit=1"));
}

#[tokio::test]
async fn empty_204_deserializes_as_none_and_empty_200_does_not() {
    let server = responding(ResponseTemplate::new(204)).await;
    let response = HealthcareClient::new(dicom(&server), credential()).get("studies").send().await.unwrap();
    assert_eq!(response.json::<Option<Vec<u8>>>().unwrap(), None);
    assert_eq!(response.json::<Vec<u8>>().unwrap_err().kind(), ErrorKind::Decode);
    let empty = responding(ResponseTemplate::new(200)).await;
    let response = HealthcareClient::new(dicom(&empty), credential()).get("studies").send().await.unwrap();
    assert_eq!(response.json::<Option<Vec<u8>>>().unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn request_without_response_times_out_after_60_seconds() {
    let server = crate::wire::Service::start().await;
    let delayed = ResponseTemplate::new(200).set_delay(Duration::from_secs(1_000_000));
    Mock::given(path("/delayed")).respond_with(delayed).mount(&server).await;
    Mock::given(path("/ok")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let client = HealthcareClient::new(fhir(&server), credential());
    // Opens a pooled connection in real time, before the clock is paused.
    client.get("ok").send().await.unwrap();
    tokio::time::pause();
    let started = tokio::time::Instant::now();
    let error = client.get("delayed").send().await.unwrap_err();
    assert_eq!((error.kind(), started.elapsed().as_secs()), (ErrorKind::Timeout, 60));
}

#[test]
fn sending_outside_a_runtime_is_an_error() {
    let client = HealthcareClient::from_auth(Arc::new(FixedAuth("http://127.0.0.1:1".parse().unwrap())));
    let mut sending = std::pin::pin!(client.get("Patient").send());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = sending.as_mut().poll(&mut context) else {
        panic!("the request is pending")
    };
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
}
