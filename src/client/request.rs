//! [`RequestBuilder`]: one request to a service.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::Serialize;
use url::Url;

use super::{
    HealthcareClient,
    body::{Body, RequestBody},
    headers,
    response::{Response, StreamedResponse},
};
use crate::{Audience, Error, ErrorKind, Result, ServiceKind, audience::check_method};

/// A builder for a request to a FHIR or DICOM service.
///
/// Created by [`HealthcareClient::request`], [`get`](HealthcareClient::get), [`post`](HealthcareClient::post) and so
/// on. If a URL, a header or a body is invalid, [`send`](Self::send) returns the error before it fetches a token.
///
/// By default, the `Accept` header and the media type of a JSON body are `application/fhir+json` for FHIR and
/// `application/dicom+json` for DICOM.
///
/// # Examples
///
/// ```
/// # use azure_healthcare_auth::HealthcareClient;
/// # use azure_healthcare_auth_testing::FakeServer;
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
/// // A search with POST keeps its parameters out of the URL, which proxies may log.
/// let search = fhir
///     .post("Observation/_search")
///     .query("_count", "20")
///     .header("content-type", "application/x-www-form-urlencoded")
///     .body("patient=example-0001");
/// let bundle: Value = search.send().await?.json()?;
/// assert_eq!(bundle["resourceType"], "Bundle");
/// # Ok(()) }
/// ```
#[must_use = "a request is sent by `send()` or `stream()`"]
pub struct RequestBuilder<A> {
    client: HealthcareClient<A>,
    parts: Result<Parts>,
}

/// The parts of a request that are the same in every attempt.
pub(super) struct Parts {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: RequestBody,
    pub(super) idempotent: bool,
    is_json: bool,
}

impl<A: Audience> RequestBuilder<A> {
    pub(super) fn new(client: HealthcareClient<A>, method: Method, path: &str) -> Self {
        let url = check_method(&method).and_then(|()| client.audience().url(path));
        let parts = url.map(|url| Parts {
            method,
            url,
            headers: client.config.default_headers.clone(),
            body: RequestBody::Empty,
            idempotent: false,
            is_json: false,
        });
        Self { client, parts }
    }

    /// Applies a change, unless an earlier one failed.
    fn update(mut self, update: impl FnOnce(&mut Parts) -> Result<()>) -> Self {
        if let Ok(parts) = &mut self.parts
            && let Err(error) = update(parts)
        {
            self.parts = Err(error);
        }
        self
    }

    /// Adds a parameter to the query. The name and the value are form-encoded: a space becomes `+`, and `+` becomes
    /// `%2B`.
    pub fn query(self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        self.update(|parts| {
            parts.url.query_pairs_mut().append_pair(name.as_ref(), value.as_ref());
            Ok(())
        })
    }

    /// Sets a header. It replaces an earlier header with the same name.
    ///
    /// A value that is marked [sensitive](HeaderValue::set_sensitive) stays sensitive. The headers `Authorization`,
    /// `Host`, `Content-Length`, `Transfer-Encoding` and `Connection` are reserved for the client: setting one of them,
    /// or an invalid name or value, is an error of kind [`Request`](ErrorKind::Request) when the request is sent.
    pub fn header<K, V>(self, name: K, value: V) -> Self
    where
        HeaderName: TryFrom<K>,
        <HeaderName as TryFrom<K>>::Error: Into<http::Error>,
        HeaderValue: TryFrom<V>,
        <HeaderValue as TryFrom<V>>::Error: Into<http::Error>,
    {
        self.update(|parts| {
            let (name, value) = headers::parse(name, value).map_err(invalid_request)?;
            parts.headers.insert(name, value);
            Ok(())
        })
    }

