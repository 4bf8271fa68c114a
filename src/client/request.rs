//! [`RequestBuilder`]: one request, from its path to its answer.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use url::Url;

use super::{
    HealthcareClient,
    body::{Body, Content},
    headers,
    response::{Response, StreamedResponse},
};
use crate::{Audience, Error, ErrorKind, Result, ServiceKind, audience::check_method};

/// A request that is being put together. Made by [`HealthcareClient::request`] and its companions.
///
/// What is wrong with a part is told when it is sent; then nothing is sent, and no token is fetched.
///
/// Unless a header says otherwise, FHIR requests accept and send `application/fhir+json`, DICOM requests
/// `application/dicom+json`.
///
/// ```
/// # use azure_healthcare_auth::{HealthcareClient, testing::FakeServer};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let fake_server = FakeServer::start().await;
/// # let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// use serde_json::{Value, json};
///
/// let patient = json!({ "resourceType": "Patient", "name": [{ "family": "Example" }] });
/// let response = fhir.post("Patient").json(&patient).header("prefer", "return=minimal").send().await?;
/// assert_eq!(response.status(), 201);
///
/// // URLs end up in logs on the way. Sent as a form, what is searched for stands in none.
/// let search = fhir
///     .post("Observation/_search")
///     .query("_count", "20")
///     .header("content-type", "application/x-www-form-urlencoded")
///     .body("patient=example-0001");
/// let found: Value = search.send().await?.json()?;
/// assert_eq!(found["resourceType"], "Bundle");
/// # Ok(()) }
/// ```
#[must_use = "a request is sent by `send()` or `stream()`"]
pub struct RequestBuilder<A> {
    client: HealthcareClient<A>,
    parts: Result<Parts>,
}

/// Everything that each send of a request is made of, but for the token.
pub(super) struct Parts {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
    pub(super) idempotent: bool,
    json: bool,
}

impl<A: Audience> RequestBuilder<A> {
    pub(super) fn new(client: HealthcareClient<A>, method: Method, path: &str) -> Self {
        let url = check_method(&method).and_then(|()| client.audience().url(path));
        let parts = url.map(|url| Parts {
            method,
            url,
            headers: client.config.default_headers.clone(),
            content: Content::None,
            idempotent: false,
            json: false,
        });
        Self { client, parts }
    }

    fn change(mut self, change: impl FnOnce(&mut Parts) -> Result<()>) -> Self {
        if let Ok(parts) = &mut self.parts
            && let Err(error) = change(parts)
        {
            self.parts = Err(error);
        }
        self
    }

    /// Adds a parameter to the query, percent-encoded, `+` too.
    pub fn query(self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.change(|parts| {
            parts.url.query_pairs_mut().append_pair(name.as_ref(), value.as_ref());
            Ok(())
        })
    }

