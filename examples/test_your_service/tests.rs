//! What the service promises, each with the stand-in in a state in which it could break.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, to_bytes};
use azure_core::credentials::TokenCredential;
use azure_healthcare_auth::testing::{FakeCredential, FakeServer, Fault, ScriptedCredential};
use http::Request;
use tower::ServiceExt;

use super::*;

/// Asks the service, without a port of its own.
async fn ask(fake_server: &FakeServer, credential: Arc<dyn TokenCredential>) -> (u16, String) {
    let service = service(HealthcareClient::new(fake_server.fhir(), credential));
    let request = Request::get("/patients/count").body(Body::empty()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn all_patients_are_counted_and_one_is_fetched() {
    let fake_server =
        FakeServer::builder().patients(41).patient(&json!({"resourceType": "Patient", "id": "p"}));
    let fake_server = fake_server.start().await;
    assert_eq!(ask(&fake_server, fake_server.credential()).await, (200, r#"{"count":42}"#.to_owned()));

    let received = fake_server.received();
    assert_eq!(received[0].url().query(), Some("_total=accurate&_count=1"));
    assert_eq!(received.len(), 1);
}

#[tokio::test]
async fn a_reader_can_run_it() {
    let fake_server = FakeServer::start().await;
    let reader = Arc::new(FakeCredential::new().with_roles(&["FHIR Data Reader"]));
    assert_eq!(ask(&fake_server, reader).await.0, 200);
}

#[tokio::test]
async fn a_busy_moment_and_a_cut_connection_are_not_noticed() {
    let fake_server = FakeServer::start().await;
    fake_server.inject_fault(1, Fault::Throttled(Duration::ZERO));
    fake_server.inject_fault(1, Fault::TruncatedBody);
    assert_eq!(ask(&fake_server, fake_server.credential()).await.0, 200);
    assert_eq!(fake_server.received().len(), 3);
}

#[tokio::test]
async fn who_calls_is_told_nothing_about_patients_or_tokens_where_it_is_refused() {
    let fake_server = FakeServer::start().await;
    for fault in [Fault::MissingRole, Fault::WrongAudience, Fault::InvalidSignature] {
        // Twice: after a 401 the client tries once more, with another token.
        fake_server.inject_fault(2, fault);
        let answer = ask(&fake_server, fake_server.credential()).await;
        assert_eq!(answer, (502, "The records do not answer as they should.".to_owned()));
        fake_server.clear_faults();
    }
}

#[tokio::test]
async fn without_a_token_it_says_not_now_and_asks_nothing() {
    let fake_server = FakeServer::start().await;
    let signed_out = Arc::new(ScriptedCredential::new().error("Please run 'az login'"));
    let answer = ask(&fake_server, signed_out.clone()).await;
    assert_eq!(answer, (503, "The records cannot be reached now.".to_owned()));
    assert_eq!((signed_out.calls(), fake_server.received().len()), (1, 0));
}
