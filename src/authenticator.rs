//! [`Authenticator`]: authorization values for one audience.

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
    token::{CacheEntry, DEFAULT_TIMEOUT, TokenCache},
};

/// Provides `Authorization` values for one audience, and caches the tokens of its credential.
///
/// * Concurrent requests share one call to the credential, and its token or error.
/// * A fresh token is returned without a lock or an allocation.
/// * 3 to 5 minutes before a token expires, the next request starts a refresh in the background. Requests use the
///   cached token until the refresh completes.
/// * After a failed fetch, the authenticator backs off: it starts no ordinary fetch for up to 1 s. The backoff doubles
///   with each failure, up to 30 s (5 s before the first success). During the backoff, requests use the cached token,
///   or get the last error if there is no valid one.
///
/// [Token lifecycle](crate::guide::token_lifecycle) describes the rules in detail.
///
/// Clones, and the authenticators that [`for_audience`](Self::for_audience) returns, share the credential and its
/// cached tokens. There is one token per *scope*, so all DICOM services with the default resource share one token.
///
/// An authenticator can be created outside a runtime and stored in a `static`. A fetch needs a Tokio runtime with time
/// enabled. It runs in its own task, so it continues if the request that started it is canceled. If the runtime of a
/// fetch is dropped, waiting requests on other runtimes start another fetch. If the runtime of the fetch is neither
/// dropped nor polled, for example a current-thread runtime after `block_on`, they keep waiting.
///
/// # Limitations
///
/// * Only a request starts a refresh. If there is none in the 3 to 5 minutes before a token expires, the next request
///   waits for a fetch. To avoid this, call [`authorization`](Self::authorization) from a timer, once a minute.
/// * A change of group memberships or application roles takes effect with the next token, and a managed identity caches
///   its tokens for up to 24 hours. An Azure role assignment needs no new token, but can take minutes to take effect.
/// * Cached tokens stay in memory and are not wiped.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Authenticator, DicomAudience, FhirAudience};
/// # use azure_healthcare_auth_testing::FakeServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let credential = FakeServer::start().await.credential();
/// let fhir = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, credential);
/// assert_eq!(fhir.expires_on(), None); // the first request fetches a token
/// let value = fhir.authorization().await?;
/// assert!(value.is_sensitive() && fhir.expires_on().is_some());
///
/// // Checks the URL first, so that the token cannot be sent to another service.
/// let patients = fhir.audience().url("Patient")?;
/// assert_eq!(fhir.authorization_for(&patients).await?, value);
/// assert!(fhir.authorization_for(&"https://contoso.example/".parse().unwrap()).await.is_err());
///
/// // After a 401: requests another token from the credential.
/// if let Some(replacement) = fhir.refresh_rejected(&value).await? {
///     assert_eq!(fhir.authorization().await?, replacement);
/// }
///
/// // Shares the credential, and has a token for its own scope.
/// let dicom = fhir.for_audience(DicomAudience::workspace("contoso", "imaging").build()?);
/// assert_ne!(dicom.authorization().await?, value);
/// # Ok(()) }
/// ```
pub struct Authenticator<A> {
    audience: Arc<A>,
    cache: Arc<TokenCache>,
    entry: CacheEntry,
}

impl<A: Audience> Authenticator<A> {
    /// Creates an authenticator that gets its tokens from `credential`, with the default settings.
    #[must_use]
    pub fn new(audience: A, credential: Arc<dyn TokenCredential>) -> Self {
        Self::builder(audience, credential).build()
    }

    /// Returns a builder for an authenticator that gets its tokens from `credential`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use azure_healthcare_auth::{Authenticator, FhirAudience};
    /// # use azure_healthcare_auth_testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let credential = FakeServer::start().await.credential();
    /// let audience = FhirAudience::workspace("contoso", "records").build()?;
    /// let auth = Authenticator::builder(audience, credential).token_timeout(Duration::from_secs(10)).build();
    /// auth.authorization().await?;
    /// # Ok(()) }
    /// ```
    pub fn builder(audience: A, credential: Arc<dyn TokenCredential>) -> AuthenticatorBuilder<A> {
        AuthenticatorBuilder { audience, credential, token_timeout: DEFAULT_TIMEOUT, clock: Clock::default() }
    }

