//! [`HealthcareClient`]: requests to one service, with its token.

mod auth;
mod body;
mod connections;
mod failure;
mod incoming;
mod methods;
mod request;
mod response;
mod retry;
mod send;

use std::{fmt, sync::Arc, time::Duration};

use azure_core::credentials::TokenCredential;

use crate::{Audience, Authenticator, HealthcareAuth, Result, audience::is_loopback};
use auth::Auth;
pub use body::Body;
use connections::Connections;
pub use connections::default_http;
pub use request::RequestBuilder;
pub use response::{Response, StreamedResponse};

/// How much of a body is read into memory, unless told otherwise.
const BODY_LIMIT: usize = 64 * 1024 * 1024;
/// How long a request may stand still, unless told otherwise.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Sends requests to one service: its token on each, nothing of it anywhere else.
///
/// * A path stays below the service's base URL, and a URL elsewhere is refused before a token is fetched.
/// * Redirects are not followed: the answer comes back as it is.
/// * After a 401 the token is renewed and the request sent once more, if there is another token. Where there is none,
///   the error says [why](crate::Denial).
/// * A request is repeated only where it cannot act twice, at most 3 times, and no repeat begins later than 30 s after
///   the first send: see [`RequestBuilder::idempotent`]. To bound the whole of it, use [`tokio::time::timeout`]: giving
///   a request up harms nothing here, but one that was on its way may have acted.
///
/// Clones, and what [`for_audience`](Self::for_audience) makes, share tokens and connections. Requests are sent from within a Tokio runtime
/// that has I/O and time enabled, as `#[tokio::main]` has.
///
/// ```
/// use azure_healthcare_auth::{Audience, HealthcareClient, ServiceKind};
/// use serde_json::{Value, json};
/// # use azure_healthcare_auth::{DicomVersion, testing::FakeServer};
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
/// // The imaging service of the same workspace, by the same credential.
/// let dicom = fhir.for_audience(imaging)?;
/// assert_eq!(dicom.audience().service(), ServiceKind::Dicom);
/// let changes: Vec<Value> = dicom.get("changefeed").query("limit", "20").send().await?.json()?;
/// assert_eq!(changes.len(), 20);
/// # Ok(()) }
/// ```
pub struct HealthcareClient<A: Audience> {
    auth: Auth<A>,
    connections: Arc<Connections>,
    body_limit: usize,
    idle_timeout: Duration,
}

impl<A: Audience> HealthcareClient<A> {
    /// A client that gets its tokens from `credential`: one of `azure_identity`, or your own.
    pub fn new(audience: A, credential: Arc<dyn TokenCredential>) -> Self {
        Self::from(Authenticator::new(audience, credential))
    }

