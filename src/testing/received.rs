//! [`ReceivedRequest`]: a request as a service of the stand-in received it.

use std::fmt;

use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::ServiceKind;

/// A request as a service of the [`FakeServer`](super::FakeServer) received it, and the status of its answer.
///
/// It holds the token, the URL and the body as they came; `Debug` shows none of them. No method panics.
///
/// ```
/// use azure_healthcare_auth::{HealthcareClient, ServiceKind, testing::FakeServer};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let fake_server = FakeServer::start().await;
/// # let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// fhir.post("Patient").json(&json!({ "resourceType": "Patient" })).send().await?;
///
/// let received = fake_server.received();
/// let created = &received[0];
/// assert_eq!((created.service(), created.method().as_str(), created.status().as_u16()), (ServiceKind::Fhir, "POST", 201));
/// assert_eq!(created.url().path(), "/Patient");
/// assert_eq!(created.headers()["content-type"], "application/fhir+json");
/// assert_eq!(created.body(), br#"{"resourceType":"Patient"}"#);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ReceivedRequest {
    pub(super) service: ServiceKind,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) status: StatusCode,
}

impl ReceivedRequest {
    /// Which service received it.
    #[must_use]
    pub fn service(&self) -> ServiceKind {
        self.service
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Its URL, on the service's own origin whatever its `Host` header said.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its headers, `Authorization` among them.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Its body. Empty where it had none.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The status that it was answered with, also where the answer was cut.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// Service, method and status. No URL, no header and no body.
impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("service", &self.service)
            .field("method", &self.method)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
