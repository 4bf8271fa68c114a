//! Errors for a missing role or token, and the refresh of tokens over hours.

use std::{sync::Arc, time::Duration};

use azure_healthcare_auth_testing::{FakeCredential, FakeServer, Fault, ScriptedCredential};
use serde_json::{Value, json};

use crate::support::Hospital;

#[tokio::test]
async fn missing_role_is_a_bad_gateway_and_the_worker_status_has_the_fix() {
    let mut hospital = Hospital::new().await;
    let now = hospital.clock.clone();
    let reader = FakeCredential::new().with_roles(&["FHIR Data Reader"]).with_clock(move || now.now());
    hospital.restart_as(Arc::new(reader));
    assert_eq!(hospital.get("/patients").await.status, 200);
    for line in ["POST /exports", "POST /patients"] {
        let admission = json!({ "recordNumber": "A1", "family": "Example", "given": [] });
        let reply = hospital.send(line, admission).await;
        let message = "this service lacks a role or has an invalid token, see its log";
        assert_eq!((reply.status, reply.body, reply.retry_after), (502, json!(message), None), "{line}");
    }
    assert!(hospital.worker.run_once().await.is_err());
    let error = hospital.get("/worker").await.body["error"].as_str().unwrap().to_owned();
    assert!(
        error.starts_with("403 from the DICOM service") && error.contains("DICOM Data Reader"),
        "{error}"
    );
}

#[tokio::test]
async fn temporary_failures_are_reported_with_the_time_of_a_retry() {
    let mut hospital = Hospital::new().await;
    hospital.fake.inject_fault(1, Fault::Throttled(Duration::from_secs(60)));
    let reply = hospital.get("/patients").await;
    assert_eq!((reply.status, reply.retry_after.as_deref()), (503, Some("60")));

    hospital.restart_as(Arc::new(ScriptedCredential::new().error("the sign-in failed")));
    let reply = hospital.get("/patients").await;
    assert_eq!((reply.status, reply.body), (503, json!("a service is temporarily unavailable")));
}

#[tokio::test]
async fn tokens_are_refreshed_over_hours_without_a_rejected_request() {
    let hospital = Hospital::with(FakeServer::builder().patients(1)).await;
    for _ in 0..12 {
        hospital.clock.advance(Duration::from_secs(30 * 60));
        assert_eq!(hospital.get("/patients").await.status, 200);
        hospital.worker.run_once().await.unwrap();
    }
    assert!(hospital.received().iter().all(|(_, status)| *status < 300), "{:?}", hospital.received());
    assert!((12..=24).contains(&hospital.fake.credential().calls()));
    assert_eq!(hospital.send("GET /worker", Value::Null).await.body["passes"], 12);
}
