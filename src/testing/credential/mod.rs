//! [`FakeCredential`]: issues the tokens that a [`FakeServer`](super::FakeServer) takes, and ones that it refuses.

#[cfg(test)]
mod tests;

use std::{
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, SystemTime},
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    time::OffsetDateTime,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use crate::{clock::Clock, scope};

/// The tenant that the stand-in trusts.
pub(super) const TENANT: &str = "0a1b2c3d-0000-4000-8000-5741d1000001";
/// The application that asked, and the principal whose roles count.
const APP: &str = "0a1b2c3d-0000-4000-8000-5741d1000002";
const PRINCIPAL: &str = "0a1b2c3d-0000-4000-8000-5741d1000003";
/// A role for each service that may do everything there.
const ROLES: [&str; 2] = ["FHIR Data Contributor", "DICOM Data Owner"];

const LIFE: Duration = Duration::from_secs(60 * 60);
/// How long ago a token of [`FakeCredential::expired`] ended, in seconds.
const ENDED: u64 = 60;
/// The end of the year 9999, behind which there is no [`OffsetDateTime`].
pub(super) const MAX_TIME: u64 = 253_402_300_799;

/// A credential that issues unsigned tokens, with the claims that Entra writes for these services.
///
/// By default they are what a [`FakeServer`](super::FakeServer) takes: for the resource of the scope that is asked for, of
/// its tenant, valid for an hour, with the roles *FHIR Data Contributor* and *DICOM Data Owner*. Each of these changes
/// one thing and so provokes one refusal:
///
/// | | answer |
/// |---|---|
/// | [`with_audience`](Self::with_audience) | 401, the audience is invalid |
/// | [`with_tenant`](Self::with_tenant) | 401, the issuer is invalid |
/// | [`expired`](Self::expired) | 401, the token is expired |
/// | [`without_role`](Self::without_role) | 403 |
/// | [`with_roles`](Self::with_roles) | 403 to what they do not allow |
///
/// Every call issues a new token, different from all others. No service but the stand-in takes one: `alg` is `none`,
/// and where the signature would be stand the words that there is none. `Debug` shows no token: none is kept.
///
/// ```
/// use azure_healthcare_auth::{Audience, DenialCause, HealthcareClient, testing::{FakeServer, FakeCredential}};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let fake_server = FakeServer::start().await;
/// let issued = FakeCredential::new;
/// let with_slash = format!("{}/", fake_server.fhir().resource());
/// for (credential, cause) in [
///     (issued().with_audience("https://dicom.healthcareapis.azure.com"), DenialCause::WrongAudience),
///     (issued().with_audience(with_slash), DenialCause::TrailingSlash),
///     (issued().with_tenant("72f988bf-0000-4000-8000-000000000000"), DenialCause::WrongTenant),
///     (issued().expired(), DenialCause::Expired),
///     (issued().without_role(), DenialCause::MissingRole),
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
    life: Duration,
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
    /// A credential whose tokens a stand-in takes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            audience: None,
            tenant: TENANT.to_owned(),
            life: LIFE,
            expired: false,
            roles: ROLES.map(str::to_owned).to_vec(),
            clock: Clock::default(),
            calls: AtomicUsize::new(0),
        }
    }

    /// How long a token is valid, in whole seconds from the second in which it is issued. Default: an hour.
    ///
    /// A fraction of a second is dropped, and a life beyond the year 9999 ends there.
    ///
    /// ```
    /// use azure_core::credentials::TokenCredential;
    /// use azure_healthcare_auth::testing::FakeCredential;
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
    pub fn with_lifetime(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// The `aud` claim, whatever is asked for. Default: the scope without its `/.default`.
    ///
    /// The resource with a `/` at its end is the usual mistake.
    #[must_use]
    pub fn with_audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// The id of the tenant that issues. Default: the one that the stand-in trusts.
    #[must_use]
    pub fn with_tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// Tokens whose `exp` claim lies a minute back, although the credential tells that they live on.
    ///
    /// So they are sent, as from a machine whose clock is wrong, and the service has to refuse them.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.expired = true;
        self
    }

    /// Tokens of a principal that has no role.
    #[must_use]
    pub fn without_role(self) -> Self {
        self.with_roles(&[])
    }

    /// Tokens of a principal that has these roles, by the names of Azure's built-in ones.
    ///
    /// A stand-in lets *FHIR Data Reader* and *DICOM Data Reader* read and search, and *FHIR Data Writer*, *FHIR Data
    /// Contributor* and *DICOM Data Owner* write too. Any other name allows nothing.
    ///
    /// ```
    /// # use azure_healthcare_auth::{HealthcareClient, testing::*};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// # let fake_server = FakeServer::start().await;
    /// let reader = std::sync::Arc::new(FakeCredential::new().with_roles(&["FHIR Data Reader"]));
    /// let fhir = HealthcareClient::new(fake_server.fhir(), reader);
    /// assert!(fhir.get("Patient").send().await.is_ok() && fhir.post("Patient").send().await.is_err());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_roles(mut self, roles: &[&str]) -> Self {
        self.roles = roles.iter().map(|&role| role.to_owned()).collect();
        self
    }

    /// Takes the time at which a token is issued from `now`, which is best that of
    /// [`FakeServerBuilder::with_clock`](super::FakeServerBuilder::with_clock). Default: this machine's.
    #[must_use]
    pub fn with_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::of(now);
        self
    }

    /// How often a token was asked for, in vain or not. Never panics.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// A token for `resource` as it is issued at `now`, in seconds since 1970, and when it is told to end.
    fn issue(&self, resource: &str, now: u64) -> (String, u64) {
        static ISSUED: AtomicU64 = AtomicU64::new(0);
        let end = now.saturating_add(self.life.as_secs()).min(MAX_TIME);
        let (from, to) = if self.expired {
            let to = now.saturating_sub(ENDED);
            (to.saturating_sub(self.life.as_secs()), to)
        } else {
            (now, end)
        };
        let mut claims = json!({
            "aud": self.audience.as_deref().unwrap_or(resource),
            "iss": format!("https://sts.windows.net/{}/", self.tenant),
            "iat": from,
            "nbf": from,
            "exp": to,
            "appid": APP,
            "idtyp": "app",
            "oid": PRINCIPAL,
            "sub": PRINCIPAL,
            "tid": self.tenant,
            "uti": format!("stand-in-{:06}", ISSUED.fetch_add(1, Ordering::Relaxed)),
            "ver": "1.0",
        });
        if let (false, Some(claims)) = (self.roles.is_empty(), claims.as_object_mut()) {
            claims.insert("roles".to_owned(), json!(self.roles));
        }
        let [head, claims] = [json!({"alg": "none", "typ": "JWT"}), claims]
            .map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        (format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode("not signed")), end)
    }
}

#[async_trait::async_trait]
impl TokenCredential for FakeCredential {
    /// # Errors
    ///
    /// Where there is not exactly one scope, or it does not end in `/.default`: Entra issues nothing for it either.
    async fn get_token(
        &self,
        scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let (token, end) = self.issue(scope::only_resource(scopes)?, self.clock.unix());
        Ok(AccessToken::new(token, OffsetDateTime::UNIX_EPOCH + Duration::from_secs(end)))
    }
}
