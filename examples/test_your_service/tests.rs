//! What the service promises, each with the stand-in in a state in which it could break.

use std::{sync::Arc, time::Duration};

use axum::body::{Body, to_bytes};
use azure_core::credentials::TokenCredential;
use azure_healthcare_auth::testing::{Fault, ScriptedCredential, StandIn, StandInCredential};
use http::Request;
use tower::ServiceExt;

use super::*;

/// Asks the service, without a port of its own.
async fn ask(stand_in: &StandIn, credential: Arc<dyn TokenCredential>) -> (u16, String) {
    let service = service(HealthcareClient::new(stand_in.fhir(), credential));
    let request = Request::get("/patients/count").body(Body::empty()).unwrap();
    let response = service.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn all_patients_are_counted_and_one_is_fetched() {
    let stand_in = StandIn::builder().patients(41).patient(&json!({"resourceType": "Patient", "id": "p"}));
    let stand_in = stand_in.start().await;
    assert_eq!(ask(&stand_in, stand_in.credential()).await, (200, r#"{"count":42}"#.to_owned()));

    let received = stand_in.received();
    assert_eq!(received[0].url().query(), Some("_total=accurate&_count=1"));
    assert_eq!(received.len(), 1);
}

#[tokio::test]
async fn a_reader_can_run_it() {
    let stand_in = StandIn::start().await;
    let reader = Arc::new(StandInCredential::new().with_roles(&["FHIR Data Reader"]));
    assert_eq!(ask(&stand_in, reader).await.0, 200);
}

#[tokio::test]
async fn a_busy_moment_and_a_cut_connection_are_not_noticed() {
    let stand_in = StandIn::start().await;
    stand_in.fail_next(1, Fault::Throttled(Duration::ZERO));
    stand_in.fail_next(1, Fault::Cut);
    assert_eq!(ask(&stand_in, stand_in.credential()).await.0, 200);
    assert_eq!(stand_in.received().len(), 3);
}

#[tokio::test]
async fn who_calls_is_told_nothing_about_patients_or_tokens_where_it_is_refused() {
    let stand_in = StandIn::start().await;
    for fault in [Fault::NoRole, Fault::WrongAudience, Fault::BadSignature] {
        // Twice: after a 401 the client tries once more, with another token.
        stand_in.fail_next(2, fault);
        let answer = ask(&stand_in, stand_in.credential()).await;
        assert_eq!(answer, (502, "The records do not answer as they should.".to_owned()));
        stand_in.recover();
    }
}

#[tokio::test]
async fn without_a_token_it_says_not_now_and_asks_nothing() {
    let stand_in = StandIn::start().await;
    let signed_out = Arc::new(ScriptedCredential::new().error("Please run 'az login'"));
    let answer = ask(&stand_in, signed_out.clone()).await;
    assert_eq!(answer, (503, "The records cannot be reached now.".to_owned()));
    assert_eq!((signed_out.calls(), stand_in.received().len()), (1, 0));
}
