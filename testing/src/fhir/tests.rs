//! [`Fixture`]: a service whose router a test calls directly.

mod bundles;
mod conditional;
mod export;
mod interactions;
mod search;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{Draft, FhirService, router};
use crate::{
    clock::{Clock, FakeClock},
    context::{Caller, RequestId, Unsupported},
    fault::Faults,
};

/// The service of a test. Its clock starts at 2024-01-01T08:00:00Z.
struct Fixture {
    service: Arc<FhirService>,
    clock: FakeClock,
    roles: Vec<String>,
}

/// A complete response.
struct Received {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
    unsupported: bool,
}

impl Fixture {
    fn new(patients: usize) -> Self {
        let clock = FakeClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_704_096_000));
        let now = {
            let clock = clock.clone();
            Clock::of(move || clock.now())
        };
        let faults = Arc::new(std::sync::Mutex::new(Faults::default()));
        let service = FhirService::new("http://here", "http://storage", now, faults, patients, &[]);
        Self { service: Arc::new(service), clock, roles: vec!["FHIR Data Contributor".to_owned()] }
    }

    fn put(&self, resource: Value) {
        let now = self.service.now();
        self.service.store().put(Draft::of(&resource).unwrap(), now);
    }

    /// Sends a request, as FHIR JSON if it has a body.
    fn send(&self, line: &str, body: &str) -> Received {
        let content_type = ("content-type", "application/fhir+json");
        self.send_with(line, body, if body.is_empty() { &[] } else { std::slice::from_ref(&content_type) })
    }

    fn send_with(&self, line: &str, body: &str, headers: &[(&str, &str)]) -> Received {
        let (method, target) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .extension(RequestId("request".to_owned()))
            .extension(Caller { roles: self.roles.clone() })
            .body(Body::from(body.to_owned()))
            .unwrap();
        let exchange = async {
            let (head, body) = router(self.service.clone()).oneshot(request).await.unwrap().into_parts();
            (head, body.collect().await.unwrap().to_bytes())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (head, body) = runtime.block_on(exchange);
        Received {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
            unsupported: head.extensions.get::<Unsupported>().is_some(),
        }
    }
}

impl Received {
    fn status(&self) -> u16 {
        self.status.as_u16()
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Returns a header, or an empty text if there is none.
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the status and the code of the first issue.
    fn error(&self) -> (u16, String) {
        let value = self.value();
        assert_eq!((&value["resourceType"], &value["id"]), (&"OperationOutcome".into(), &"request".into()));
        (self.status(), value["issue"][0]["code"].as_str().unwrap_or_default().to_owned())
    }
}