    /// Sends `value` as JSON with the service's default media type, unless a `content-type` header is set.
    ///
    /// A `PATCH` has no default media type. Set the [`header`](Self::header) `content-type` to
    /// `application/json-patch+json`, or to `application/fhir+json` for a FHIR `Parameters` resource.
    pub fn json(self, value: &(impl Serialize + ?Sized)) -> Self {
        self.update(|parts| {
            // The serializer's error is dropped, because its text may contain a part of the value.
            let bytes = serde_json::to_vec(value)
                .map_err(|_| invalid_request("the body could not be serialized as JSON".into()))?;
            parts.body = RequestBody::Buffered(bytes.into());
            parts.is_json = true;
            Ok(())
        })
    }

    /// Sends `bytes` as the body. Set its media type with the [`header`](Self::header) `content-type`.
    pub fn body(self, bytes: impl Into<Bytes>) -> Self {
        self.update(|parts| {
            parts.body = RequestBody::Buffered(bytes.into());
            parts.is_json = false;
            Ok(())
        })
    }

    /// Sends the body that `make_body` returns, which may be a stream that is never completely in memory.
    ///
    /// The client calls `make_body` for each attempt, because it needs the body again after a 401 and for each retry.
    /// See [`Body`] for an example that streams a file.
    ///
    /// # Examples
    ///
    /// ```
    /// # use azure_healthcare_auth::{FhirAudience, HealthcareClient};
    /// # use azure_healthcare_auth_testing::FakeCredential;
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
    /// // The service first returned 503, so the closure was called twice.
    /// assert_eq!((response.status().as_u16(), response.attempts()), (200, 2));
    /// # Ok(()) }
    /// ```
    pub fn body_stream(self, make_body: impl Fn() -> Body + Send + Sync + 'static) -> Self {
        self.update(|parts| {
            parts.body = RequestBody::Streamed(Arc::new(make_body));
            parts.is_json = false;
            Ok(())
        })
    }

    /// Marks the request as safe to send twice, so that it is retried like a `GET`.
    ///
    /// The client retries these requests after the statuses 408, 429, 500, 502, 503 and 504, and after a lost
    /// connection:
    ///
    /// * `GET`, `HEAD` and `OPTIONS`
    /// * `PUT` and `DELETE` without a query
    /// * `POST` to a path that ends in `/_search`
    /// * requests that are marked by this method
    ///
    /// It retries other requests only if the service did not process them: after a 429, or if no connection was made.
    /// It never retries a request with the header `Prefer: respond-async`, even if the request is marked.
    ///
    /// # Examples
    ///
    /// An operation that is a `POST`, but only reads:
    ///
    /// ```
    /// # use azure_healthcare_auth::{FhirAudience, HealthcareClient};
    /// # use azure_healthcare_auth_testing::FakeCredential;
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
    /// let response = fhir.post("Patient/$validate").json(&patient).idempotent().send().await?;
    /// // The service first returned 503. Without `idempotent`, the request would not have been retried.
    /// assert_eq!((response.status().as_u16(), response.attempts()), (200, 2));
    /// # Ok(()) }
    /// ```
    pub fn idempotent(self) -> Self {
        self.update(|parts| {
            parts.idempotent = true;
            Ok(())
        })
    }

    /// Sends the request and buffers the response body, up to the client's
    /// [`body_limit`](crate::HealthcareClientBuilder::body_limit).
    ///
    /// Responses with any status other than 401 and 403 are `Ok`. Check [`Response::status`], or use
    /// [`Response::json`] or [`Response::error_for_status`], which return an error if the status is not 2xx.
    ///
    /// # Errors
    ///
    /// Before the request is sent:
    ///
    /// * [`ErrorKind::UrlNotAllowed`]: the URL is outside the audience.
    /// * [`ErrorKind::Request`]: a part of the request is invalid.
    /// * [`ErrorKind::NoRuntime`]: there is no Tokio runtime.
    /// * The errors of [`Authenticator::authorization`](crate::Authenticator::authorization).
    ///
    /// Afterwards:
    ///
    /// * [`ErrorKind::Denied`]: the service returned 401 or 403.
    /// * [`ErrorKind::Connection`] or [`ErrorKind::Timeout`]: the service was not reached, the connection was lost, or
    ///   there was no progress for the idle timeout.
    /// * [`ErrorKind::Body`]: the stream of the request body failed.
    /// * [`ErrorKind::TooLarge`]: the response body is longer than the limit.
    pub async fn send(self) -> Result<Response> {
        let (client, parts) = self.finish()?;
        client.send_buffered(&parts).await
    }

