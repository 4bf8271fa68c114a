//! [`Connections`]: the pool that a client and its clones share, made on first use.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, redirect};

use crate::{Error, ErrorKind, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const USER_AGENT: &str = concat!("azure_healthcare_auth/", env!("CARGO_PKG_VERSION"));

/// What a [`HealthcareClient`](crate::HealthcareClient) sends by, to be changed and given back to it by
/// [`with_http`](crate::HealthcareClient::with_http): 20 s for a connection to be made, 60 s between bytes, and this
/// crate's name as `User-Agent`.
///
/// ```
/// use azure_healthcare_auth::default_http;
/// use std::time::Duration;
///
/// let impatient = default_http().read_timeout(Duration::from_secs(5));
/// ```
pub fn default_http() -> ClientBuilder {
    ClientBuilder::new().user_agent(USER_AGENT).connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT)
}

pub(super) struct Connections {
    /// Taken when the pool is made.
    builder: Mutex<Option<ClientBuilder>>,
    client: OnceLock<Result<Client>>,
    /// For services on this machine, spoken to in the clear: a proxy elsewhere must not hear it.
    loopback: bool,
}

impl Connections {
    pub(super) fn new(builder: ClientBuilder, loopback: bool) -> Self {
        Self { builder: Mutex::new(Some(builder)), client: OnceLock::new(), loopback }
    }

    pub(super) fn loopback(&self) -> bool {
        self.loopback
    }

    pub(super) fn client(&self) -> Result<&Client> {
        self.client.get_or_init(|| self.make()).as_ref().map_err(Clone::clone)
    }

    fn make(&self) -> Result<Client> {
        let mut builder = self.builder.lock().unwrap_or_else(PoisonError::into_inner);
        let mut builder = builder.take().unwrap_or_else(default_http);
        // A redirect could lead to another host, and the request with its body would follow. What is sent is not for
        // anybody's log.
        builder = builder.redirect(redirect::Policy::none()).connection_verbose(false);
        if self.loopback {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|error| {
            let message = "the HTTP client cannot be made: see the cause, and what was given to `with_http`";
            Error::new(ErrorKind::Request, message).caused_by(error.without_url())
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{FhirAudience, HealthcareClient, credentials::StaticToken};
    use std::{
        sync::Arc,
        time::{Duration, SystemTime},
    };

    #[test]
    fn a_service_on_this_machine_has_connections_of_its_own() {
        let records = FhirAudience::workspace("contoso", "records").build().unwrap();
        let other = FhirAudience::workspace("contoso", "other").build().unwrap();
        let local: FhirAudience = "http://127.0.0.1:8080".parse().unwrap();
        let token = StaticToken::ending("t", SystemTime::now() + Duration::from_secs(60)).unwrap();
        let there = HealthcareClient::new(records.clone(), Arc::new(token));
        let here = there.at(local).unwrap();
        assert!(!there.connections.loopback() && here.connections.loopback());
        assert!(!here.at(records).unwrap().connections.loopback());
        assert!(Arc::ptr_eq(&there.connections, &there.at(other).unwrap().connections));
    }
}
