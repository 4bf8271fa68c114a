//! [`FakeTokenEndpointBuilder`]: configures and starts a fake token endpoint.

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use url::Url;

use super::{
    certificate::Certificate,
    endpoint::FakeTokenEndpoint,
    https::{listen, serve},
    registration::{Federated, Registration},
    router::router,
    service::{State, TokenService},
};
use crate::{
    clock::Clock,
    token::{APP, LIFETIME, ROLES, TENANT},
};

/// Configures and starts a [`FakeTokenEndpoint`].
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth_testing::{FakeClock, FakeTokenEndpoint};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let clock = FakeClock::new();
/// let endpoint = FakeTokenEndpoint::builder()
///     .tenant_id("33333333-3333-4333-8333-333333333333")
///     .client_id("44444444-4444-4444-8444-444444444444")
///     .client_secret("the secret of this test")
///     .federated_credential("https://issuer.example", "system:serviceaccount:records:worker")
///     .lifetime(Duration::from_secs(10 * 60))
///     .roles(&["FHIR Data Reader"])
///     .clock({
///         let clock = clock.clone();
///         move || clock.now()
///     })
///     .start()
///     .await;
/// assert_eq!(endpoint.client_id(), "44444444-4444-4444-8444-444444444444");
/// # }
/// ```
#[derive(Clone)]
#[must_use = "the builder does nothing until `start` is called"]
pub struct FakeTokenEndpointBuilder {
    /// Its authority is set at the start.
    registration: Registration,
    roles: Vec<String>,
    lifetime: Duration,
    clock: Clock,
}

impl FakeTokenEndpoint {
    /// Starts an endpoint with the default settings.
    ///
    /// It listens on a free port that the operating system chooses, speaks HTTP/1.1 over TLS and runs on a thread of
    /// its own.
    ///
    /// # Panics
    ///
    /// Panics if the operating system provides no free port on `127.0.0.1` or no thread, or if no certificate can be
    /// generated.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Returns a builder to configure the endpoint.
    pub fn builder() -> FakeTokenEndpointBuilder {
        FakeTokenEndpointBuilder {
            registration: Registration {
                authority: String::new(),
                tenant: TENANT.to_owned(),
                client: APP.to_owned(),
                // In the format of Entra, so that anything that redacts secrets recognizes it.
                secret: format!("fak8Q~{}", "e".repeat(34)),
                federated: Vec::new(),
            },
            roles: ROLES.map(str::to_owned).to_vec(),
            lifetime: LIFETIME,
            clock: Clock::default(),
        }
    }
}

impl FakeTokenEndpointBuilder {
    /// Sets the id of the tenant (default: the one that a [`FakeServer`](crate::FakeServer) expects).
    ///
    /// A fake server rejects the tokens of another tenant.
    pub fn tenant_id(mut self, tenant_id: impl Into<String>) -> Self {
        self.registration.tenant = tenant_id.into();
        self
    }

    /// Sets the client id of the application.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.registration.client = client_id.into();
        self
    }

    /// Sets the secret of the application.
    pub fn client_secret(mut self, client_secret: impl Into<String>) -> Self {
        self.registration.secret = client_secret.into();
        self
    }

    /// Lets a workload with this issuer and subject authenticate as the application.
    ///
    /// Both are compared exactly. See [`FakeTokenEndpoint::federated_token`].
    pub fn federated_credential(mut self, issuer: impl Into<String>, subject: impl Into<String>) -> Self {
        self.registration.federated.push(Federated { issuer: issuer.into(), subject: subject.into() });
        self
    }

    /// Sets how long a token is valid (default: one hour). Fractions of a second are dropped.
    ///
    /// The credentials of `azure_identity` cache a token until five minutes before its expiry, according to the system
    /// clock.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Sets the roles of the tokens, by the names that [`FakeCredential::with_roles`](crate::FakeCredential::with_roles)
    /// lists (default: the roles of a [`FakeCredential`](crate::FakeCredential)).
    ///
    /// A user's token has the same roles.
    pub fn roles(mut self, roles: &[&str]) -> Self {
        self.roles = roles.iter().map(|&role| role.to_owned()).collect();
        self
    }

    /// Sets the clock for the times in tokens and for the expiry of assertions (default: the system clock).
    ///
    /// Use the same clock for [`FakeServerBuilder::clock`](crate::FakeServerBuilder::clock).
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::of(now);
        self
    }

    /// Starts the endpoint.
    ///
    /// # Panics
    ///
    /// Panics under the same conditions as [`FakeTokenEndpoint::start`].
    #[expect(clippy::panic, reason = "a test cannot continue without the endpoint")]
    pub async fn start(self) -> FakeTokenEndpoint {
        match self.try_start() {
            Ok(endpoint) => endpoint,
            Err(error) => panic!("the fake token endpoint cannot be started: {error}"),
        }
    }

    fn try_start(self) -> Result<FakeTokenEndpoint, Box<dyn Error>> {
        let Self { mut registration, roles, lifetime, clock } = self;
        let (listeners, port) = listen()?;
        registration.authority = format!("https://localhost:{port}");
        let authority_host = Url::parse(&registration.authority)?;
        let certificate = Certificate::generate()?;
        let state = Mutex::new(State::default());
        let service = Arc::new(TokenService { registration, roles, lifetime, clock, state });
        let running = serve(listeners, &certificate.server, &router(service.clone()))?;
        Ok(FakeTokenEndpoint {
            service,
            certificate: certificate.authority,
            authority_host,
            _running: running,
        })
    }
}

/// Shows the tenant and the client id, but not the secret.
impl fmt::Debug for FakeTokenEndpointBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeTokenEndpointBuilder")
            .field("tenant_id", &self.registration.tenant)
            .field("client_id", &self.registration.client)
            .field("roles", &self.roles)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