    fn from_cache(audience: A, cache: Arc<TokenCache>) -> Self {
        let entry = cache.entry(audience.scope());
        Self { audience: Arc::new(audience), cache, entry }
    }

    /// Returns an authenticator for another audience that shares the credential and the cached tokens.
    #[must_use]
    pub fn for_audience<B: Audience>(&self, audience: B) -> Authenticator<B> {
        Authenticator::from_cache(audience, self.cache.clone())
    }

    /// Returns the audience.
    #[must_use]
    pub fn audience(&self) -> &A {
        &self.audience
    }

    /// Returns the current time according to the authenticator's clock.
    #[cfg(feature = "client")]
    pub(crate) fn now(&self) -> SystemTime {
        self.cache.now()
    }

    /// Returns the expiry of the cached token as the credential reported it, or `None` before the first successful
    /// fetch.
    ///
    /// The time can be in the past, because an expired token stays cached until a fetch replaces it.
    #[must_use]
    pub fn expires_on(&self) -> Option<SystemTime> {
        self.entry.expires_on()
    }

    /// Returns the value of the `Authorization` header: `Bearer …`, marked as sensitive.
    ///
    /// Returns at once if a valid token is cached, and waits for a fetch otherwise. If the token is not in its refresh
    /// window yet, the call takes no lock and allocates nothing, except for thread-local data on the first call in each
    /// thread.
    ///
    /// The value is for requests to the audience only. If a URL comes from elsewhere, such as a `next` link, use
    /// [`authorization_for`](Self::authorization_for).
    ///
    /// # Errors
    ///
    /// * [`ErrorKind::Credential`](crate::ErrorKind::Credential) if the credential returned no token, or one that is
    ///   expired or not valid in a header.
    /// * [`ErrorKind::Timeout`](crate::ErrorKind::Timeout) if the credential did not respond in time.
    /// * [`ErrorKind::NoRuntime`](crate::ErrorKind::NoRuntime) if a fetch is needed outside a Tokio runtime, or its
    ///   runtime shut down.
    pub async fn authorization(&self) -> Result<HeaderValue> {
        self.entry.authorization().await
    }

    /// Checks that `url` belongs to the audience, and returns the authorization value for it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UrlNotAllowed`](crate::ErrorKind::UrlNotAllowed), before a token is fetched, if the URL has another
    /// origin than the audience or is not below its base path. Otherwise the errors of
    /// [`authorization`](Self::authorization).
    pub async fn authorization_for(&self, url: &Url) -> Result<HeaderValue> {
        self.audience.check_url(url)?;
        self.authorization().await
    }

    /// Requests a replacement for a token that the service rejected with 401.
    ///
    /// Returns the cached token at once if it is not the rejected one. Otherwise forces a refresh: the credential is
    /// called with [`ForceRefresh`](crate::credentials::ForceRefresh). Concurrent callers that report the same token
    /// share this call, and other requests use the cached token until it completes. If an ordinary refresh is in
    /// flight, the caller waits for it first, and forces a refresh only if the ordinary one failed or returned the
    /// rejected token. If no valid token is cached, the caller waits for an ordinary fetch, as in
    /// [`authorization`](Self::authorization).
    ///
    /// Returns `None` if there is no replacement:
    ///
    /// * The credential returned the same token. After a forced refresh that did so, no other refresh is forced for
    ///   this token.
    /// * The last forced refresh completed less than 30 seconds ago.
    ///
    /// A rejected token that a forced refresh replaced is not used again while its replacement is valid, even if the
    /// credential returns it again. Only the last such token is remembered.
    ///
    /// # Errors
    ///
    /// * The errors of [`authorization`](Self::authorization), if the forced refresh failed or no valid token is
    ///   cached. After a failed forced refresh, the rejected token stays cached.
    /// * [`ErrorKind::NoRuntime`](crate::ErrorKind::NoRuntime) if a forced refresh is needed outside a Tokio runtime,
    ///   or its runtime shut down.
    pub async fn refresh_rejected(&self, rejected: &HeaderValue) -> Result<Option<HeaderValue>> {
        self.entry.refresh_rejected(rejected).await
    }
}

