//! [`Authenticator`]: an audience, a credential, and one valid token kept between them.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use http::HeaderValue;
use url::Url;

use crate::{
    Audience, HealthcareAuth, Result,
    clock::Clock,
    token::{DEFAULT_TIMEOUT, Slot, Source},
};

/// Keeps a valid token for an audience and hands out the `Authorization` value made of it.
///
/// However many tasks ask, the credential is called once: the first task's call is everybody's. While a token is fresh,
/// asking costs an atomic load and a counter. Minutes before its end one call in the background replaces it, and
/// nobody waits; if that call fails the old token is served on, and the next call waits for a moment that doubles
/// from 1 s to 30 s (to 5 s before the first success). A call that has failed while there is no token is answered to
/// all who ask, until that moment has passed.
///
/// Clones, and what [`for_audience`](Self::for_audience) makes, share the credential and its tokens: one for each *scope*, so all DICOM
/// services together use one.
///
/// It can be built anywhere, outside a runtime and in a `static` too: nothing is started by it. A fetch needs a Tokio
/// runtime with time enabled. A fetch that was begun goes on when its caller is cancelled; if its runtime is dropped,
/// the next call begins another. If it is neither driven nor dropped, tasks on other
/// runtimes keep waiting.
///
/// # What it cannot do
///
/// * A refresh needs a request in the window before the token's end, which is 3 to 5 minutes long. A service that is
///   quiet for longer and wants its next request not to wait calls [`authorization`](Self::authorization) by a timer.
/// * A change of group memberships or of an application's own roles needs a new token, and managed identities keep
///   theirs for up to 24 hours. A role assignment of Azure needs none, and can take minutes to arrive.
/// * The value stays in memory for as long as it is held, and cannot be wiped.
///
/// ```
/// use azure_healthcare_auth::{Audience, Authenticator, DicomAudience, FhirAudience};
/// # use azure_healthcare_auth::testing::FakeServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let credential = FakeServer::start().await.credential();
/// let fhir = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, credential);
/// assert_eq!(fhir.expires_on(), None); // nothing is fetched before it is needed
/// let value = fhir.authorization().await?;
/// assert!(value.is_sensitive() && fhir.expires_on().is_some());
///
/// // By its URL, for a request that may not be to the service. No other call is made while the token lives.
/// let patients = fhir.audience().url("Patient")?;
/// assert_eq!(fhir.authorization_for(&patients).await?, value);
/// assert!(fhir.authorization_for(&"https://contoso.example/".parse().unwrap()).await.is_err());
///
/// // Where the service refuses it all the same, with 401: another, if the credential has one.
/// if let Some(other) = fhir.refresh_rejected(&value).await? {
///     assert_eq!(fhir.authorization().await?, other);
/// }
///
/// let dicom = fhir.for_audience(DicomAudience::workspace("contoso", "imaging").build()?);
/// assert_ne!(dicom.authorization().await?, value);
/// # Ok(()) }
/// ```
pub struct Authenticator<A> {
    audience: Arc<A>,
    source: Arc<Source>,
    slot: Arc<Slot>,
}

impl<A: Audience> Authenticator<A> {
    /// An authenticator that gets its tokens from `credential`: one of `azure_identity`, or your own.
    pub fn new(audience: A, credential: Arc<dyn TokenCredential>) -> Self {
        let source = Source::new(credential, DEFAULT_TIMEOUT, Clock::default());
        Self::from_source(Arc::new(audience), Arc::new(source))
    }

    fn from_source(audience: Arc<A>, source: Arc<Source>) -> Self {
        let slot = source.slot(audience.scope());
        Self { audience, source, slot }
    }

