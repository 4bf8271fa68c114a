//! Exports: polling, download, cancellation.

use std::time::Duration;

use azure_healthcare_auth_testing::{FakeServer, FakeService, Fault, RequestFilter};
use serde_json::{Value, json};

use crate::support::{Hospital, Reply};

impl Hospital {
    /// Starts an export and returns its path.
    async fn start_export(&self) -> String {
        let reply = self.send("POST /exports", Value::Null).await;
        assert_eq!(reply.status, 202);
        reply.location.unwrap()
    }

    /// Returns the status of an export once it has ended.
    async fn ended_export(&self, path: &str) -> Reply {
        self.send_with(&format!("GET {path}"), ("prefer", "wait=60"), Value::Null).await
    }

    fn polls(&self) -> usize {
        self.received().iter().filter(|(line, _)| line.starts_with("GET /_operations/")).count()
    }
}

#[tokio::test]
async fn export_is_polled_to_its_end_and_collected_without_the_token_of_the_fhir_service() {
    let observation = json!({ "resourceType": "Observation", "id": "o1", "status": "final" });
    let fake = FakeServer::builder().patients(3).resource(&observation).export_polls(3);
    let hospital = Hospital::with(fake).await;
    let path = hospital.start_export().await;
    let reply = hospital.ended_export(&path).await;
    assert_eq!((reply.status, &reply.body["status"]), (200, &json!("complete")));
    assert_eq!(hospital.polls(), 4);

    let folder = hospital.folder().join(path.trim_start_matches('/'));
    let names: Vec<_> = reply.body["files"].as_array().unwrap().iter().map(|file| &file["name"]).collect();
    assert_eq!(names, ["Observation-0.ndjson", "Patient-1.ndjson"]);
    let patients = std::fs::read_to_string(folder.join("Patient-1.ndjson")).unwrap();
    let ids: Vec<Value> =
        patients.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    assert_eq!(ids, ["example-0001", "example-0002", "example-0003"]);

    for request in hospital.fake.requests() {
        let to_storage = request.service() == FakeService::Storage;
        let for_storage = request.token_audience().as_deref() == Some("https://storage.azure.com");
        assert_eq!(to_storage, for_storage);
    }
}
