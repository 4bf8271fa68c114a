//! [`Connections`]: the pool that a client and its clones share, made on first use.

use std::{
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, redirect};

use crate::{Error, ErrorKind, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const USER_AGENT: &str = concat!("azure_healthcare_auth/", env!("CARGO_PKG_VERSION"));

/// What a [`HealthcareClient`](crate::HealthcareClient) sends by, to be changed and given back to it by
/// [`with_http`](crate::HealthcareClient::with_http): 20 s for a connection to be made, and this crate's name as
/// `User-Agent`. How long a request may stand still is the client's own to say, by
/// [`with_idle_timeout`](crate::HealthcareClient::with_idle_timeout): a `read_timeout` ends an upload that takes
/// longer, however well it goes.
///
/// ```
/// use azure_healthcare_auth::default_http;
/// use std::time::Duration;
///
/// let impatient = default_http().connect_timeout(Duration::from_secs(2));
/// ```
pub fn default_http() -> ClientBuilder {
    ClientBuilder::new().user_agent(USER_AGENT).connect_timeout(CONNECT_TIMEOUT)
}

pub(super) struct Connections {
    client: OnceLock<Result<Client>>,
    /// Of all who come first, one makes the pool.
    making: Mutex<()>,
    /// For services on this machine, spoken to in the clear: a proxy elsewhere must not hear it.
    loopback: bool,
}

impl Connections {
    pub(super) fn new(loopback: bool) -> Self {
        Self { client: OnceLock::new(), making: Mutex::default(), loopback }
    }

    pub(super) fn by(builder: ClientBuilder, loopback: bool) -> Self {
        let client = make(builder, loopback).map_err(|error| {
            let message = "the HTTP client cannot be made: see the cause, and what was given to `with_http`";
            Error::new(ErrorKind::Request, message).caused_by(error)
        });
        Self { client: client.into(), ..Self::new(loopback) }
    }

    pub(super) fn loopback(&self) -> bool {
        self.loopback
    }

    pub(super) fn client(&self) -> Result<&Client> {
        let made = match self.client.get() {
            Some(made) => made,
            None => self.first()?,
        };
        made.as_ref().map_err(Clone::clone)
    }

    /// An error is not kept: what is missing, a file descriptor or the system's certificates, may be there the next
    /// time.
    fn first(&self) -> Result<&Result<Client>> {
        let _alone = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = self.client.get() {
            return Ok(made);
        }
        let client = make(default_http(), self.loopback).map_err(|error| {
            Error::new(ErrorKind::Connection, "the HTTP client cannot be made: see the cause")
                .caused_by(error)
        })?;
        Ok(self.client.get_or_init(|| Ok(client)))
    }
}

fn make(mut builder: ClientBuilder, loopback: bool) -> reqwest::Result<Client> {
    // A redirect could lead to another host, and the request with its body would follow. What is sent is not for
    // anybody's log.
    builder = builder.redirect(redirect::Policy::none()).connection_verbose(false);
    if loopback {
        builder = builder.no_proxy();
    }
    builder.build().map_err(reqwest::Error::without_url)
}

#[cfg(test)]
mod tests {
    use crate::{FhirAudience, HealthcareClient, credentials::StaticTokenCredential};
    use std::{
        sync::Arc,
        time::{Duration, SystemTime},
    };

    #[test]
    fn a_service_on_this_machine_has_connections_of_its_own() {
        let records = FhirAudience::workspace("contoso", "records").build().unwrap();
        let other = FhirAudience::workspace("contoso", "other").build().unwrap();
        let local: FhirAudience = "http://127.0.0.1:8080".parse().unwrap();
        let token =
            StaticTokenCredential::with_expiry("t", SystemTime::now() + Duration::from_secs(60)).unwrap();
        let there = HealthcareClient::new(records.clone(), Arc::new(token));
        let here = there.for_audience(local).unwrap();
        assert!(!there.connections.loopback() && here.connections.loopback());
        assert!(!here.for_audience(records).unwrap().connections.loopback());
        assert!(Arc::ptr_eq(&there.connections, &there.for_audience(other).unwrap().connections));
    }
}