    /// How long the credential may take for one token. Default: 60 s, from the moment it is called.
    ///
    /// For the time of building: what is returned begins with no token, and shares none with `self`.
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, ErrorKind, FhirAudience, testing::ScriptedCredential};
    /// use std::{sync::Arc, time::Duration};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let hour = Duration::from_secs(60 * 60);
    /// let hangs = Arc::new(ScriptedCredential::new().delay(hour).token("too late", hour));
    /// let auth = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, hangs)
    ///     .with_token_timeout(Duration::from_millis(20));
    /// let error = auth.authorization().await.unwrap_err();
    /// assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Timeout, true));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_token_timeout(self, timeout: Duration) -> Self {
        let source = Arc::new(self.source.with_timeout(timeout));
        Self::from_source(self.audience, source)
    }

    /// Takes the time from `now`, for a test that lets a token end.
    ///
    /// For the time of building: what is returned begins with no token, and shares none with `self`.
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, FhirAudience, testing::ScriptedCredential};
    /// use std::{sync::{Arc, atomic::{AtomicU64, Ordering}}, time::{Duration, SystemTime}};
    ///
    /// static SECONDS: AtomicU64 = AtomicU64::new(0);
    /// fn now() -> SystemTime {
    ///     SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS.load(Ordering::Relaxed))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let hour = Duration::from_secs(60 * 60);
    /// let script = ScriptedCredential::new().token("first", hour).token("second", hour).with_clock(now);
    /// let auth = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, Arc::new(script))
    ///     .with_clock(now);
    ///
    /// assert_eq!(auth.authorization().await?, "Bearer first");
    /// assert_eq!(auth.expires_on(), Some(now() + hour));
    /// SECONDS.store(60 * 60, Ordering::Relaxed);
    /// assert_eq!(auth.authorization().await?, "Bearer second");
    /// # Ok(()) }
    /// ```
    #[cfg(any(test, feature = "testing"))]
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    #[must_use]
    pub fn with_clock(self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let source = Arc::new(self.source.with_clock(Clock::of(now)));
        Self::from_source(self.audience, source)
    }

    /// The same credential and tokens, for another audience.
    #[must_use]
    pub fn for_audience<B: Audience>(&self, audience: B) -> Authenticator<B> {
        Authenticator::from_source(Arc::new(audience), self.source.clone())
    }

    /// Where requests go and what the token is for.
    #[must_use]
    pub fn audience(&self) -> &A {
        &self.audience
    }

    /// The time by which tokens are kept.
    #[cfg(feature = "client")]
    pub(crate) fn now(&self) -> SystemTime {
        self.source.now()
    }

    /// When the token that is held now ends, by its credential's word. `None` before the first fetch.
    #[must_use]
    pub fn expires_on(&self) -> Option<SystemTime> {
        self.slot.expires_on()
    }

    /// The value of the `Authorization` header: `Bearer …`, marked sensitive.
    ///
    /// While a token is held and lives, it returns at once. Until its window opens, minutes before its end, that
    /// allocates nothing, but for what the first call on a thread sets up. The value is good for requests to the audience
    /// alone: for a URL of unknown origin use [`authorization_for`](Self::authorization_for).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Credential`](crate::ErrorKind::Credential): the credential gave no token, or none that can be
    /// used. [`Timeout`](crate::ErrorKind::Timeout): it gave no answer in time.
    /// [`NoRuntime`](crate::ErrorKind::NoRuntime): a token has to be fetched, and this is not a Tokio runtime.
    pub async fn authorization(&self) -> Result<HeaderValue> {
        self.slot.authorization().await
    }

    /// The value for a request to `url`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UrlNotAllowed`](crate::ErrorKind::UrlNotAllowed), before any token is fetched, unless the URL is on
    /// the audience's origin and below its base path; else as [`authorization`](Self::authorization).
    pub async fn authorization_for(&self, url: &Url) -> Result<HeaderValue> {
        self.audience.check_url(url)?;
        self.authorization().await
    }

    /// Another value than the one that the service has just refused with 401, or `None` where there is none.
    ///
    /// If the refused value is still held, the credential is called once with
    /// [`ForceRefresh`](crate::credentials::ForceRefresh), for all who saw the refusal together; the value stays in
    /// service for everybody else. It is `None` if that call brings the same value or fails, and if none may be made:
    /// there is none within 30 s of the last, and no other once it has brought the same value. A value that was replaced
    /// so does not come back while the new one lives, even where the credential hands it out again.
    ///
    /// # Errors
    ///
    /// As [`authorization`](Self::authorization), where no value is held any more; and
    /// [`NoRuntime`](crate::ErrorKind::NoRuntime) where the credential would be called and this is not a Tokio runtime.
    pub async fn refresh_rejected(&self, refused: &HeaderValue) -> Result<Option<HeaderValue>> {
        self.slot.refresh_rejected(refused).await
    }
}

#[async_trait]
impl<A: Audience> HealthcareAuth for Authenticator<A> {
    type Audience = A;

    fn audience(&self) -> &A {
        &self.audience
    }

    async fn authorization(&self) -> Result<HeaderValue> {
        self.slot.authorization().await
    }

    fn cached_authorization(&self) -> Option<HeaderValue> {
        self.slot.fresh()
    }

    async fn refresh_rejected(&self, refused: &HeaderValue) -> Result<Option<HeaderValue>> {
        self.slot.refresh_rejected(refused).await
    }
}

impl<A> Clone for Authenticator<A> {
    fn clone(&self) -> Self {
        Self { audience: self.audience.clone(), source: self.source.clone(), slot: self.slot.clone() }
    }
}

impl<A: Audience> fmt::Debug for Authenticator<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("audience", &self.audience)
            .field("expires_on", &self.expires_on())
            .finish_non_exhaustive()
    }
}
