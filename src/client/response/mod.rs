//! [`Response`] and [`StreamedResponse`].

#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::{failure::Failure, response_body::ResponseBody, retry};
use crate::{Error, ErrorKind, Result, ServiceKind, denial};

/// Everything about a response except its body.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) service: ServiceKind,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) attempts: u32,
}

impl Head {
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry::retry_after(&self.headers, SystemTime::now())
    }

    /// Returns an error if the status is not 2xx.
    fn check(&self) -> Result<()> {
        match self.status.is_success() {
            true => Ok(()),
            false => Err(self.error()),
        }
    }

    fn error(&self) -> Error {
        let id = denial::request_id(&self.headers);
        // The id is untrusted text, so show it only if it looks like a request id.
        let id = id.filter(|id| {
            id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        let id = id.map(|id| format!(" (request {id})")).unwrap_or_default();
        let Self { service, status, .. } = self;
        Error::from_status(*status, format!("the {} service returned {status}{id}", service.label()))
            .with_retry_after(self.retry_after())
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A header such as `Location` may identify a patient.
        f.debug_struct("Head")
            .field("service", &self.service)
            .field("status", &self.status)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// A buffered HTTP response, with any status other than 401 and 403.
///
/// `Debug` shows no headers and nothing of the body.
///
/// # Examples
///
/// ```
/// # use azure_healthcare_auth::{DicomVersion, HealthcareClient};
/// # use azure_healthcare_auth_testing::{Fault, FakeServer};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let fake_server = FakeServer::start().await;
/// # let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// # let dicom = fhir.for_audience(fake_server.dicom(DicomVersion::V2))?;
/// use serde_json::{Value, json};
/// use std::time::Duration;
///
/// let patient = json!({ "resourceType": "Patient" });
/// let created = fhir.post("Patient").json(&patient).send().await?.error_for_status()?;
/// assert_eq!(created.headers()["etag"], "W/\"1\"");
///
/// // `json` returns an error if the status is not 2xx. The body has the details: an OperationOutcome …
/// let missing = fhir.get("Patient/unknown").send().await?;
/// assert_eq!(missing.status(), 404);
/// assert!(missing.json::<Value>().is_err());
/// let outcome: Value = serde_json::from_slice(missing.bytes())?;
/// assert_eq!(outcome["issue"][0]["code"], "not-found");
///
/// // … or, from a DICOM service, a line of text.
/// let invalid = dicom.get("changefeed").query("limit", "0").send().await?;
/// assert!(invalid.error_for_status_ref().is_err());
/// assert!(invalid.text()?.starts_with("The query parameter 'limit' is invalid."));
///
/// # fake_server.inject_fault(1, Fault::Throttled(Duration::from_secs(120)));
/// // The service asks for a longer delay than the client waits, so the request was not retried.
/// let throttled = fhir.get("Patient").send().await?;
/// assert_eq!((throttled.status().as_u16(), throttled.attempts()), (429, 1));
/// assert_eq!(throttled.retry_after(), Some(Duration::from_secs(120)));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Response {
    pub(super) head: Head,
    pub(super) body: Bytes,
}

/// An HTTP response whose body is still being received.
///
/// Read the body with [`chunk`](Self::chunk), or as a [`Stream`]. `Debug` shows no headers and nothing of the body.
///
/// # Examples
///
/// ```
/// # use azure_healthcare_auth::{DicomVersion, HealthcareClient};
/// # use azure_healthcare_auth_testing::FakeServer;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let fake_server = FakeServer::start().await;
/// # let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());
/// # let mut file = Vec::new();
/// use std::io::Write;
///
/// let response = dicom.get("changefeed").query("limit", "200").stream().await?;
/// if let Some(delay) = response.retry_after() {
///     eprintln!("{} after {} attempts, retry in {delay:?}", response.status(), response.attempts());
/// }
/// let mut response = response.error_for_status()?;
/// assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
/// while let Some(chunk) = response.chunk().await? {
///     file.write_all(&chunk)?;
/// }
/// # assert!(file.starts_with(b"[{") && file.ends_with(b"}]"));
/// # Ok(()) }
/// ```
pub struct StreamedResponse {
    pub(super) head: Head,
    pub(super) origin: String,
    pub(super) body: ResponseBody,
    /// The error that reading the body failed with.
    pub(super) error: Option<Error>,
}

macro_rules! head_getters {
    () => {
        /// Returns the status, which is never 401 or 403.
        #[must_use]
        pub fn status(&self) -> StatusCode {
            self.head.status
        }

        /// Returns the headers.
        #[must_use]
        pub fn headers(&self) -> &HeaderMap {
            &self.head.headers
        }

        /// Returns how many times the request was sent: once, plus once for each retry and for a replay after a 401.
        ///
        /// Requests that `reqwest` sends again because an HTTP/2 server did not process them are not counted.
        ///
        /// If a `PUT` with `If-Match` or `If-None-Match` was sent more than once, its own first attempt may have
        /// caused a 412: the service may have processed that attempt although its response was lost.
        #[must_use]
        pub fn attempts(&self) -> u32 {
            self.head.attempts
        }

        /// Returns the delay that the service asks for before the next request.
        ///
        /// If the service sent a date, the delay is counted from the time of this call.
        #[must_use]
        pub fn retry_after(&self) -> Option<Duration> {
            self.head.retry_after()
        }
    };
}

impl Response {
    head_getters!();

    /// Returns the body, for any status.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// Returns the body as text, for any status.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Decode`] if the body is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        str::from_utf8(&self.body).map_err(|error| {
            let valid = error.valid_up_to();
            let message = format!("the response body is not UTF-8 (only the first {valid} bytes are)");
            Error::new(ErrorKind::Decode, message)
        })
    }

    /// Deserializes the body of a 2xx response from JSON.
    ///
    /// An empty response with status 204 is deserialized from `null`. A DICOM service returns one if a search matches
    /// nothing: use an `Option<T>` as the type.
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Status`]: the status is not 2xx. Otherwise an OperationOutcome could be mistaken for data.
    /// * [`ErrorKind::Decode`]: the body is not JSON, or does not match the type. The message contains the position,
    ///   and nothing of the body.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        self.head.check()?;
        let empty = self.head.status == StatusCode::NO_CONTENT && self.body.is_empty();
        let body = if empty { b"null" } else { self.body.as_ref() };
        serde_json::from_slice(body).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "JSON that does not match the requested type",
                serde_json::error::Category::Eof if body.is_empty() => "empty",
                serde_json::error::Category::Eof => "truncated JSON",
                _ => "not JSON",
            };
            let (line, column) = (error.line(), error.column());
            let message = format!("the response body is {what} (line {line}, column {column})");
            Error::new(ErrorKind::Decode, message)
        })
    }

    /// Returns the response if its status is 2xx.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Status`] otherwise. The error does not contain the body: to read it, use
    /// [`error_for_status_ref`](Self::error_for_status_ref) instead.
    pub fn error_for_status(self) -> Result<Self> {
        self.head.check().map(|()| self)
    }

    /// Returns a reference to the response if its status is 2xx.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Status`] otherwise.
    pub fn error_for_status_ref(&self) -> Result<&Self> {
        self.head.check().map(|()| self)
    }
}

