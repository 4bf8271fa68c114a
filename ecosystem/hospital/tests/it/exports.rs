//! Exports: polling, download, cancellation.

use std::time::Duration;

use axum::http::StatusCode;
use azure_healthcare_auth_testing::{FakeServer, FakeService, Fault, RequestFilter};
use hospital::Storage;
use serde_json::{Value, json};

use crate::support::{Hospital, Reply, services};

const POLL: &str = "GET /_operations/";

impl Hospital {
    /// Starts an export and returns its path.
    async fn start_export(&self) -> String {
        let reply = self.send("POST /exports", Value::Null).await;
        assert_eq!(reply.status, 202);
        reply.location.unwrap()
    }

    /// Returns the status of an export once it is no longer in progress.
    async fn ended_export(&self, path: &str) -> Reply {
        self.send_with(&format!("GET {path}"), ("prefer", "wait=60"), "").await
    }

    /// Waits until an export in progress reports this time until the next poll.
    async fn until_next_poll(&self, path: &str, seconds: &str) {
        self.until(path, |reply| reply.retry_after.as_deref() == Some(seconds)).await;
    }
}

/// Lets time pass for timers. It stands still otherwise only during this call, because requests have timeouts.
async fn advance(duration: Duration) {
    tokio::time::pause();
    tokio::time::advance(duration).await;
    tokio::time::resume();
}

fn status_requests() -> RequestFilter {
    RequestFilter::next(1).path_prefix("/_operations/")
}

#[tokio::test]
async fn export_is_polled_to_its_end_and_collected_without_the_token_of_the_fhir_service() {
    let observation = json!({ "resourceType": "Observation", "id": "o1", "status": "final" });
    let fake = FakeServer::builder().patients(3).resource(&observation).export_polls(3);
    let hospital = Hospital::with(fake).await;
    let path = hospital.start_export().await;
    let reply = hospital.ended_export(&path).await;
    assert_eq!((reply.status, &reply.body["status"]), (200, &json!("complete")));
    assert_eq!(hospital.count(POLL), 4);

    let folder = hospital.folder().join(path.trim_start_matches('/'));
    assert_eq!(reply.body["files"], json!(["Observation-0.ndjson", "Patient-1.ndjson"]));
    let patients = std::fs::read_to_string(folder.join("Patient-1.ndjson")).unwrap();
    let ids: Vec<_> =
        patients.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    assert_eq!(ids, ["example-0001", "example-0002", "example-0003"]);

    assert_eq!(hospital.fake.storage_requests_with_token(), 2);
    for request in hospital.fake.requests() {
        let to_storage = request.service() == FakeService::Storage;
        let for_storage = request.token_audience().as_deref() == Some("https://storage.azure.com");
        assert_eq!(to_storage, for_storage);
    }
}

#[tokio::test]
async fn export_is_polled_again_after_the_time_that_the_service_asks_for() {
    let hospital = Hospital::new().await;
    hospital.fake.inject_fault(status_requests(), Fault::Throttled(Duration::from_secs(60)));
    let path = hospital.start_export().await;
    hospital.until_next_poll(&path, "60").await;
    advance(Duration::from_secs(59)).await;
    // Meanwhile, the task could send a request.
    hospital.get("/patients").await;
    assert_eq!(hospital.count(POLL), 1);
    advance(Duration::from_secs(1)).await;
    assert_eq!(hospital.ended_export(&path).await.body["status"], "complete");
    assert_eq!(hospital.count(POLL), 3);
}

#[tokio::test]
async fn cancelled_export_ends_without_files() {
    let hospital = Hospital::with(FakeServer::builder().patients(1)).await;
    hospital.fake.inject_fault(status_requests(), Fault::Throttled(Duration::from_secs(60)));
    let path = hospital.start_export().await;
    hospital.until_next_poll(&path, "60").await;
    for _ in 0..2 {
        assert_eq!(hospital.send(&format!("DELETE {path}"), Value::Null).await.status, 202);
    }
    advance(Duration::from_secs(60)).await;
    assert_eq!(hospital.ended_export(&path).await.body, json!({ "status": "cancelled" }));
    assert_eq!(hospital.count(POLL), 2);
    assert!(!hospital.folder().join("exports").exists());
}

#[tokio::test]
async fn export_that_someone_else_cancelled_is_reported_as_cancelled() {
    let hospital = Hospital::new().await;
    hospital.fake.inject_fault(status_requests(), Fault::Status(StatusCode::NOT_FOUND));
    let path = hospital.start_export().await;
    assert_eq!(hospital.ended_export(&path).await.body, json!({ "status": "cancelled" }));
}

#[tokio::test]
async fn export_with_a_missing_file_or_role_fails() {
    let storage = || RequestFilter::next(1).service(FakeService::Storage);
    for (filter, fault) in [
        (storage(), Fault::Status(StatusCode::NOT_FOUND)),
        (storage(), Fault::TruncatedBody),
        (storage(), Fault::MissingRole),
        (status_requests(), Fault::MissingRole),
    ] {
        let hospital = Hospital::with(FakeServer::builder().patients(1)).await;
        hospital.fake.inject_fault(filter, fault);
        let path = hospital.start_export().await;
        assert_eq!(hospital.ended_export(&path).await.body, json!({ "status": "failed" }));
    }
}

#[tokio::test]
async fn files_outside_the_storage_account_are_not_requested() {
    let mut hospital = Hospital::with(FakeServer::builder().patients(1)).await;
    let credential = hospital.fake.credential();
    let mut services = services(&hospital.fake, credential.clone(), &hospital.clock);
    services.storage =
        Storage::new("https://other.blob.core.windows.net".parse().unwrap(), credential).unwrap();
    hospital.restart_with(services);
    let path = hospital.start_export().await;
    assert_eq!(hospital.ended_export(&path).await.body, json!({ "status": "failed" }));
    assert_eq!(hospital.fake.storage_requests_with_token(), 0);
}

#[tokio::test]
async fn unknown_exports_are_not_found() {
    let hospital = Hospital::new().await;
    for path in ["/exports/1", "/exports/00000000-0000-4000-8000-000000000000"] {
        for method in ["GET", "DELETE"] {
            assert_eq!(hospital.send(&format!("{method} {path}"), Value::Null).await.status, 404);
        }
    }
    assert_eq!(hospital.received(), []);
}
