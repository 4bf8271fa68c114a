//! [`HealthcareAuth`]: the trait between code that sends requests and code that gets tokens.

use async_trait::async_trait;
use http::HeaderValue;
use url::Url;

use crate::{Audience, Result};

/// Provides the `Authorization` value for requests to one audience.
///
/// [`Authenticator`](crate::Authenticator) implements it for production. A service that depends on
/// `Arc<dyn HealthcareAuth<Audience = FhirAudience>>` can be tested with a fixed value. An implementation needs two
/// methods; the defaults of the others cache nothing and never refresh.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use azure_healthcare_auth::{FhirAudience, HealthcareAuth, Result};
/// use http::HeaderValue;
///
/// struct FixedAuth(FhirAudience);
///
/// #[async_trait::async_trait]
/// impl HealthcareAuth for FixedAuth {
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
/// let auth: Arc<dyn HealthcareAuth<Audience = FhirAudience>> = Arc::new(FixedAuth(records));
///
/// // Checks the URL first, so that the value cannot be sent to another service.
/// let patients = auth.audience().url("Patient")?;
/// let value = auth.authorization_for(&patients).await?;
/// assert_eq!(value, "Bearer for-a-test");
/// assert!(auth.authorization_for(&"https://contoso.example/".parse().unwrap()).await.is_err());
///
/// // The defaults: no cached value, and no replacement after a 401.
/// assert_eq!(auth.cached_authorization(), None);
/// assert_eq!(auth.refresh_rejected(&value).await?, None);
/// # Ok(()) }
/// ```
#[async_trait]
pub trait HealthcareAuth: Send + Sync {
    /// The type of the audience: [`FhirAudience`](crate::FhirAudience) or [`DicomAudience`](crate::DicomAudience).
    type Audience: Audience;

    /// Returns the audience.
    #[must_use]
    fn audience(&self) -> &Self::Audience;

    /// Returns the value of the `Authorization` header: `Bearer …`, marked as sensitive.
    ///
    /// # Errors
    ///
    /// Returns an error if no token could be obtained. Its [`ErrorKind`](crate::ErrorKind) reports the cause.
    async fn authorization(&self) -> Result<HeaderValue>;

    /// Returns the cached authorization value if it needs no refresh.
    ///
    /// Never waits and never starts a refresh. The adapters call this first to avoid the boxed future of
    /// [`authorization`](Self::authorization), which they call if this returns `None`. The default implementation
    /// returns `None`.
    #[must_use]
    fn cached_authorization(&self) -> Option<HeaderValue> {
        None
    }

    /// Checks that `url` belongs to the audience, and returns the authorization value for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UrlNotAllowed`](crate::ErrorKind::UrlNotAllowed), before a token is fetched, if the URL has another
    /// origin than the audience or is not below its base path. Otherwise the errors of
    /// [`authorization`](Self::authorization).
    async fn authorization_for(&self, url: &Url) -> Result<HeaderValue> {
        self.audience().check_url(url)?;
        self.authorization().await
    }

    /// Requests a replacement for a token that the service rejected with 401.
    ///
    /// Returns `None` if the credential returned no other token, or if a forced refresh may not start yet. The caller
    /// should then return the 401 response. The default implementation returns `None`.
    ///
    /// # Errors
    ///
    /// Returns the reason why no new token could be fetched. The caller should then return the 401 response, as for
    /// `None`. `HealthcareClient` attaches the reason to its error as the [source](std::error::Error::source).
    async fn refresh_rejected(&self, rejected: &HeaderValue) -> Result<Option<HeaderValue>> {
        let _ = rejected;
        Ok(None)
    }
}

/// Marks a value as sensitive, because another implementation of [`HealthcareAuth`] may not have marked it.
pub(crate) fn sensitive(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Returns the result of [`HealthcareAuth::refresh_rejected`], or `None` if it is the rejected value.
pub(crate) fn replacement(
    rejected: &HeaderValue,
    refreshed: Result<Option<HeaderValue>>,
) -> Result<Option<HeaderValue>> {
    Ok(refreshed?.filter(|value| value != rejected))
}