#[async_trait]
impl<A: Audience> HealthcareAuth for Authenticator<A> {
    type Audience = A;

    fn audience(&self) -> &A {
        &self.audience
    }

    async fn authorization(&self) -> Result<HeaderValue> {
        self.entry.authorization().await
    }

    fn cached_authorization(&self) -> Option<HeaderValue> {
        self.entry.fresh_authorization()
    }

    async fn refresh_rejected(&self, rejected: &HeaderValue) -> Result<Option<HeaderValue>> {
        self.entry.refresh_rejected(rejected).await
    }
}

impl<A> Clone for Authenticator<A> {
    fn clone(&self) -> Self {
        Self { audience: self.audience.clone(), cache: self.cache.clone(), entry: self.entry.clone() }
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

/// A builder for an [`Authenticator`], created with [`Authenticator::builder`].
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Authenticator, ErrorKind, FhirAudience};
/// use azure_healthcare_auth_testing::ScriptedCredential;
/// use std::{sync::Arc, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let hour = Duration::from_secs(60 * 60);
/// let slow = Arc::new(ScriptedCredential::new().delay(hour).token("too late", hour));
/// let auth = Authenticator::builder(FhirAudience::workspace("contoso", "records").build()?, slow)
///     .token_timeout(Duration::from_millis(20))
///     .build();
///
/// let error = auth.authorization().await.unwrap_err();
/// assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Timeout, true));
/// # Ok(()) }
/// ```
#[must_use = "a builder does nothing until `build` is called"]
pub struct AuthenticatorBuilder<A> {
    audience: A,
    credential: Arc<dyn TokenCredential>,
    token_timeout: Duration,
    clock: Clock,
}

impl<A: Audience> AuthenticatorBuilder<A> {
    /// Sets the time limit for one call to the credential. Default: 60 s.
    ///
    /// The limit does not include the wait while two other calls to the credential are running. A call that exceeds the
    /// limit is dropped, and the fetch fails with [`ErrorKind::Timeout`](crate::ErrorKind::Timeout).
    pub fn token_timeout(mut self, timeout: Duration) -> Self {
        self.token_timeout = timeout;
        self
    }

    /// Sets the clock that decides when a token is refreshed and when it has expired. The default is
    /// [`SystemTime::now`].
    ///
    /// Use it in tests of token expiry. Every request calls `now`, so it should be fast.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, FhirAudience};
    /// use azure_healthcare_auth_testing::ScriptedCredential;
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
    /// let records = FhirAudience::workspace("contoso", "records").build()?;
    /// let auth = Authenticator::builder(records, Arc::new(script)).clock(now).build();
    ///
    /// assert_eq!(auth.authorization().await?, "Bearer first");
    /// assert_eq!(auth.expires_on(), Some(now() + hour));
    /// SECONDS.store(60 * 60, Ordering::Relaxed);
    /// assert_eq!(auth.authorization().await?, "Bearer second");
    /// # Ok(()) }
    /// ```
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::of(now);
        self
    }

    /// Builds the authenticator. The credential is not called before the first request.
    #[must_use]
    pub fn build(self) -> Authenticator<A> {
        let cache = TokenCache::new(self.credential, self.token_timeout, self.clock);
        Authenticator::from_cache(self.audience, Arc::new(cache))
    }
}

impl<A: fmt::Debug> fmt::Debug for AuthenticatorBuilder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The credential is omitted, because its `Debug` output can contain secrets.
        f.debug_struct("AuthenticatorBuilder")
            .field("audience", &self.audience)
            .field("token_timeout", &self.token_timeout)
            .finish_non_exhaustive()
    }
}
