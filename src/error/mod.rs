//! [`Error`]: the error type of this crate.

pub(crate) mod chain;
mod kind;
pub(crate) mod transient;

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

#[cfg(feature = "client")]
use self::transient::is_transient_status;
#[cfg(feature = "client")]
use crate::denial::Denial;

pub use kind::ErrorKind;

/// The result type of this crate.
///
/// The error type can be overridden, so that importing this alias does not prevent the use of other errors.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{DicomAudience, FhirAudience, Result};
///
/// fn audiences(fhir: &str, dicom: &str) -> Result<(FhirAudience, DicomAudience)> {
///     Ok((fhir.parse()?, dicom.parse()?))
/// }
///
/// fn port(text: &str) -> Result<u16, std::num::ParseIntError> {
///     text.parse()
/// }
///
/// let fhir = "https://contoso-records.fhir.azurehealthcareapis.com";
/// assert!(audiences(fhir, "https://contoso-imaging.dicom.azurehealthcareapis.com/v2").is_ok());
/// assert!(audiences(fhir, fhir).unwrap_err().to_string().contains("use `FhirAudience`"));
/// assert_eq!(port("8080"), Ok(8080));
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate: cheap to clone, and safe to log.
///
/// Neither the message nor the [`source`](StdError::source) contains a token, a secret or patient data: no path below
/// the endpoint of a service, no query and no body. For this reason, underlying errors that cannot be redacted are not
/// kept as sources.
///
/// If a forced refresh failed after a 401, the source of the [`Denied`](ErrorKind::Denied) error is the credential's
/// error.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{ErrorKind, FhirAudience};
///
/// let error = FhirAudience::workspace("Contoso", "records").build().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Audience);
/// assert!(error.to_string().contains("write `contoso`"));
/// assert!(!error.is_transient());
/// ```
///
/// Decide whether a background job should retry:
///
/// ```
/// # #[cfg(not(feature = "client"))]
/// # fn main() {}
/// # #[cfg(feature = "client")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// use std::time::Duration;
///
/// use azure_healthcare_auth::{Error, HealthcareClient};
/// # use azure_healthcare_auth_testing::{Fault, FakeServer};
///
/// /// Returns the time after which a job that only reads should retry, or `None` if an operator must fix the cause.
/// fn backoff(error: &Error) -> Option<Duration> {
///     if let Some(denial) = error.denial() {
///         eprintln!("{}: {}", denial.cause(), denial.help());
///     }
///     error.is_transient().then(|| error.retry_after().unwrap_or(Duration::from_secs(5)))
/// }
///
/// # let fake_server = FakeServer::start().await;
/// # let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// # fake_server.inject_fault(1, Fault::Throttled(Duration::from_secs(60)));
/// // The service throttles the request and sends a `Retry-After` header:
/// let error = fhir.get("Patient").send().await?.error_for_status().unwrap_err();
/// assert_eq!(error.status().map(|status| status.as_u16()), Some(429));
/// assert!(backoff(&error) > Some(Duration::from_secs(5)));
///
/// # fake_server.inject_fault(1, Fault::MissingRole);
/// // The service denies the request:
/// let error = fhir.get("Patient").send().await.unwrap_err();
/// assert_eq!(error.status().map(|status| status.as_u16()), Some(403));
/// assert_eq!(backoff(&error), None);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Error {
    // Shared, because every request that waits for the same token gets a clone.
    inner: Arc<Inner>,
    retry_after: Option<Duration>,
}

struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    transient: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
    status: Option<http::StatusCode>,
    #[cfg(feature = "client")]
    denial: Option<Denial>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let transient = matches!(kind, ErrorKind::Connection | ErrorKind::Timeout);
        Self::from_inner(Inner {
            kind,
            message: message.into(),
            transient,
            source: None,
            status: None,
            #[cfg(feature = "client")]
            denial: None,
        })
    }

    fn from_inner(inner: Inner) -> Self {
        Self { inner: Arc::new(inner), retry_after: None }
    }

    /// Changes an error that has no clones yet.
    fn modify_unshared(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        let inner = Arc::get_mut(&mut self.inner);
        debug_assert!(inner.is_some(), "the error is already shared");
        if let Some(inner) = inner {
            change(inner);
        }
        self
    }

    pub(crate) fn transient(self, transient: bool) -> Self {
        self.modify_unshared(|inner| inner.transient = transient)
    }

    #[cfg(feature = "client")]
    pub(crate) fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.modify_unshared(|inner| inner.source = Some(Box::new(source)))
    }

    #[cfg(feature = "client")]
    pub(crate) fn denied(denial: Denial) -> Self {
        let status = denial.status();
        Self::new(ErrorKind::Denied, denial.to_string()).modify_unshared(|inner| {
            inner.status = Some(status);
            inner.denial = Some(denial);
        })
    }

    #[cfg(feature = "client")]
    pub(crate) fn from_status(status: http::StatusCode, message: String) -> Self {
        Self::new(ErrorKind::Status, message)
            .transient(is_transient_status(status.as_u16()))
            .modify_unshared(|inner| inner.status = Some(status))
    }

    /// Adds the status and the `Retry-After` of a response whose body could not be read.
    #[cfg(feature = "client")]
    pub(crate) fn with_response_head(
        self,
        status: http::StatusCode,
        transient: bool,
        retry_after: Option<Duration>,
    ) -> Self {
        self.transient(transient)
            .modify_unshared(|inner| inner.status = Some(status))
            .with_retry_after(retry_after)
    }

    pub(crate) fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns `true` if the same call may succeed later: the connection broke, a timeout elapsed, or the service or
    /// Microsoft Entra returned 408, 429 or 5xx.
    ///
    /// This does not mean that the request is safe to send again. If it may have been processed, it is safe to send
    /// again only if it is idempotent: see [`RequestBuilder::idempotent`](crate::RequestBuilder::idempotent).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.inner.transient
    }

    /// Returns the time to wait before the next attempt, if it is known.
    ///
    /// It comes from the service's `Retry-After` header, or is the remaining backoff after a failed token request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the status of the response, if the service sent one, even if the body was too long or incomplete.
    ///
    /// If a `POST` failed but the status is 2xx, the service processed it.
    #[must_use]
    pub fn status(&self) -> Option<http::StatusCode> {
        self.inner.status
    }

    /// Returns the explanation of the 401 or 403, if the kind is [`ErrorKind::Denied`].
    #[cfg(feature = "client")]
    #[must_use]
    pub fn denial(&self) -> Option<&Denial> {
        self.inner.denial.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.message)?;
        match self.retry_after {
            Some(wait) if wait < Duration::from_secs(1) => write!(f, "; retry in under 1 s"),
            Some(wait) => {
                let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
                write!(f, "; retry in {seconds} s")
            }
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.inner.kind).field("message", &self.inner.message);
        if let Some(status) = self.inner.status {
            debug.field("status", &status);
        }
        if let Some(source) = &self.inner.source {
            debug.field("source", source);
        }
        if let Some(wait) = self.retry_after {
            debug.field("retry_after", &wait);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_clone_send_sync_and_static() {
        fn assert_shareable<T: Clone + Send + Sync + 'static>() {}
        assert_shareable::<Error>();
    }

    #[test]
    fn display_ends_with_retry_after() {
        let error = Error::new(ErrorKind::Credential, "no token");
        for (retry_after, message) in [
            (None, "no token"),
            (Some(Duration::from_millis(3_900)), "no token; retry in 4 s"),
            (Some(Duration::from_secs(1)), "no token; retry in 1 s"),
            (Some(Duration::from_millis(40)), "no token; retry in under 1 s"),
        ] {
            assert_eq!(error.clone().with_retry_after(retry_after).to_string(), message);
        }
    }

    #[cfg(feature = "client")]
    #[test]
    fn error_returns_its_source_and_status() {
        let error = Error::new(ErrorKind::Connection, "broken").caused_by(std::io::Error::other("reset"));
        assert_eq!(error.source().unwrap().to_string(), "reset");
        let debug = format!("{error:?}");
        assert!(
            debug.contains("Connection") && debug.contains("broken") && debug.contains("reset"),
            "{debug}"
        );
        assert_eq!((error.status(), error.retry_after()), (None, None));
        let retry_after = Some(Duration::from_secs(2));
        let error = error.with_response_head(http::StatusCode::BAD_GATEWAY, true, retry_after);
        assert_eq!((error.status(), error.retry_after()), (Some(http::StatusCode::BAD_GATEWAY), retry_after));
        assert!(format!("{error:?}").contains("status: 502"), "{error:?}");
    }

    #[test]
    fn only_connection_timeout_and_some_statuses_are_transient() {
        assert!(Error::new(ErrorKind::Connection, "").is_transient());
        assert!(Error::new(ErrorKind::Timeout, "").is_transient());
        assert!(!Error::new(ErrorKind::UrlNotAllowed, "").is_transient());
        #[cfg(feature = "client")]
        for (status, transient) in [(404, false), (408, true), (412, false), (429, true), (503, true)] {
            let status = http::StatusCode::from_u16(status).unwrap();
            assert_eq!(Error::from_status(status, String::new()).is_transient(), transient, "{status}");
        }
    }
}
