//! [`ReceivedRequest`]: a request that a fake service received.

use std::fmt;

use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::{service::FakeService, token::TokenClaims};

/// A request that a service of the [`FakeServer`](crate::FakeServer) received, and the status of its response.
///
/// It contains the token, the URL and the body as they were sent. Its `Debug` output shows none of them.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::HealthcareClient;
/// use azure_healthcare_auth_testing::{FakeServer, FakeService};
/// use serde_json::json;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let fake_server = FakeServer::start().await;
/// # let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// fhir.post("Patient").json(&json!({ "resourceType": "Patient" })).send().await?;
///
/// let received = fake_server.requests();
/// let request = &received[0];
/// assert_eq!(request.service(), FakeService::Fhir);
/// assert_eq!(request.method(), "POST");
/// assert_eq!(request.url().path(), "/Patient");
/// assert_eq!(request.target(), "/Patient");
/// assert_eq!(request.token_audience().as_deref(), Some(fake_server.fhir().resource()));
/// assert_eq!(request.headers()["content-type"], "application/fhir+json");
/// assert_eq!(request.body(), br#"{"resourceType":"Patient"}"#);
/// assert_eq!(request.status(), 201);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ReceivedRequest {
    pub(super) service: FakeService,
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) status: StatusCode,
}

impl ReceivedRequest {
    /// Returns the service that received the request.
    #[must_use]
    pub fn service(&self) -> FakeService {
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

    /// Returns the target of the request line verbatim, such as `/Patient?name=A%20B`.
    ///
    /// [`url`](Self::url) is normalized, so it does not show, for example, a `..` or another origin that the client sent.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns the first `aud` claim of the Bearer token in the request, or `None` without a token that is a JWT.
    #[must_use]
    pub fn token_audience(&self) -> Option<String> {
        TokenClaims::from_headers(&self.headers).ok()?.audiences().next().map(str::to_owned)
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

    /// Returns the status of the response, even if [`Fault::TruncatedBody`](crate::Fault::TruncatedBody) cut it off.
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
