//! [`ReceivedTokenRequest`]: a request that the fake token endpoint received.

use std::fmt;

use http::{HeaderMap, StatusCode};

use super::form::Form;

/// A token request that a [`FakeTokenEndpoint`](crate::FakeTokenEndpoint) received, and its result.
///
/// It contains the parameters as they were sent, including secrets. Its `Debug` output shows neither secrets nor
/// assertions.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth_testing::{FakeTokenEndpoint, ReceivedTokenRequest};
///
/// /// Describes a request without its secrets.
/// fn describe(request: &ReceivedTokenRequest) -> String {
///     let (grant, client) = (request.grant_type().unwrap_or("?"), request.client_id().unwrap_or("?"));
///     let (tenant, code) = (request.tenant_id(), request.error_code());
///     let has_secret = request.parameter("client_secret").is_some();
///     let agent = request.headers().get("user-agent");
///     format!("{grant} by {client} in {tenant}, with a secret: {has_secret}, error: {code:?}, from {agent:?}")
/// }
///
/// /// Returns the scopes for which a token was issued.
/// fn granted(endpoint: &FakeTokenEndpoint) -> Vec<String> {
///     let received = endpoint.requests();
///     let granted = received.iter().filter(|request| request.status() == 200);
///     granted.filter_map(|request| Some(request.scope()?.to_owned())).collect()
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let endpoint = FakeTokenEndpoint::start().await;
/// # assert!(granted(&endpoint).is_empty());
/// # assert!(endpoint.requests().iter().map(describe).next().is_none());
/// # }
/// ```
#[derive(Clone)]
pub struct ReceivedTokenRequest {
    pub(super) tenant: String,
    pub(super) form: Form,
    pub(super) headers: HeaderMap,
    pub(super) status: StatusCode,
    pub(super) error_code: Option<u32>,
}

impl ReceivedTokenRequest {
    /// Returns the tenant in the path of the request.
    #[must_use]
    pub fn tenant_id(&self) -> &str {
        &self.tenant
    }

    /// Returns the parameter `grant_type`, such as `client_credentials`.
    #[must_use]
    pub fn grant_type(&self) -> Option<&str> {
        self.parameter("grant_type")
    }

    /// Returns the client id, from the parameter or the `Authorization` header.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.parameter("client_id")
    }

    /// Returns the parameter `scope`.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.parameter("scope")
    }

    /// Returns a parameter of the request, such as `client_assertion`, or `None` if it is missing or empty.
    ///
    /// The credentials of an `Authorization` header with the scheme `Basic` are the parameters `client_id` and
    /// `client_secret`.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.form.get(name)
    }

    /// Returns the headers of the request.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the AADSTS code of the response, or `None` for a token or an
    /// [injected status](crate::FakeTokenEndpoint::inject_status).
    #[must_use]
    pub fn error_code(&self) -> Option<u32> {
        self.error_code
    }
}

/// Shows the tenant, the grant type, the client id, the scope and the result, but no other parameter and no header.
impl fmt::Debug for ReceivedTokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedTokenRequest")
            .field("tenant_id", &self.tenant)
            .field("grant_type", &self.grant_type())
            .field("client_id", &self.client_id())
            .field("scope", &self.scope())
            .field("status", &self.status)
            .field("error_code", &self.error_code)
            .finish_non_exhaustive()
    }
}
