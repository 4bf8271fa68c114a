//! [`HealthcareClient`]: requests to one service, with its token.

mod auth;
mod body;
mod connections;
mod failure;
mod request;
mod response;
mod retry;
mod send;

use std::{fmt, sync::Arc};

use azure_core::credentials::TokenCredential;
use http::Method;

use crate::{Audience, Authenticator, HealthcareAuth, Result, audience::is_loopback};
use auth::Auth;
pub use body::Body;
use connections::Connections;
pub use connections::default_http;
pub use request::RequestBuilder;
pub use response::{Response, StreamedResponse};

/// How much of a body is read into memory, unless told otherwise.
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// Sends requests to one service: its token on each, nothing of it anywhere else.
///
/// * A path stays below the service's base URL, and a URL elsewhere is refused before a token is fetched.
/// * Redirects are not followed: the answer comes back as it is.
/// * After a 401 the token is renewed and the request sent once more, if there is another token. Where there is none,
///   the error says [why](crate::Denial).
/// * A request is repeated only where it cannot act twice, at most 3 times, and no repeat begins later than 30 s after
///   the first send: see [`RequestBuilder::repeatable`]. To bound the whole of it, use [`tokio::time::timeout`]: giving
///   a request up harms nothing here, but one that was on its way may have acted.
///
/// Clones, and what [`at`](Self::at) makes, share tokens and connections. Requests are sent from within a Tokio runtime
/// that has I/O and time enabled, as `#[tokio::main]` has.
///
/// ```
/// use azure_healthcare_auth::{Audience, HealthcareClient, Service};
/// use serde_json::{Value, json};
/// # use azure_healthcare_auth::{DicomVersion, testing::StandIn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let stand_in = StandIn::start().await;
/// # let (records, imaging, credential) = (stand_in.fhir(), stand_in.dicom(DicomVersion::V2), stand_in.credential());
/// let fhir = HealthcareClient::new(records, credential);
/// let bundle: Value = fhir.get("Patient").query("_count", "10").send().await?.json()?;
/// assert_eq!(bundle["resourceType"], "Bundle");
/// fhir.post("Patient").json(&json!({ "resourceType": "Patient" })).send().await?.error_for_status()?;
///
/// // The imaging service of the same workspace, by the same credential.
/// let dicom = fhir.at(imaging)?;
/// assert_eq!(dicom.audience().service(), Service::Dicom);
/// let changes: Vec<Value> = dicom.get("changefeed").query("limit", "20").send().await?.json()?;
/// assert_eq!(changes.len(), 20);
/// # Ok(()) }
/// ```
pub struct HealthcareClient<A: Audience> {
    auth: Auth<A>,
    connections: Arc<Connections>,
    body_limit: usize,
}

impl<A: Audience> HealthcareClient<A> {
    /// A client that gets its tokens from `credential`: one of `azure_identity`, or your own.
    pub fn new(audience: A, credential: Arc<dyn TokenCredential>) -> Self {
        Self::from(Authenticator::new(audience, credential))
    }