    /// A client that gets its tokens from `auth`: a fixed value in a test, or one that is shared with other code.
    ///
    /// For an [`Authenticator`], `HealthcareClient::from(authenticator)` does more: the client can be moved to another
    /// audience by [`for_audience`](Self::for_audience), and explains refusals by the authenticator's clock.
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, HealthcareClient};
    /// use std::sync::Arc;
    /// # use azure_healthcare_auth::testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
    /// let auth = Arc::new(Authenticator::new(audience, credential.clone()));
    /// let fhir = HealthcareClient::from_auth(auth.clone());
    /// fhir.get("Patient").send().await?.error_for_status()?;
    /// // What another library sends carries the same token.
    /// let header = auth.authorization().await?;
    /// assert_eq!(credential.calls(), 1);
    /// # Ok(()) }
    /// ```
    pub fn from_auth(auth: Arc<dyn HealthcareAuth<Audience = A>>) -> Self {
        Self::with_auth(Auth::Given(auth))
    }

    fn with_auth(auth: Auth<A>) -> Self {
        let connections = Arc::new(Connections::new(is_loopback(auth.audience().endpoint())));
        Self { auth, connections, body_limit: BODY_LIMIT, idle_timeout: IDLE_TIMEOUT }
    }

    /// Sends by what `builder` makes, in place of [`default_http`]: for a proxy, certificates, time-outs of one's own.
    ///
    /// Start from [`default_http`]: a bare builder waits long for a connection. Redirects and verbose logging are switched off in
    /// it, and proxies where the service is on this machine. Its default headers go with every request and its policy
    /// of retries works below this client, unseen: leave both out where they could change what a request does.
    ///
    /// ```
    /// use azure_healthcare_auth::{ErrorKind, HealthcareClient, default_http};
    /// use std::time::Duration;
    /// # use azure_healthcare_auth::testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
    /// // A search that counts may be quiet for minutes, and what it brings has to fit into a small container.
    /// let fhir = HealthcareClient::new(audience, credential)
    ///     .with_http(default_http().user_agent("contoso-statistics/2.1"))
    ///     .with_idle_timeout(Duration::from_secs(5 * 60))
    ///     .with_body_limit(4 * 1024);
    ///
    /// let too_many = fhir.get("Patient").query("_count", "1000").send().await.unwrap_err();
    /// assert_eq!(too_many.kind(), ErrorKind::TooLarge);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_http(self, builder: reqwest::ClientBuilder) -> Self {
        Self { connections: Arc::new(Connections::by(builder, self.connections.loopback())), ..self }
    }

    /// How many bytes of an answer [`send`](RequestBuilder::send) reads into memory. Default: 64 MiB.
    ///
    /// A longer answer is an error, [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge):
    /// [`stream`](RequestBuilder::stream) reads it without a limit.
    #[must_use]
    pub fn with_body_limit(self, bytes: usize) -> Self {
        Self { body_limit: bytes, ..self }
    }

    /// How long a request may stand still: until the service answers, and between two pieces of a body that is on its
    /// way, there or back. Default: 60 s. After it there is an error, [`ErrorKind::Timeout`](crate::ErrorKind::Timeout).
    ///
    /// It is no limit to how long an upload or a download takes, and does not run while a
    /// [streamed](RequestBuilder::stream) answer is not being read.
    #[must_use]
    pub fn with_idle_timeout(self, time: Duration) -> Self {
        Self { idle_timeout: time, ..self }
    }

    /// The same credential, tokens and connections, for another audience.
    ///
    /// Between a service on this machine and one elsewhere the connections are not shared: there, the new client has
    /// those of [`default_http`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`](crate::ErrorKind::Request) for a client that was made by
    /// [`from_auth`](Self::from_auth): it has tokens for its own audience alone.
    pub fn for_audience<B: Audience>(&self, audience: B) -> Result<HealthcareClient<B>> {
        let Auth::Own(authenticator) = &self.auth else {
            let message =
                "a client made by `from_auth` has tokens for its own audience alone: make another one";
            return Err(crate::Error::new(crate::ErrorKind::Request, message));
        };
        let loopback = is_loopback(audience.endpoint());
        let connections = match loopback == self.connections.loopback() {
            true => self.connections.clone(),
            false => Arc::new(Connections::new(loopback)),
        };
        let auth = Auth::Own(authenticator.for_audience(audience));
        Ok(HealthcareClient {
            auth,
            connections,
            body_limit: self.body_limit,
            idle_timeout: self.idle_timeout,
        })
    }

    /// Where requests go and what the token is for.
    #[must_use]
    pub fn audience(&self) -> &A {
        self.auth.audience()
    }
}

/// As [`HealthcareClient::new`], with the authenticator's tokens.
impl<A: Audience> From<Authenticator<A>> for HealthcareClient<A> {
    fn from(authenticator: Authenticator<A>) -> Self {
        Self::with_auth(Auth::Own(authenticator))
    }
}

impl<A: Audience> Clone for HealthcareClient<A> {
    fn clone(&self) -> Self {
        Self { auth: self.auth.clone(), connections: self.connections.clone(), ..*self }
    }
}

impl<A: Audience> fmt::Debug for HealthcareClient<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthcareClient")
            .field("audience", self.audience())
            .field("body_limit", &self.body_limit)
            .field("idle_timeout", &self.idle_timeout)
            .finish_non_exhaustive()
    }
}
