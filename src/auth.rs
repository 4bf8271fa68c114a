//! [`HealthcareAuth`]: the seam between what sends requests and what gets tokens.

use async_trait::async_trait;
use http::HeaderValue;
use url::Url;

use crate::{Audience, Result};

/// Gives the `Authorization` value for requests to one audience.
///
/// [`Authenticator`](crate::Authenticator) is the implementation for production. A service can depend on
/// `Arc<dyn HealthcareAuth<Audience = FhirAudience>>` and be tested with a fixed value:
///
/// ```
/// use std::sync::Arc;
///
/// use azure_healthcare_auth::{Audience, FhirAudience, HealthcareAuth, Result};
/// use http::HeaderValue;
///
/// struct Fixed(FhirAudience);
///
/// #[async_trait::async_trait]
/// impl HealthcareAuth for Fixed {
///     type Audience = FhirAudience;
///
///     fn audience(&self) -> &FhirAudience {
///         &self.0
///     }
///
///     async fn authorization(&self) -> Result<HeaderValue> {
///         Ok(HeaderValue::from_static("Bearer for-a-test"))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let records = FhirAudience::workspace("contoso", "records").build()?;
/// let auth: Arc<dyn HealthcareAuth<Audience = FhirAudience>> = Arc::new(Fixed(records));
///
/// // What sends requests asks for the value by the URL, so that it goes nowhere else:
/// let patients = auth.audience().url("Patient")?;
/// let value = auth.authorization_for(&patients).await?;
/// assert_eq!(value, "Bearer for-a-test");
/// assert!(auth.authorization_for(&"https://contoso.example/".parse().unwrap()).await.is_err());
///
/// // Nothing is held, and there is no other value: a 401 reaches the caller.
/// assert_eq!(auth.cached_authorization(), None);
/// assert_eq!(auth.refresh_rejected(&value).await?, None);
/// # Ok(()) }
/// ```
#[async_trait]
pub trait HealthcareAuth: Send + Sync {
    /// The kind of service: [`FhirAudience`](crate::FhirAudience) or [`DicomAudience`](crate::DicomAudience).
    type Audience: Audience;

    /// Where requests go and what the token is for.
    fn audience(&self) -> &Self::Audience;

    /// The value of the `Authorization` header: `Bearer …`, marked sensitive.
    ///
    /// # Errors
    ///
    /// No token can be had: [`ErrorKind`](crate::ErrorKind) tells why.
    async fn authorization(&self) -> Result<HeaderValue>;

    /// The same, if a value is held that can be sent as it is: nothing is waited for, and nothing is begun.
    ///
    /// It spares the future of [`authorization`](Self::authorization), which is asked wherever this is `None`. The
    /// default holds none.
    fn cached_authorization(&self) -> Option<HeaderValue> {
        None
    }

    /// The value for a request to `url`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UrlNotAllowed`](crate::ErrorKind::UrlNotAllowed), before any token is fetched, unless the URL is on
    /// the audience's origin and below its base path; else as [`authorization`](Self::authorization).
    async fn authorization_for(&self, url: &Url) -> Result<HeaderValue> {
        self.audience().check_url(url)?;
        self.authorization().await
    }

    /// Another value than the one that the service has just refused with 401, or `None` where there is none.
    ///
    /// With `None` the refusal stands and should reach the caller. The default has none.
    ///
    /// # Errors
    ///
    /// As [`authorization`](Self::authorization), where no value is held any more.
    async fn refresh_rejected(&self, refused: &HeaderValue) -> Result<Option<HeaderValue>> {
        let _ = refused;
        Ok(None)
    }
}

/// What somebody's own [`HealthcareAuth`] gave, marked: it may not be.
pub(crate) fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// What [`HealthcareAuth::refresh_rejected`] brought, where it is another value. An error is why there is none: that the service
/// refused is still the news.
pub(crate) fn other_than(refused: &HeaderValue, renewed: Result<Option<HeaderValue>>) -> Option<HeaderValue> {
    renewed.ok().flatten().filter(|other| other != refused)
}
