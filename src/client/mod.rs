//! [`HealthcareClient`]: authenticated requests to one service.

mod auth;
mod body;
mod builder;
mod config;
mod failure;
mod headers;
mod methods;
mod pools;
mod request;
mod response;
mod response_body;
mod retry;
mod send;

use std::{fmt, sync::Arc};

use azure_core::credentials::TokenCredential;

use self::auth::Auth;
use self::config::Config;
use self::pools::Location;
use crate::{Audience, Authenticator, Error, ErrorKind, HealthcareAuth, Result};

pub use body::Body;
pub use builder::HealthcareClientBuilder;
pub use request::RequestBuilder;
pub use response::{Response, StreamedResponse};

/// An HTTP client for one FHIR or DICOM service, which sends an access token with every request.
///
/// * Paths are resolved below the service's base URL. A URL outside it is an error, and no token is fetched for it.
/// * Redirects are not followed. The caller gets the redirect response.
/// * After a 401, the client asks the credential for a new token and replays the request once. If there is no new token,
///   or the service rejects it too, the error explains the [`Denial`](crate::Denial).
/// * After a failure, a request is retried only if sending it twice is safe: at most 3 times, and never later than 30 s
///   after it was first sent. See [`RequestBuilder::idempotent`]. To limit the total time, use [`tokio::time::timeout`]:
///   a request can be canceled at any time, but the service may already have processed it.
///
/// Clones share tokens and connections, and so do clients created by [`for_audience`](Self::for_audience). Requests
/// must be sent from within a Tokio runtime that has I/O and time enabled, as `#[tokio::main]` does.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{HealthcareClient, ServiceKind};
/// use serde_json::{Value, json};
/// # use azure_healthcare_auth::DicomVersion;
/// # use azure_healthcare_auth_testing::FakeServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let fake_server = FakeServer::start().await;
/// # let (records, imaging, credential) = (fake_server.fhir(), fake_server.dicom(DicomVersion::V2), fake_server.credential());
/// let fhir = HealthcareClient::new(records, credential);
/// let bundle: Value = fhir.get("Patient").query("_count", "10").send().await?.json()?;
/// assert_eq!(bundle["resourceType"], "Bundle");
/// fhir.post("Patient").json(&json!({ "resourceType": "Patient" })).send().await?.error_for_status()?;
///
/// // The DICOM service of the same workspace, with the same credential.
/// let dicom = fhir.for_audience(imaging)?;
/// assert_eq!(dicom.audience().service(), ServiceKind::Dicom);
/// let changes: Vec<Value> = dicom.get("changefeed").query("limit", "20").send().await?.json()?;
/// assert_eq!(changes.len(), 20);
/// # Ok(()) }
/// ```
pub struct HealthcareClient<A> {
    auth: Auth<A>,
    config: Arc<Config>,
    /// The location of the audience's endpoint.
    location: Location,
}

impl<A: Audience> HealthcareClient<A> {
    /// Creates a client with default settings that gets its tokens from `credential`.
    ///
    /// Use [`builder`](Self::builder) to change the settings.
    #[must_use]
    pub fn new(audience: A, credential: Arc<dyn TokenCredential>) -> Self {
        Self::from(Authenticator::new(audience, credential))
    }

    /// Creates a client with default settings that gets its tokens from `auth`, for example a fake in a test.
    ///
    /// If you have an [`Authenticator`], use `HealthcareClient::from(authenticator)` instead. The client then supports
    /// [`for_audience`](Self::for_audience), and uses the authenticator's clock to explain denied requests.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, HealthcareClient};
    /// use std::sync::Arc;
    /// # use azure_healthcare_auth_testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
    /// let auth = Arc::new(Authenticator::new(audience, credential.clone()));
    /// let fhir = HealthcareClient::from_auth(auth.clone());
    /// fhir.get("Patient").send().await?.error_for_status()?;
    /// // Another HTTP stack can send the same cached token.
    /// let value = auth.authorization().await?;
    /// assert_eq!(credential.calls(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn from_auth(auth: Arc<dyn HealthcareAuth<Audience = A>>) -> Self {
        Self::with_config(Auth::Custom(auth), Arc::default())
    }

    fn with_config(auth: Auth<A>, config: Arc<Config>) -> Self {
        let location = Location::of(auth.audience().endpoint());
        Self { auth, config, location }
    }

    /// Creates a client for another audience that shares this client's credential, tokens, settings and connections.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Request`] if the client was created from an `Arc<dyn HealthcareAuth>`, because its audience
    /// is fixed.
    pub fn for_audience<B: Audience>(&self, audience: B) -> Result<HealthcareClient<B>> {
        let Auth::Authenticator(authenticator) = &self.auth else {
            let message = "this client cannot change its audience because its `HealthcareAuth` has a fixed one \
                (create a client for the other audience, or create this one from an `Authenticator`)";
            return Err(Error::new(ErrorKind::Request, message));
        };
        let auth = Auth::Authenticator(authenticator.for_audience(audience));
        Ok(HealthcareClient::with_config(auth, self.config.clone()))
    }

    /// Returns the audience: the service's base URL and the resource that tokens are requested for.
    #[must_use]
    pub fn audience(&self) -> &A {
        self.auth.audience()
    }
}

/// Creates a client with default settings that shares the authenticator's credential and tokens.
impl<A: Audience> From<Authenticator<A>> for HealthcareClient<A> {
    fn from(authenticator: Authenticator<A>) -> Self {
        Self::with_config(Auth::Authenticator(authenticator), Arc::default())
    }
}

impl<A> Clone for HealthcareClient<A> {
    fn clone(&self) -> Self {
        Self { auth: self.auth.clone(), config: self.config.clone(), location: self.location }
    }
}

impl<A: Audience> fmt::Debug for HealthcareClient<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthcareClient")
            .field("audience", self.audience())
            .field("body_limit", &self.config.body_limit)
            .field("idle_timeout", &self.config.idle_timeout)
            .finish_non_exhaustive()
    }
}
