//! [`FakeCredential`]: issues tokens that a [`FakeServer`](crate::FakeServer) accepts or, on request, rejects.

#[cfg(test)]
#[path = "fake_tests.rs"]
mod tests;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use azure_core::{
    Error,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};

use crate::{
    clock::{Clock, MAX_TIME},
    token::{APP, LIFETIME, NewToken, ROLES, TENANT},
};

/// The number of seconds since the expiry of an [`expired`](FakeCredential::expired) token.
const EXPIRED_SINCE: u64 = 60;

/// A credential that issues unsigned tokens with the claims of Microsoft Entra tokens for these services.
///
/// By default, a [`FakeServer`](crate::FakeServer) accepts the tokens: they are for the resource of the requested
/// scope, come from the expected tenant, are valid for an hour and contain the roles *FHIR Data Contributor*,
/// *DICOM Data Owner* and *Storage Blob Data Reader*. Each of these methods changes one property, for which the fake
/// server rejects or denies the request:
///
/// | Method | Response |
/// |---|---|
/// | [`with_audience`](Self::with_audience) | 401, the audience is invalid |
/// | [`with_tenant`](Self::with_tenant) | 401, the issuer is invalid |
/// | [`expired`](Self::expired) | 401, the token is expired |
/// | [`without_role`](Self::without_role) | 403 |
/// | [`with_roles`](Self::with_roles) | 403 if the roles do not allow the request |
///
/// Every call issues a new, unique token. Only the fake server accepts these tokens, because their `alg` is `none` and
/// their signature is a placeholder.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{DenialCause, HealthcareClient};
/// use azure_healthcare_auth_testing::{FakeCredential, FakeServer};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let fake_server = FakeServer::start().await;
/// let trailing_slash = format!("{}/", fake_server.fhir().resource());
/// for (credential, cause) in [
///     (FakeCredential::new().with_audience("https://dicom.healthcareapis.azure.com"), DenialCause::WrongAudience),
///     (FakeCredential::new().with_audience(trailing_slash), DenialCause::TrailingSlash),
///     (FakeCredential::new().with_tenant("72f988bf-0000-4000-8000-000000000000"), DenialCause::WrongTenant),
///     (FakeCredential::new().expired(), DenialCause::Expired),
///     (FakeCredential::new().without_role(), DenialCause::MissingRole),
/// ] {
///     let fhir = HealthcareClient::new(fake_server.fhir(), Arc::new(credential));
///     let error = fhir.get("Patient").send().await.unwrap_err();
///     assert_eq!(error.denial().unwrap().cause(), cause);
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct FakeCredential {
    audience: Option<String>,
    tenant: String,
    lifetime: Duration,
    expired: bool,
    roles: Vec<String>,
    clock: Clock,
    calls: AtomicUsize,
}

