//! [`ReceivedRequest`]: a request that a fake service received.

use std::fmt;

use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::ServiceKind;

/// A request that a service of the [`FakeServer`](super::FakeServer) received, and the status of its response.
///
/// It contains the token, the URL and the body as they were sent. Its `Debug` output shows none of them.
///
/// # Examples
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
/// let request = &received[0];
/// assert_eq!(request.service(), ServiceKind::Fhir);
/// assert_eq!(request.method(), "POST");
/// assert_eq!(request.url().path(), "/Patient");
/// assert_eq!(request.headers()["content-type"], "application/fhir+json");
/// assert_eq!(request.body(), br#"{"resourceType":"Patient"}"#);
/// assert_eq!(request.status(), 201);
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
    /// Returns the kind of service that received the request.
    #[must_use]
    pub fn service(&self) -> ServiceKind {
        self.service
    }

    /// Returns the method of the request.
    #[must_use]
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Returns the URL of the request. Its origin is always the service's own, whatever the `Host` header contained.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the headers of the request, including `Authorization`.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body of the request, or an empty slice if it had none.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Returns the status of the response, even if [`Fault::TruncatedBody`](super::Fault::TruncatedBody) cut it off.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// Shows the service, the method and the status, but no URL, header or body.
impl fmt::Debug for ReceivedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedRequest")
            .field("service", &self.service)
            .field("method", &self.method)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
