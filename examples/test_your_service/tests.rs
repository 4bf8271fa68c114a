//! Tests of the service against a fake server.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, to_bytes};
use azure_core::credentials::TokenCredential;
use azure_healthcare_auth_testing::{FakeCredential, FakeServer, Fault, ScriptedCredential};
use http::Request;
use tower::ServiceExt;

use super::*;

/// Sends a request to the service in memory, without a network port.
async fn get_count(fake_server: &FakeServer, credential: Arc<dyn TokenCredential>) -> (u16, String) {
    let service = service(HealthcareClient::new(fake_server.fhir(), credential));
    let request = Request::get("/patients/count").body(Body::empty()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn all_patients_are_counted_with_one_request() {
    let fake_server =
        FakeServer::builder().patients(41).resource(&json!({"resourceType": "Patient", "id": "p"}));
    let fake_server = fake_server.start().await;
    assert_eq!(get_count(&fake_server, fake_server.credential()).await, (200, r#"{"count":42}"#.to_owned()));

    let received = fake_server.requests();
    assert_eq!(received[0].url().query(), Some("_total=accurate&_count=1"));
    assert_eq!(received.len(), 1);
}

#[tokio::test]
async fn reader_role_is_sufficient() {
    let fake_server = FakeServer::start().await;
    let reader = Arc::new(FakeCredential::new().with_roles(&["FHIR Data Reader"]));
    assert_eq!(get_count(&fake_server, reader).await.0, 200);
}

#[tokio::test]
async fn throttled_and_truncated_responses_are_retried() {
    let fake_server = FakeServer::start().await;
    fake_server.inject_fault(1, Fault::Throttled(Duration::ZERO));
    fake_server.inject_fault(1, Fault::TruncatedBody);
    assert_eq!(get_count(&fake_server, fake_server.credential()).await.0, 200);
    assert_eq!(fake_server.requests().len(), 3);
}

#[tokio::test]
async fn denial_is_reported_without_details() {
    let fake_server = FakeServer::start().await;
    for fault in [Fault::MissingRole, Fault::WrongAudience, Fault::InvalidSignature] {
        // Two faults, because the client replays a request after a 401 with another token.
        fake_server.inject_fault(2, fault);
        let response = get_count(&fake_server, fake_server.credential()).await;
        assert_eq!(response, (502, "The records cannot be read.".to_owned()));
        fake_server.clear_faults();
    }
}

#[tokio::test]
async fn credential_error_is_reported_as_unavailable_and_sends_no_request() {
    let fake_server = FakeServer::start().await;
    let signed_out = Arc::new(ScriptedCredential::new().error("Please run 'az login'"));
    let response = get_count(&fake_server, signed_out.clone()).await;
    assert_eq!(response, (503, "The records are temporarily unavailable.".to_owned()));
    assert_eq!((signed_out.calls(), fake_server.requests().len()), (1, 0));
}
