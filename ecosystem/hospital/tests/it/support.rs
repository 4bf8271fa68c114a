//! [`Hospital`]: the service with fakes of the services that it uses.

use axum::{Router, body::Body, body::to_bytes, http::Request};
use azure_healthcare_auth::{Authenticator, DicomVersion, HealthcareClient};
use azure_healthcare_auth_testing::{FakeClock, FakeServer, FakeServerBuilder, ReceivedRequest};
use hospital::{Services, Settings, Storage, hospital};
use serde_json::Value;
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use tower::ServiceExt;

pub struct Hospital {
    pub fake: FakeServer,
    /// The clock of the fakes and of the service.
    pub clock: FakeClock,
    pub api: Router,
    folder: TempDir,
}

/// A response of the service.
#[derive(Debug, PartialEq)]
pub struct Reply {
    pub status: u16,
    pub retry_after: Option<String>,
    pub location: Option<String>,
    /// JSON, or text as a string.
    pub body: Value,
}

impl Hospital {
    pub async fn new() -> Self {
        Self::with(FakeServer::builder().patients(0).changes(0)).await
    }

    pub async fn with(fake: FakeServerBuilder) -> Self {
        let clock = FakeClock::new();
        let now = || {
            let clock = clock.clone();
            move || clock.now()
        };
        let fake = fake.clock(now()).start().await;
        let folder = TempDir::new().unwrap();
        let auth = Authenticator::builder(fake.fhir(), fake.credential()).clock(now()).build();
        let fhir = HealthcareClient::from(auth);
        let services = Services {
            dicom: fhir.for_audience(fake.dicom(DicomVersion::V2)).unwrap(),
            fhir,
            storage: Storage::new(fake.storage_origin().parse().unwrap(), fake.credential()).unwrap(),
        };
        let settings = Settings { folder: folder.path().to_owned(), interval: Duration::ZERO };
        let api = hospital(services, &settings);
        Self { fake, clock, api, folder }
    }

    /// Sends a request such as `GET /patients` to the service, in memory.
    pub async fn send(&self, line: &str, body: Value) -> Reply {
        self.send_with(line, ("x-test", ""), body).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path}"), Value::Null).await
    }

    pub async fn send_with(&self, line: &str, header: (&str, &str), body: Value) -> Reply {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path).header(header.0, header.1);
        let request = request.header("content-type", "application/json").body(Body::from(body.to_string()));
        let response = self.api.clone().oneshot(request.unwrap()).await.unwrap();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (status, retry_after, location) =
            (response.status().as_u16(), header("retry-after"), header("location"));
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8(body.to_vec()).unwrap()));
        Reply { status, retry_after, location, body }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the method and the path of the requests that the fakes received, and the status of the responses.
    pub fn received(&self) -> Vec<(String, u16)> {
        let line = |request: &ReceivedRequest| format!("{} {}", request.method(), request.url().path());
        self.fake.requests().iter().map(|request| (line(request), request.status().as_u16())).collect()
    }
}
