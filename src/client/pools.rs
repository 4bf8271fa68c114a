//! [`ConnectionPools`]: the `reqwest` clients behind a client, each built on first use.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, redirect};

use crate::{Error, ErrorKind, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const USER_AGENT: &str = concat!("azure_healthcare_auth/", env!("CARGO_PKG_VERSION"));

/// The caller's changes to a builder that has this crate's defaults.
pub(super) type ConfigureHttp = Arc<dyn Fn(ClientBuilder) -> ClientBuilder + Send + Sync>;

/// One pool for services on this machine and one for all others.
///
/// They are separate because requests to a loopback service are not encrypted and must not pass through a proxy.
#[derive(Default)]
pub(super) struct ConnectionPools {
    configure: Option<ConfigureHttp>,
    remote: Pool,
    loopback: Pool,
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

    /// Returns the client for services on this machine, or the one for all others.
    pub(super) fn client(&self, loopback: bool) -> Result<&Client> {
        let pool = if loopback { &self.loopback } else { &self.remote };
        if let Some(client) = pool.client.get() {
            return Ok(client);
        }
        let _building = pool.building.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = pool.client.get() {
            return Ok(client);
        }
        // An error is not cached, because its cause may be temporary: too few file descriptors, for example.
        let client = self.build(loopback)?;
        Ok(pool.client.get_or_init(|| client))
    }

    fn build(&self, loopback: bool) -> Result<Client> {
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
        if loopback {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|error| Error::new(kind, message).caused_by(error.without_url()))
    }
}
