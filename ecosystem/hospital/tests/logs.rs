//! The log contains no patient data and no token. A program of its own, because other tests would disable some events.

#[expect(dead_code, reason = "this program uses only a part of it")]
#[path = "it/support.rs"]
mod support;

use std::{
    io::{Result, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::http::StatusCode;
use azure_healthcare_auth_testing::{FakeServer, FakeService, Fault, RequestFilter, dicom_file};
use serde_json::{Value, json};
use tracing::Level;

use self::support::{Hospital, SETTLE, data_set};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn log_explains_failures_without_patient_data_and_tokens() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(move || writer.clone());
    // All tasks of this test run on this thread.
    let _guard = tracing::subscriber::set_default(subscriber.finish());

    let hospital = Hospital::with(FakeServer::builder().patients(1)).await;
    let admission = json!({ "recordNumber": "R4711", "family": "Lovelace", "given": ["Ada"] });
    let address = json!({ "line": ["1 Main Street"], "city": "Springfield", "postalCode": "98765" });
    hospital.send("POST /patients", admission.clone()).await;
    hospital.send("PUT /patients/example-0001/address", address.clone()).await;
    hospital.send("PUT /patients/example-0001/address", json!({ "city": 98765 })).await;
    for fault in [
        Fault::MissingRole,
        Fault::Expired,
        Fault::TruncatedBody,
        Fault::Throttled(Duration::from_secs(60)),
        Fault::Status(StatusCode::IM_A_TEAPOT),
    ] {
        for line in ["GET /patients", "POST /patients", "PUT /patients/example-0001/address"] {
            hospital.fake.inject_fault(RequestFilter::next(1).service(FakeService::Fhir), fault.clone());
            hospital
                .send(line, if line.contains("address") { address.clone() } else { admission.clone() })
                .await;
        }
    }
    hospital.fake.inject_fault(RequestFilter::next(1).service(FakeService::Storage), Fault::MissingRole);
    let export = hospital.send("POST /exports", Value::Null).await.location.unwrap();
    hospital.send_with(&format!("GET {export}"), ("prefer", "wait=60"), "").await;
    let image = dicom_file(&data_set(0));
    for fault in [Fault::Status(StatusCode::IM_A_TEAPOT), Fault::MissingRole, Fault::TruncatedBody] {
        for (line, path) in [("POST", "/v2/studies"), ("GET", "/v2/changefeed"), ("GET", "/v2/studies/")] {
            hospital.send_with("POST /images", ("content-type", "application/dicom"), image.clone()).await;
            hospital.clock.advance(SETTLE + Duration::from_secs(1));
            let method = line.parse().unwrap();
            let filter = RequestFilter::next(1).method(method).path_prefix(path);
            hospital.fake.inject_fault(filter, fault.clone());
            drop(hospital.worker.run_once().await);
        }
    }

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for expected in ["403 from the FHIR service", "403 from the DICOM service", "418", "the export failed"] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
    for secret in
        ["R4711", "Lovelace", "Ada", "example-0001", "Springfield", "98765", "2.25.", "Bearer", "eyJ"]
    {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}
