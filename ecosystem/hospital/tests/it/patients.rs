//! Patients: listing, admission, change of address.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use azure_healthcare_auth_testing::{FakeServer, FakeService, Fault, RequestFilter};
use serde_json::{Value, json};

use crate::support::Hospital;

fn admission(record_number: &str) -> Value {
    json!({ "recordNumber": record_number, "family": "Example", "given": ["Ada"], "birthDate": "1990-01-31" })
}

fn address() -> Value {
    json!({ "line": ["1 Main Street"], "city": "Springfield", "postalCode": "12345" })
}

#[tokio::test]
async fn all_pages_are_listed_although_one_is_throttled_and_one_is_truncated() {
    let hospital = Hospital::with(FakeServer::builder().patients(250)).await;
    let pages = |n| RequestFilter::nth(n).service(FakeService::Fhir).path_prefix("/Patient");
    hospital.fake.inject_fault(pages(2), Fault::Throttled(Duration::ZERO));
    hospital.fake.inject_fault(pages(3), Fault::TruncatedBody);
    let reply = hospital.get("/patients").await;
    assert_eq!(reply.status, 200);
    let ids: Vec<_> = reply.body.as_array().unwrap().iter().map(|patient| patient["id"].clone()).collect();
    let expected: Vec<_> = (1..=250).map(|number| json!(format!("example-{number:04}"))).collect();
    assert_eq!(ids, expected);
    assert_eq!(hospital.received().len(), 5);
}

#[tokio::test]
async fn admission_creates_one_patient_however_often_it_is_sent() {
    let hospital = Hospital::new().await;
    let first = hospital.send("POST /patients", admission("A1")).await;
    let second = hospital.send("POST /patients", admission("A1")).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(first.body, second.body);
    assert_eq!(first.body["name"], json!([{ "family": "Example", "given": ["Ada"] }]));

    let other = hospital.send("POST /patients", admission("A2")).await;
    assert_eq!(other.status, 201);
    assert_eq!(hospital.fake.resources("Patient").len(), 2);
}

#[tokio::test]
async fn concurrent_admissions_create_one_patient() {
    let hospital = Hospital::new().await;
    let admit = || hospital.send("POST /patients", admission("A1"));
    let (first, second) = tokio::join!(admit(), admit());
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 201]);
    assert_eq!(hospital.fake.resources("Patient").len(), 1);
}

#[tokio::test]
async fn admission_whose_response_is_lost_creates_one_patient() {
    let hospital = Hospital::new().await;
    hospital.fake.inject_fault(1, Fault::TruncatedBody);
    assert_eq!(hospital.send("POST /patients", admission("A1")).await.status, 200);
    assert_eq!(hospital.received().len(), 2);
    assert_eq!(hospital.fake.resources("Patient").len(), 1);
}

#[tokio::test]
async fn record_number_of_several_patients_is_a_conflict() {
    let hospital = Hospital::new().await;
    let system = "https://hospital.example/record-number";
    for _ in 0..2 {
        let identifier = json!([{ "system": system, "value": "A1" }]);
        hospital.fake.put_resource(&json!({ "resourceType": "Patient", "identifier": identifier }));
    }
    let reply = hospital.send("POST /patients", admission("A1")).await;
    assert_eq!((reply.status, reply.body), (409, json!("several Patients have this record number")));
}

#[tokio::test]
async fn invalid_requests_are_rejected_before_anything_is_sent() {
    let hospital = Hospital::new().await;
    for (line, body, status) in [
        ("POST /patients", admission(""), 400),
        ("POST /patients", admission("A1,B2"), 400),
        ("POST /patients", json!({ "recordNumber": "A1" }), 400),
        ("PUT /patients/a/address", json!({}), 400),
        ("PUT /patients/..%2Fmetadata/address", address(), 404),
        ("PUT /patients/../address", address(), 404),
    ] {
        let reply = hospital.send(line, body.clone()).await;
        assert_eq!(reply.status, status, "{line} {body}");
    }
    assert_eq!(hospital.received(), []);
}

#[tokio::test]
async fn change_of_address_keeps_everything_else() {
    let patient = r#"{"resourceType":"Patient","id":"p1","active":true,"address":[{"city":"Old"}],
        "extension":[{"url":"https://hospital.example/height","valueDecimal":1.70}]}"#;
    let hospital = Hospital::new().await;
    let patient: Box<serde_json::value::RawValue> = serde_json::from_str(patient).unwrap();
    hospital.fake.put_resource(&patient);
    assert_eq!(hospital.send("PUT /patients/p1/address", address()).await.status, 204);
    let saved = hospital.fake.resource("Patient", "p1").unwrap();
    assert_eq!((&saved["address"], &saved["active"]), (&json!([address()]), &json!(true)));
    let sent = hospital.fake.requests();
    let body = std::str::from_utf8(sent.last().unwrap().body()).unwrap();
    assert!(body.contains(r#""valueDecimal":1.70}"#), "{body}");
}

#[tokio::test]
async fn conflicting_changes_of_an_address_are_resolved() {
    let hospital = Hospital::with(FakeServer::builder().patients(1)).await;
    let change = || hospital.send("PUT /patients/example-0001/address", address());

    // The service processes the update, but the client loses the response and sends it again: 412.
    let update = RequestFilter::nth(1).method(Method::PUT);
    hospital.fake.inject_fault(update, Fault::TruncatedBody);
    assert_eq!(change().await.status, 204);
    let statuses: Vec<_> = hospital.received().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, [200, 200, 412, 200, 200]);

    let (first, second) = tokio::join!(change(), change());
    assert_eq!((first.status, second.status), (204, 204));
}

#[tokio::test]
async fn endless_conflict_is_reported() {
    let hospital = Hospital::with(FakeServer::builder().patients(1)).await;
    let updates = RequestFilter::all().method(Method::PUT);
    hospital.fake.inject_fault(updates, Fault::Status(StatusCode::PRECONDITION_FAILED));
    let reply = hospital.send("PUT /patients/example-0001/address", address()).await;
    assert_eq!(reply.status, 409);
    assert_eq!(hospital.received().len(), 8);
}

#[tokio::test]
async fn missing_and_deleted_patients_are_not_found() {
    let hospital = Hospital::with(FakeServer::builder().patients(1)).await;
    hospital.fake.delete_resource("Patient", "example-0001");
    for id in ["example-0001", "unknown"] {
        let reply = hospital.send(&format!("PUT /patients/{id}/address"), address()).await;
        assert_eq!((reply.status, reply.body), (404, json!("there is no such Patient")));
    }
}
