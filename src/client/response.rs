//! [`Response`] and [`StreamedResponse`]: what the service answered.

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

use super::{failure::Failure, incoming::Incoming, retry};
use crate::{Error, ErrorKind, Result, ServiceKind, denial};

/// What both kinds of answer have.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) service: ServiceKind,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) attempts: u32,
}

impl Head {
    pub(super) fn retry_after(&self) -> Option<Duration> {
        retry::asked(&self.headers, SystemTime::now())
    }

    /// Refuses a status outside 2xx.
    fn check(&self) -> Result<()> {
        match self.status.is_success() {
            true => Ok(()),
            false => Err(self.error()),
        }
    }

    fn error(&self) -> Error {
        let id = denial::request_id(&self.headers);
        // An id is shown for the support case; anything else in its place is not.
        let id = id.filter(|id| {
            id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        });
        let id = id.map(|id| format!(" (request {id})")).unwrap_or_default();
        let Self { service, status, .. } = self;
        Error::from_status(*status, format!("the {service} service answered {status}{id}"))
            .with_retry_after(self.retry_after())
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A header such as `Location` names a patient's record.
        f.debug_struct("Head")
            .field("service", &self.service)
            .field("status", &self.status)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// An answer, read into memory. Its status is any but 401 and 403.
///
/// `Debug` shows no header and nothing of the body.
///
/// ```
/// # use azure_healthcare_auth::{DicomVersion, HealthcareClient, testing::{Fault, FakeServer}};
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
/// // A refusal is not taken for data, and what the service said is there: an OperationOutcome …
/// let missing = fhir.get("Patient/unknown").send().await?;
/// assert_eq!(missing.status(), 404);
/// assert!(missing.json::<Value>().is_err());
/// let outcome: Value = serde_json::from_slice(missing.bytes())?;
/// assert_eq!(outcome["issue"][0]["code"], "not-found");
///
/// // … or, of a DICOM service, a line of text.
/// let refused = dicom.get("changefeed").query("limit", "0").send().await?;
/// assert!(refused.error_for_status_ref().is_err());
/// assert!(refused.text()?.starts_with("The query parameter 'limit' is invalid."));
///
/// # fake_server.inject_fault(1, Fault::Throttled(Duration::from_secs(120)));
/// // Busy for longer than the client waits by itself: whoever plans the work comes back later.
/// let busy = fhir.get("Patient").send().await?;
/// assert_eq!((busy.status().as_u16(), busy.attempts()), (429, 1));
/// assert_eq!(busy.retry_after(), Some(Duration::from_secs(120)));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Response {
    pub(super) head: Head,
    pub(super) body: Bytes,
}

/// An answer whose body is still on its way: read it by [`chunk`](Self::chunk), or as a [`Stream`].
///
/// `Debug` shows no header and nothing of the body.
///
/// ```
/// # use azure_healthcare_auth::{DicomVersion, HealthcareClient, testing::FakeServer};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let fake_server = FakeServer::start().await;
/// # let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());
/// # let mut file = Vec::new();
/// use std::io::Write;
///
/// let response = dicom.get("changefeed").query("limit", "200").stream().await?;
/// if let Some(wait) = response.retry_after() {
///     eprintln!("{} after {} attempts: again in {wait:?}", response.status(), response.attempts());
/// }
/// let mut response = response.error_for_status()?;
/// assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
/// while let Some(piece) = response.chunk().await? {
///     file.write_all(&piece)?;
/// }
/// # assert!(file.starts_with(b"[{") && file.ends_with(b"}]"));
/// # Ok(()) }
/// ```
pub struct StreamedResponse {
    pub(super) head: Head,
    pub(super) origin: String,
    pub(super) body: Incoming,
    pub(super) failed: Option<Error>,
}

macro_rules! head {
    () => {
        /// The status: any but 401 and 403.
        #[must_use]
        pub fn status(&self) -> StatusCode {
            self.head.status
        }

        /// The headers.
        #[must_use]
        pub fn headers(&self) -> &HeaderMap {
            &self.head.headers
        }

        /// How often the request was sent: 1, and one more for each repeat and for a renewed token. What HTTP/2 hands
        /// back unseen by the service, and is sent anew below, is not counted.
        ///
        /// After more than one, a 412 to a `PUT` with `If-Match` or `If-None-Match` may be the request's own doing:
        /// the first may have acted and its answer been lost.
        #[must_use]
        pub fn attempts(&self) -> u32 {
            self.head.attempts
        }

        /// How long the service asks to be waited before the next request, if it does, from now on.
        #[must_use]
        pub fn retry_after(&self) -> Option<Duration> {
            self.head.retry_after()
        }
    };
}

impl Response {
    head!();

    /// The body as it came, whatever the status.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.body
    }

    /// The body as text, whatever the status.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        str::from_utf8(&self.body).map_err(|error| {
            let at = error.valid_up_to();
            Error::new(ErrorKind::Decode, format!("the answer's body is not UTF-8 after {at} bytes"))
        })
    }

    /// The body, read as JSON, of an answer with a status in 2xx.
    ///
    /// An answer with status 204, such as that to a search for studies without a match, is read as `null`: ask for an
    /// `Option`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Status`] for any other status: an OperationOutcome must not be taken for Patients.
    /// [`ErrorKind::Decode`] if the body is not what is asked for; the text says where, and shows nothing of it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        self.head.check()?;
        let nothing = self.head.status == StatusCode::NO_CONTENT && self.body.is_empty();
        let body = if nothing { b"null" } else { self.body.as_ref() };
        serde_json::from_slice(body).map_err(|error| {
            let what = match error.classify() {
                serde_json::error::Category::Data => "JSON, but not of the type that was asked for",
                serde_json::error::Category::Eof if body.is_empty() => "empty",
                serde_json::error::Category::Eof => "JSON that breaks off",
                _ => "not JSON",
            };
            let (line, column) = (error.line(), error.column());
            let message = format!("the answer's body is {what} (line {line}, column {column})");
            Error::new(ErrorKind::Decode, message)
        })
    }

    /// The answer itself if its status is in 2xx.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Status`] for any other. To look at such an answer's body, ask before: by
    /// [`status`](Self::status), or by [`error_for_status_ref`](Self::error_for_status_ref).
    pub fn error_for_status(self) -> Result<Self> {
        self.head.check().map(|()| self)
    }

    /// As [`error_for_status`](Self::error_for_status), and the answer stays.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Status`] for a status outside 2xx.
    pub fn error_for_status_ref(&self) -> Result<&Self> {
        self.head.check().map(|()| self)
    }
}

impl StreamedResponse {
    head!();

    /// The answer itself if its status is in 2xx.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Status`] for any other.
    pub fn error_for_status(self) -> Result<Self> {
        self.head.check().map(|()| self)
    }

    /// The next piece of the body. `None` at its end, and only there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connection`] or [`ErrorKind::Timeout`] if the connection breaks or goes quiet before the end; from
    /// then on at each call.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await.transpose()
    }
}

impl Stream for StreamedResponse {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.failed.is_some() {
            return Poll::Ready(None);
        }
        let piece = ready!(self.body.poll_piece(context))
            .map(|piece| piece.map_err(|broken| Failure::new(self.head.service, &self.origin, broken).error));
        if let Some(Err(error)) = &piece {
            self.failed = Some(error.clone());
        }
        Poll::Ready(piece)
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
