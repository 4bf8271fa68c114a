//! [`ConnectionPools`]: the `reqwest` clients behind a client, each built on first use.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, redirect};
use url::Url;

use crate::{Error, ErrorKind, Result, audience::host::is_loopback, error::chain::root_cause};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const USER_AGENT: &str = concat!("azure_healthcare_auth/", env!("CARGO_PKG_VERSION"));

/// The caller's changes to a builder that has this crate's defaults.
pub(super) type ConfigureHttp = Arc<dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync>;

/// The location of a service, as far as its HTTP client depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Remote,
    /// On this machine. Requests must not pass through a proxy.
    Loopback,
    /// On this machine and without TLS, so that no CA certificates are needed.
    PlainLoopback,
}

impl Location {
    pub(super) fn of(endpoint: &Url) -> Self {
        match (is_loopback(endpoint), endpoint.scheme()) {
            (false, _) => Self::Remote,
            (true, "http") => Self::PlainLoopback,
            (true, _) => Self::Loopback,
        }
    }
}

/// One pool for the services at each location.
#[derive(Default)]
pub(super) struct ConnectionPools {
    configure: Option<ConfigureHttp>,
    remote: Pool,
    loopback: Pool,
    plain_loopback: Pool,
}

#[derive(Default)]
struct Pool {
    client: OnceLock<Client>,
    /// Ensures that concurrent first requests build only one client.
    building: Mutex<()>,
}

impl ConnectionPools {
    pub(super) fn new(configure: ConfigureHttp) -> Self {
        Self { configure: Some(configure), ..Self::default() }
    }

    /// Returns the client for services at this location.
    pub(super) fn client(&self, location: Location) -> Result<&Client> {
        let pool = match location {
            Location::Remote => &self.remote,
            Location::Loopback => &self.loopback,
            Location::PlainLoopback => &self.plain_loopback,
        };
        if let Some(client) = pool.client.get() {
            return Ok(client);
        }
        let _building = pool.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = pool.client.get() {
            return Ok(client);
        }
        // An error is not cached, because its cause may be temporary: too few file descriptors, for example.
        let client = self.build(location)?;
        Ok(pool.client.get_or_init(|| client))
    }

    fn build(&self, location: Location) -> Result<Client> {
        let builder = ClientBuilder::new().user_agent(USER_AGENT).connect_timeout(CONNECT_TIMEOUT);
        let (builder, kind, message) = match &self.configure {
            Some(configure) => (
                configure(builder),
                ErrorKind::Request,
                "the HTTP client could not be built with the settings of `configure_http`",
            ),
            None => (builder, ErrorKind::Connection, "the HTTP client could not be built"),
        };
        // A redirect could send the request and its body to another host. Verbose logging prints both.
        let mut builder = builder.redirect(redirect::Policy::none()).connection_verbose(false);
        if location != Location::Remote {
            builder = builder.no_proxy();
        }
        if location == Location::PlainLoopback {
            builder = builder.tls_certs_only([]);
        }
        builder.build().map_err(|error| {
            let message = if has_no_certificates(&error) { NO_CERTIFICATES } else { message };
            Error::new(kind, message).caused_by(error.without_url())
        })
    }
}

const NO_CERTIFICATES: &str = "no CA certificates were loaded, which every https request needs (install those of the \
    operating system, for example the package ca-certificates, or set SSL_CERT_FILE)";

/// Returns `true` if `rustls_platform_verifier` found no certificates. Its error has no type of its own.
fn has_no_certificates(error: &reqwest::Error) -> bool {
    root_cause(error).contains("No CA certificates were loaded")
}