    /// Sends the request and returns the response as soon as its headers arrive. The body may have any length.
    ///
    /// If the connection is lost before the end of the body, reading returns an error. This needs a response with a
    /// `Content-Length` or, over HTTP/1.1, one that is chunked.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`send`](Self::send), except those that occur while the response body is read.
    ///
    /// # Examples
    ///
    /// ```
    /// # use azure_healthcare_auth::HealthcareClient;
    /// # use azure_healthcare_auth_testing::{Fault, FakeServer};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// # let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    /// # fake_server.inject_fault(1, Fault::TruncatedBody);
    /// use azure_healthcare_auth::ErrorKind;
    ///
    /// let mut page = fhir.get("Patient").query("_count", "1000").stream().await?;
    /// let error = loop {
    ///     match page.chunk().await {
    ///         Ok(Some(chunk)) => { /* write it to a temporary file */ }
    ///         Ok(None) => panic!("the body is complete"),
    ///         Err(error) => break error,
    ///     }
    /// };
    /// // The connection was lost in the middle of the page.
    /// assert_eq!(error.kind(), ErrorKind::Connection);
    /// # Ok(()) }
    /// ```
    pub async fn stream(self) -> Result<StreamedResponse> {
        let (client, parts) = self.finish()?;
        client.send_streamed(&parts).await
    }

    /// Adds the default media types.
    fn finish(self) -> Result<(HealthcareClient<A>, Parts)> {
        let mut parts = self.parts?;
        let media_type = default_media_type(self.client.audience().service());
        parts.headers.entry(header::ACCEPT).or_insert(media_type.clone());
        if parts.is_json && !parts.headers.contains_key(header::CONTENT_TYPE) {
            if parts.method == Method::PATCH {
                let message = "a PATCH with a JSON body needs the header `content-type`";
                return Err(invalid_request(message.into()));
            }
            parts.headers.insert(header::CONTENT_TYPE, media_type);
        }
        Ok((self.client, parts))
    }
}

fn default_media_type(service: ServiceKind) -> HeaderValue {
    HeaderValue::from_static(match service {
        ServiceKind::Fhir => "application/fhir+json",
        ServiceKind::Dicom => "application/dicom+json",
    })
}

fn invalid_request(message: String) -> Error {
    Error::new(ErrorKind::Request, format!("{message}; nothing was sent"))
}

impl<A: Audience> fmt::Debug for RequestBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path, the query, headers and the body may contain patient data.
        let mut debug = f.debug_struct("RequestBuilder");
        debug.field("audience", self.client.audience());
        match &self.parts {
            Ok(parts) => debug.field("method", &parts.method),
            Err(error) => debug.field("error", error),
        };
        debug.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::{FhirAudience, credentials::StaticTokenCredential};

    #[test]
    fn request_keeps_sensitivity_of_headers() {
        let credential = StaticTokenCredential::with_expiry("token", SystemTime::now()).unwrap();
        let audience: FhirAudience = "http://127.0.0.1:1".parse().unwrap();
        let mut secret = HeaderValue::from_static("secret");
        secret.set_sensitive(true);
        let client = HealthcareClient::builder(audience, Arc::new(credential))
            .default_header("x-default", &secret)
            .build()
            .unwrap();
        let request = client.get("Patient").header("x-secret", secret).header("x-plain", "plain");
        let (_, parts) = request.finish().unwrap();
        for (name, sensitive) in [("x-default", true), ("x-secret", true), ("x-plain", false)] {
            assert_eq!(parts.headers[name].is_sensitive(), sensitive, "{name}");
        }
    }
}
