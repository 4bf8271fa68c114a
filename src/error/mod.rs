//! [`Error`]: what happened, to what, and what to do next.

pub(crate) mod chain;
mod kind;
pub(crate) mod transient;

use std::{borrow::Cow, error::Error as StdError, fmt, sync::Arc, time::Duration};

pub use kind::ErrorKind;

#[cfg(feature = "client")]
use transient::is_transient_status;

#[cfg(feature = "client")]
use crate::denial::Denial;

/// The result of everything in this crate that can fail.
///
/// The second parameter leaves room for an error of one's own, where this one is imported by its name.
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

/// What went wrong, in a form that can be cloned, sent to another thread and logged.
///
/// The text holds no token, no secret and nothing about a patient: no path below a service's base URL, no query
/// and no body. Neither does [`source`](StdError::source), which is why not every underlying error is kept there:
/// one that cannot be stripped is told by its kind alone.
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
/// What a worker asks of one:
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
/// # use azure_healthcare_auth::testing::{Fault, FakeServer};
///
/// /// How long a job that only reads rests before it is tried again. `None` where somebody has to look at it.
/// fn rest(error: &Error) -> Option<Duration> {
///     if let Some(denial) = error.denial() {
///         eprintln!("{}: {}", denial.cause(), denial.help());
///     }
///     error.is_transient().then(|| error.retry_after().unwrap_or(Duration::from_secs(5)))
/// }
///
/// # let fake_server = FakeServer::start().await;
/// # let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// # fake_server.inject_fault(1, Fault::Throttled(Duration::from_secs(60)));
/// // The service is busy, and says for how long:
/// let error = fhir.get("Patient").send().await?.error_for_status().unwrap_err();
/// assert_eq!(error.status().map(|status| status.as_u16()), Some(429));
/// assert!(rest(&error) > Some(Duration::from_secs(5)));
///
/// # fake_server.inject_fault(1, Fault::MissingRole);
/// // The service says no:
/// let error = fhir.get("Patient").send().await.unwrap_err();
/// assert_eq!(error.status().map(|status| status.as_u16()), Some(403));
/// assert_eq!(rest(&error), None);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Error {
    // One pointer: an error is copied to every request that waited for the same token.
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

    /// For an error that was just made; one that is already shared stays as it is.
    fn with(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            change(inner);
        }
        self
    }

    pub(crate) fn transient(self, transient: bool) -> Self {
        self.with(|inner| inner.transient = transient)
    }

    #[cfg(feature = "client")]
    pub(crate) fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.with(|inner| inner.source = Some(Box::new(source)))
    }

    #[cfg(feature = "client")]
    pub(crate) fn denied(denial: Denial) -> Self {
        let status = denial.status();
        Self::new(ErrorKind::Denied, denial.to_string()).with(|inner| {
            inner.status = Some(status);
            inner.denial = Some(denial);
        })
    }

    #[cfg(feature = "client")]
    pub(crate) fn status_of(status: http::StatusCode, message: String) -> Self {
        Self::new(ErrorKind::Status, message)
            .transient(is_transient_status(status.as_u16()))
            .with(|inner| inner.status = Some(status))
    }

    /// For an answer of which no more than the head was read.
    #[cfg(feature = "client")]
    pub(crate) fn after_head(
        self,
        status: http::StatusCode,
        transient: bool,
        wait: Option<Duration>,
    ) -> Self {
        self.transient(transient).with(|inner| inner.status = Some(status)).with_retry_after(wait)
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// What kind of error this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Whether the same call may succeed later with nothing changed: a connection that broke, a time-out, a
    /// service that is busy (408, 429, 5xx), an Entra that is.
    ///
    /// It does not say that a request can be *repeated* without harm. One that may have acted is safe to repeat
    /// only where its method is: see [`RequestBuilder::idempotent`](crate::RequestBuilder::idempotent).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.inner.transient
    }

    /// How long to wait before trying again, where that is known: the service's own word, or the time until the
    /// credential is asked again after a failure.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The status the service answered with, where it did: also where the body behind it was too long or broke off.
    ///
    /// A `POST` that failed with a status in 2xx has acted.
    #[must_use]
    pub fn status(&self) -> Option<http::StatusCode> {
        self.inner.status
    }

    /// Why the service said no, for [`ErrorKind::Denied`].
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
            Some(wait) => write!(f, "; retry in {} s", wait.as_secs()),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug.field("kind", &self.inner.kind).field("message", &self.inner.message);
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
    fn an_error_can_be_shared_between_threads_and_tasks() {
        fn shareable<T: Clone + Send + Sync + 'static>() {}
        shareable::<Error>();
    }

    #[test]
    fn the_time_until_the_next_try_is_told() {
        let error = Error::new(ErrorKind::Credential, "no token");
        assert_eq!(error.to_string(), "no token");
        let told = error.clone().with_retry_after(Some(Duration::from_millis(3_900)));
        assert_eq!(told.to_string(), "no token; retry in 3 s");
        let told = error.clone().with_retry_after(Some(Duration::from_secs(1)));
        assert_eq!(told.to_string(), "no token; retry in 1 s");
        let soon = error.with_retry_after(Some(Duration::from_millis(40)));
        assert_eq!(soon.to_string(), "no token; retry in under 1 s");
    }

    #[cfg(feature = "client")]
    #[test]
    fn an_error_tells_its_cause_and_its_status() {
        let error = Error::new(ErrorKind::Connection, "broken").caused_by(std::io::Error::other("reset"));
        assert_eq!(error.source().unwrap().to_string(), "reset");
        let shown = format!("{error:?}");
        assert!(
            shown.contains("Connection") && shown.contains("broken") && shown.contains("reset"),
            "{shown}"
        );
        assert_eq!((error.status(), error.retry_after()), (None, None));
        let wait = Some(Duration::from_secs(2));
        let error = error.after_head(http::StatusCode::BAD_GATEWAY, true, wait);
        assert_eq!((error.status(), error.retry_after()), (Some(http::StatusCode::BAD_GATEWAY), wait));
    }

    #[test]
    fn only_what_may_pass_by_itself_is_transient() {
        assert!(Error::new(ErrorKind::Connection, "").is_transient());
        assert!(Error::new(ErrorKind::Timeout, "").is_transient());
        assert!(!Error::new(ErrorKind::UrlNotAllowed, "").is_transient());
        #[cfg(feature = "client")]
        for (status, transient) in [(404, false), (408, true), (412, false), (429, true), (503, true)] {
            let status = http::StatusCode::from_u16(status).unwrap();
            assert_eq!(Error::status_of(status, String::new()).is_transient(), transient, "{status}");
        }
    }
}