impl Default for FakeCredential {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeCredential {
    /// Creates a credential whose tokens a [`FakeServer`](crate::FakeServer) accepts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            audience: None,
            tenant: TENANT.to_owned(),
            lifetime: LIFETIME,
            expired: false,
            roles: ROLES.map(str::to_owned).to_vec(),
            clock: Clock::default(),
            calls: AtomicUsize::new(0),
        }
    }

    /// Sets how long a token is valid (default: one hour).
    ///
    /// Fractions of a second are dropped. A token expires at the end of the year 9999 at the latest.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_core::credentials::TokenCredential;
    /// use azure_healthcare_auth_testing::FakeCredential;
    /// use std::time::{Duration, SystemTime};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_core::Result<()> {
    /// let morning = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_334_400); // 22 Nov 2026, 08:00 UTC
    /// let shift = Duration::from_secs(8 * 60 * 60);
    /// let credential = FakeCredential::new().with_lifetime(shift).with_clock(move || morning);
    ///
    /// let token = credential.get_token(&["https://dicom.healthcareapis.azure.com/.default"], None).await?;
    /// assert_eq!(SystemTime::from(token.expires_on), morning + shift);
    /// assert_eq!(credential.calls(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the `aud` claim, regardless of the requested scope (default: the scope without `/.default`).
    ///
    /// A common mistake is a resource with a trailing `/`.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the id of the issuing tenant (default: the tenant that the fake server expects).
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Issues tokens that expired a minute ago according to their `exp` claim, but not according to
    /// [`AccessToken::expires_on`].
    ///
    /// The client therefore sends them, as it does on a machine with a wrong clock, and the service rejects them.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.expired = true;
        self
    }

    /// Issues tokens for a principal without roles.
    #[must_use]
    pub fn without_role(self) -> Self {
        self.with_roles(&[])
    }

    /// Issues tokens for a principal with these roles, given by the names of Azure's built-in roles.
    ///
    /// The fake server knows the following roles. Other names allow nothing.
    ///
    /// | Role | Allows |
    /// |---|---|
    /// | *FHIR Data Reader* | read, search, history |
    /// | *FHIR Data Writer* | the same, and every change except a hard delete |
    /// | *FHIR Data Contributor* | everything |
    /// | *FHIR Data Exporter* | read, search, history, `$export` |
    /// | *FHIR Data Importer* | read, search, history, `$import` |
    /// | *FHIR Data Converter* | `$convert-data` |
    /// | *FHIR Data Bulk Operator* | `$bulk-update`, `$bulk-delete` |
    /// | *DICOM Data Reader* | read, search, change feed |
    /// | *DICOM Data Owner* | everything |
    /// | *Storage Blob Data Reader* | read the files of an export |
    ///
    /// # Examples
    ///
    /// ```
    /// # use azure_healthcare_auth::HealthcareClient;
    /// # use azure_healthcare_auth_testing::{FakeCredential, FakeServer};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// let reader = std::sync::Arc::new(FakeCredential::new().with_roles(&["FHIR Data Reader"]));
    /// let fhir = HealthcareClient::new(fake_server.fhir(), reader);
    /// assert!(fhir.get("Patient").send().await.is_ok());
    /// assert!(fhir.post("Patient").send().await.is_err());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_roles(mut self, roles: &[&str]) -> Self {
        self.roles = roles.iter().map(|&role| role.to_owned()).collect();
        self
    }

    /// Sets the clock for the time at which tokens are issued (default: the system clock).
    ///
    /// Use the same clock for [`FakeServerBuilder::with_clock`](crate::FakeServerBuilder::clock).
    #[must_use]
    pub fn with_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::of(now);
        self
    }

    /// Returns the number of token requests, including those that failed.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Issues a token for `resource` at `now` and returns it with the expiry that the credential reports.
    ///
    /// Times are in seconds since the Unix epoch.
    fn issue(&self, resource: &str, now: u64) -> (String, u64) {
        let reported = now.saturating_add(self.lifetime.as_secs()).min(MAX_TIME);
        let (issued_at, expires_on) = if self.expired {
            let expires_on = now.saturating_sub(EXPIRED_SINCE);
            (expires_on.saturating_sub(self.lifetime.as_secs()), expires_on)
        } else {
            (now, reported)
        };
        let token = NewToken {
            audience: self.audience.as_deref().unwrap_or(resource),
            tenant: &self.tenant,
            app: APP,
            user_scopes: None,
            roles: &self.roles,
            issued_at,
            expires_on,
        };
        (token.issue(), reported)
    }
}

/// Returns the resource of the only scope of a token request, which is the text before `/.default`.
fn only_resource<'a>(scopes: &[&'a str]) -> azure_core::Result<&'a str> {
    let [scope] = scopes else {
        let message = "a token request must have exactly one scope";
        return Err(Error::with_message(ErrorKind::Credential, message));
    };
    scope
        .strip_suffix("/.default")
        .ok_or_else(|| Error::with_message(ErrorKind::Credential, "the scope must end in `/.default`"))
}

#[async_trait::async_trait]
impl TokenCredential for FakeCredential {
    /// # Errors
    ///
    /// Returns an error unless there is exactly one scope and it ends in `/.default`, because Entra rejects anything
    /// else too.
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (token, expires_on) = self.issue(only_resource(scopes)?, self.clock.unix());
        Ok(AccessToken::new(token, OffsetDateTime::UNIX_EPOCH + Duration::from_secs(expires_on)))
    }
}