impl StreamedResponse {
    head_getters!();

    /// Returns the response if its status is 2xx.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Status`] otherwise.
    pub fn error_for_status(self) -> Result<Self> {
        self.head.check().map(|()| self)
    }

    /// Returns the next chunk of the body, or `None` at its end.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Connection`] if the connection is lost before the end of the body, and
    /// [`ErrorKind::Timeout`] if there is no progress for the
    /// [idle timeout](crate::HealthcareClientBuilder::idle_timeout). Later calls return the same error.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }
}

impl Stream for StreamedResponse {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.error.is_some() {
            return Poll::Ready(None);
        }
        let chunk = ready!(self.body.poll_chunk(context))
            .map(|chunk| chunk.map_err(|cause| Failure::new(self.head.service, &self.origin, cause).error));
        if let Some(Err(error)) = &chunk {
            self.error = Some(error.clone());
        }
        Poll::Ready(chunk)
    }
}

/// Converts the response's status, headers and body. The version is always HTTP/1.1, because the response does not
/// store it.
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
/// let response = fhir.get("Patient/example-0001").send().await?;
/// let response: http::Response<bytes::Bytes> = response.into();
/// assert_eq!(response.status(), 200);
/// assert!(response.body().starts_with(b"{"));
/// # Ok(()) }
/// ```
impl From<Response> for http::Response<Bytes> {
    fn from(response: Response) -> Self {
        let mut converted = Self::new(response.body);
        *converted.status_mut() = response.head.status;
        *converted.headers_mut() = response.head.headers;
        converted
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("head", &self.head).field("bytes", &self.body.len()).finish()
    }
}

impl fmt::Debug for StreamedResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamedResponse").field("head", &self.head).finish_non_exhaustive()
    }
}