    /// Sets a header, in place of one of that name.
    ///
    /// `Authorization` is the token's: one given here is not sent. `Host`, `Content-Length`, `Transfer-Encoding` and
    /// `Connection` follow from the audience and the body, and are refused.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.change(|parts| {
            let (name, value) = headers::parse(name, value).map_err(unsendable)?;
            parts.headers.insert(name, value);
            Ok(())
        })
    }

    /// Sends a value as JSON, by the service's own media type. A `PATCH` has to name its type by
    /// [`header`](Self::header): `application/json-patch+json`, or `application/fhir+json` for a Parameters resource.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        self.change(|parts| {
            // The text of that error can hold what it could not write.
            let bytes = serde_json::to_vec(value)
                .map_err(|_| unsendable("the body cannot be written as JSON".into()))?;
            parts.content = Content::Whole(bytes.into());
            parts.json = true;
            Ok(())
        })
    }

    /// Sends bytes as they are. Name their type by [`header`](Self::header).
    pub fn body(self, bytes: impl Into<Bytes>) -> Self {
        self.change(|parts| {
            parts.content = Content::Whole(bytes.into());
            parts.json = false;
            Ok(())
        })
    }

    /// Sends what `make` makes, without holding it in memory. It is called for each send: after a 401, and for each
    /// repeat, the body is needed anew. How a file is streamed is shown at [`Body`].
    ///
    /// ```
    /// # use azure_healthcare_auth::{FhirAudience, HealthcareClient, testing::FakeCredential};
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let server = MockServer::start().await;
    /// # let busy = ResponseTemplate::new(503).insert_header("retry-after-ms", "0");
    /// # Mock::given(any()).respond_with(busy).up_to_n_times(1).mount(&server).await;
    /// # Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    /// # let audience: FhirAudience = server.uri().parse()?;
    /// # let fhir = HealthcareClient::new(audience, std::sync::Arc::new(FakeCredential::new()));
    /// use azure_healthcare_auth::Body;
    ///
    /// let request = fhir.put("Patient/p1").header("content-type", "application/fhir+json");
    /// let patient = r#"{ "resourceType": "Patient", "id": "p1" }"#;
    /// let response = request.body_stream(move || Body::from(patient)).send().await?;
    /// // The service was busy at first (503): the body was made twice, and stands there once.
    /// assert_eq!((response.status().as_u16(), response.attempts()), (200, 2));
    /// # Ok(()) }
    /// ```
    pub fn body_stream(self, make: impl Fn() -> Body + Send + Sync + 'static) -> Self {
        self.change(|parts| {
            parts.content = Content::Made(Arc::new(make));
            parts.json = false;
            Ok(())
        })
    }

    /// Says that sending this request twice does no harm, so it may be repeated like a `GET`.
    ///
    /// Without it these are repeated after 408, 429, 500, 502, 503, 504 and a broken connection: `GET`, `HEAD`,
    /// `OPTIONS`, `PUT` and `DELETE` without a query, and `POST` to a path that ends in `/_search`. Every other is
    /// repeated only where the service cannot have acted: after 429, and where no connection was made. A request with
    /// `Prefer: respond-async` is not repeated at all, and this does not change it.
    ///
    /// For a `POST` that only reads, such as an operation that checks what it is given:
    ///
    /// ```
    /// # use azure_healthcare_auth::{FhirAudience, HealthcareClient, testing::FakeCredential};
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let server = MockServer::start().await;
    /// # let busy = ResponseTemplate::new(503).insert_header("retry-after-ms", "0");
    /// # Mock::given(any()).respond_with(busy).up_to_n_times(1).mount(&server).await;
    /// # Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    /// # let audience: FhirAudience = server.uri().parse()?;
    /// # let fhir = HealthcareClient::new(audience, std::sync::Arc::new(FakeCredential::new()));
    /// let patient = serde_json::json!({ "resourceType": "Patient", "active": true });
    /// let checked = fhir.post("Patient/$validate").json(&patient).idempotent().send().await?;
    /// // Busy at first (503), and asked again. A `POST` to `Patient` would not have been: it may have created one.
    /// assert_eq!((checked.status().as_u16(), checked.attempts()), (200, 2));
    /// # Ok(()) }
    /// ```
    pub fn idempotent(self) -> Self {
        self.change(|parts| {
            parts.idempotent = true;
            Ok(())
        })
    }

    /// Sends the request and reads the answer into memory, up to the client's
    /// [limit](crate::HealthcareClientBuilder::body_limit).
    ///
    /// Every status but 401 and 403 is `Ok`: look at [`Response::status`], or let [`Response::json`] do so.
    ///
    /// # Errors
    ///
    /// Before anything is sent: [`UrlNotAllowed`](ErrorKind::UrlNotAllowed), [`Request`](ErrorKind::Request), and whatever
    /// [`Authenticator::authorization`](crate::Authenticator::authorization) gives. After: [`Denied`](ErrorKind::Denied)
    /// for a 401 or 403, [`Connection`](ErrorKind::Connection), [`Timeout`](ErrorKind::Timeout), [`Body`](ErrorKind::Body),
    /// [`TooLarge`](ErrorKind::TooLarge).
    pub async fn send(self) -> Result<Response> {
        let (client, parts) = self.finish()?;
        client.send_whole(&parts).await
    }

    /// Sends the request and hands the answer on as it comes, without a limit. A connection that breaks is an error
    /// and never looks like the end, where the answer tells its length or, over HTTP/1.1, is chunked.
    ///
    /// ```
    /// # use azure_healthcare_auth::{HealthcareClient, testing::{Fault, FakeServer}};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// # let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    /// # fake_server.inject_fault(1, Fault::TruncatedBody);
    /// use azure_healthcare_auth::ErrorKind;
    ///
    /// // The connection will break in the middle of the page.
    /// let mut page = fhir.get("Patient").query("_count", "1000").stream().await?;
    /// let broken = loop {
    ///     match page.chunk().await {
    ///         Ok(Some(piece)) => { /* written to a file that is not yet in its place */ }
    ///         Ok(None) => panic!("whole"),
    ///         Err(error) => break error,
    ///     }
    /// };
    /// assert_eq!(broken.kind(), ErrorKind::Connection);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), but for what reading the body brings.
    pub async fn stream(self) -> Result<StreamedResponse> {
        let (client, parts) = self.finish()?;
        client.send_streamed(&parts).await
    }

    /// Adds what the caller has left open.
    fn finish(self) -> Result<(HealthcareClient<A>, Parts)> {
        let mut parts = self.parts?;
        let media_type = media_type(self.client.audience().service());
        parts.headers.entry(header::ACCEPT).or_insert(media_type.clone());
        if parts.json && !parts.headers.contains_key(header::CONTENT_TYPE) {
            if parts.method == Method::PATCH {
                let message = "a PATCH has to name the type of its body: set the header `content-type`";
                return Err(unsendable(message.into()));
            }
            parts.headers.insert(header::CONTENT_TYPE, media_type);
        }
        Ok((self.client, parts))
    }
}

fn media_type(service: ServiceKind) -> HeaderValue {
    HeaderValue::from_static(match service {
        ServiceKind::Fhir => "application/fhir+json",
        ServiceKind::Dicom => "application/dicom+json",
    })
}

fn unsendable(message: String) -> Error {
    Error::new(ErrorKind::Request, format!("{message}; nothing was sent"))
}

impl<A: Audience> fmt::Debug for RequestBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path, the query, headers and body may be about a patient.
        let mut debug = f.debug_struct("RequestBuilder");
        debug.field("audience", self.client.audience());
        match &self.parts {
            Ok(parts) => debug.field("method", &parts.method),
            Err(error) => debug.field("error", error),
        };
        debug.finish_non_exhaustive()
    }
}