    /// A client that gets its tokens from `auth`: a fixed value in a test, or one that is shared with other code.
    ///
    /// For an [`Authenticator`], `HealthcareClient::from(authenticator)` does more: the client can be moved to another
    /// audience by [`at`](Self::at), and explains refusals by the authenticator's clock.
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, HealthcareClient};
    /// use std::sync::Arc;
    /// # use azure_healthcare_auth::testing::StandIn;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let stand_in = StandIn::start().await;
    /// # let (audience, credential) = (stand_in.fhir(), stand_in.credential());
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
        let connections = Connections::new(default_http(), is_loopback(auth.audience().endpoint()));
        Self { auth, connections: Arc::new(connections), body_limit: BODY_LIMIT }
    }

    /// Sends by what `builder` makes, in place of [`default_http`]: for a proxy, certificates, time-outs of one's own.
    ///
    /// Start from [`default_http`]: a bare builder waits without end. Redirects and verbose logging are switched off in
    /// it, and proxies where the service is on this machine. Its default headers go with every request and its policy
    /// of retries works below this client, unseen: leave both out where they could change what a request does.
    ///
    /// ```
    /// use azure_healthcare_auth::{ErrorKind, HealthcareClient, default_http};
    /// use std::time::Duration;
    /// # use azure_healthcare_auth::testing::StandIn;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let stand_in = StandIn::start().await;
    /// # let (audience, credential) = (stand_in.fhir(), stand_in.credential());
    /// // A search that counts may be quiet for minutes, and what it brings has to fit into a small container.
    /// let http = default_http().read_timeout(Duration::from_secs(5 * 60)).user_agent("contoso-statistics/2.1");
    /// let fhir = HealthcareClient::new(audience, credential).with_http(http).with_body_limit(4 * 1024);
    ///
    /// let too_many = fhir.get("Patient").query("_count", "1000").send().await.unwrap_err();
    /// assert_eq!(too_many.kind(), ErrorKind::TooLarge);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_http(self, builder: reqwest::ClientBuilder) -> Self {
        Self { connections: Arc::new(Connections::new(builder, self.connections.loopback())), ..self }
    }

    /// How many bytes of an answer [`send`](RequestBuilder::send) reads into memory. Default: 64 MiB.
    ///
    /// A longer answer is an error, [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge):
    /// [`stream`](RequestBuilder::stream) reads it without a limit.
    #[must_use]
    pub fn with_body_limit(self, bytes: usize) -> Self {
        Self { body_limit: bytes, ..self }
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
    pub fn at<B: Audience>(&self, audience: B) -> Result<HealthcareClient<B>> {
        let Auth::Own(authenticator) = &self.auth else {
            let message =
                "a client made by `from_auth` has tokens for its own audience alone: make another one";
            return Err(crate::Error::new(crate::ErrorKind::Request, message));
        };
        let loopback = is_loopback(audience.endpoint());
        let connections = match loopback == self.connections.loopback() {
            true => self.connections.clone(),
            false => Arc::new(Connections::new(default_http(), loopback)),
        };
        let auth = Auth::Own(authenticator.at(audience));
        Ok(HealthcareClient { auth, connections, body_limit: self.body_limit })
    }

    /// Where requests go and what the token is for.
    #[must_use]
    pub fn audience(&self) -> &A {
        self.auth.audience()
    }

    /// A request to a path below the base, or to an absolute URL there, as [`Audience::url`] reads it: check an id that
    /// somebody typed before you put it there.
    ///
    /// What cannot be sent, a foreign URL above all, is told by [`send`](RequestBuilder::send) before anything is.
    /// `CONNECT`, `TRACE` and `TRACK` cannot: the first is not for a service, the others show the token.
    ///
    /// The life of a record, by this and its companions:
    ///
    /// ```
    /// # use azure_healthcare_auth::{FhirAudience, HealthcareClient, testing::StandInCredential};
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let server = MockServer::start().await;
    /// # let answer = ResponseTemplate::new(200).insert_header("etag", "W/\"1\"");
    /// # let answer = answer.set_body_json(serde_json::json!({ "resourceType": "Patient", "id": "p1" }));
    /// # Mock::given(any()).respond_with(answer).mount(&server).await;
    /// # let audience: FhirAudience = server.uri().parse()?;
    /// # let fhir = HealthcareClient::new(audience, std::sync::Arc::new(StandInCredential::new()));
    /// use serde_json::{Value, json};
    /// let read = fhir.get("Patient/p1").send().await?;
    /// let mut patient: Value = read.json()?;
    /// // Written back, unless somebody else has changed it since: that is answered with 412.
    /// patient["active"] = json!(true);
    /// let version = read.headers().get("etag").map_or("*", |etag| etag.to_str().unwrap_or("*"));
    /// fhir.put("Patient/p1").header("if-match", version).json(&patient).send().await?.error_for_status()?;
    /// // There are several types of patches: say which.
    /// let patch = json!([{ "op": "replace", "path": "/active", "value": false }]);
    /// let patch = fhir.patch("Patient/p1").header("content-type", "application/json-patch+json").json(&patch);
    /// patch.send().await?.error_for_status()?;
    ///
    /// fhir.delete("Patient/p1").send().await?.error_for_status()?;
    /// // What a gateway in front of the service may answer:
    /// fhir.head("metadata").send().await?;
    /// fhir.request(http::Method::OPTIONS, "Patient").send().await?;
    /// # let seen: Vec<_> = server.received_requests().await.unwrap().iter().map(|r| r.method.to_string()).collect();
    /// # assert_eq!(seen, ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]);
    /// # Ok(()) }
    /// ```
    pub fn request(&self, method: Method, path: impl AsRef<str>) -> RequestBuilder<A> {
        RequestBuilder::new(self.clone(), method, path.as_ref())
    }

    /// `GET`, as by [`request`](Self::request).
    ///
    /// A URL that the service hands out is absolute, and taken as it is: the `next` link of a page, the
    /// `Content-Location` of an export.
    ///
    /// ```
    /// # use azure_healthcare_auth::{HealthcareClient, testing::StandIn};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let stand_in = StandIn::start().await;
    /// # let fhir = HealthcareClient::new(stand_in.fhir(), stand_in.credential());
    /// let mut patients = 0;
    /// let mut next = Some("Patient?_count=10".to_owned());
    /// while let Some(url) = next {
    ///     let page: serde_json::Value = fhir.get(url).send().await?.json()?;
    ///     patients += page["entry"].as_array().map_or(0, Vec::len);
    ///     let links = page["link"].as_array().into_iter().flatten();
    ///     let url = links.filter(|link| link["relation"] == "next").find_map(|link| link["url"].as_str());
    ///     next = url.map(str::to_owned);
    /// }
    /// assert_eq!(patients, 25);
    /// # Ok(()) }
    /// ```
    ///
    /// The *files* of an export lie in blob storage, on another host: they are refused here, because the token must not
    /// go there. Fetch them by a client without one, whose right to read them comes from elsewhere (a shared access
    /// signature in the URL, say):
    ///
    /// ```no_run
    /// # async fn files(output: &serde_json::Value) -> Result<(), reqwest::Error> {
    /// let blobs = azure_healthcare_auth::default_http().build()?;
    /// for file in output.as_array().into_iter().flatten().filter_map(|file| file["url"].as_str()) {
    ///     let lines = blobs.get(file).send().await?.error_for_status()?.bytes().await?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn get(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::GET, path)
    }

    /// `POST`, as by [`request`](Self::request).
    pub fn post(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::POST, path)
    }

    /// `PUT`, as by [`request`](Self::request).
    pub fn put(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::PUT, path)
    }

    /// `PATCH`, as by [`request`](Self::request). The type of its body has to be named: there are several.
    pub fn patch(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::PATCH, path)
    }

    /// `DELETE`, as by [`request`](Self::request).
    pub fn delete(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::DELETE, path)
    }

    /// `HEAD`, as by [`request`](Self::request).
    pub fn head(&self, path: impl AsRef<str>) -> RequestBuilder<A> {
        self.request(Method::HEAD, path)
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
        Self { auth: self.auth.clone(), connections: self.connections.clone(), body_limit: self.body_limit }
    }
}

impl<A: Audience> fmt::Debug for HealthcareClient<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthcareClient")
            .field("audience", self.audience())
            .field("body_limit", &self.body_limit)
            .finish_non_exhaustive()
    }
}
