//! [`Connections`]: the pool that a client and its clones share, made on first use.

use std::{
    fmt,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use reqwest::{Client, ClientBuilder, redirect};

use crate::{Error, ErrorKind, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const USER_AGENT: &str = concat!("azure_healthcare_auth/", env!("CARGO_PKG_VERSION"));

pub(super) struct Connections {
    builder: Mutex<Option<ClientBuilder>>,
    client: OnceLock<Result<Client>>,
    /// For services on this machine, spoken to in the clear: a proxy elsewhere must not hear it.
    loopback: bool,
}

impl Connections {
    pub(super) fn new(loopback: bool) -> Self {
        Self::with(ClientBuilder::new().user_agent(USER_AGENT), loopback)
    }

    pub(super) fn with(builder: ClientBuilder, loopback: bool) -> Self {
        let builder = builder.connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT);
        Self { builder: Mutex::new(Some(builder)), client: OnceLock::new(), loopback }
    }

    pub(super) fn loopback(&self) -> bool {
        self.loopback
    }

    /// Without effect once the pool is made.
    pub(super) fn change(&self, change: impl FnOnce(ClientBuilder) -> ClientBuilder) {
        let mut builder = self.builder.lock().unwrap_or_else(PoisonError::into_inner);
        *builder = builder.take().map(change);
    }

    pub(super) fn client(&self) -> Result<&Client> {
        self.client.get_or_init(|| self.make()).as_ref().map_err(Clone::clone)
    }

    fn make(&self) -> Result<Client> {
        let mut builder = self.builder.lock().unwrap_or_else(PoisonError::into_inner);
        // A redirect could lead to another host, and the request with its body would follow.
        let mut builder = builder.take().unwrap_or_default().redirect(redirect::Policy::none());
        if self.loopback {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|error| {
            let message = "the HTTP client cannot be made: see the cause, and what was given to `with_http`";
            Error::new(ErrorKind::Request, message).caused_by(error.without_url())
        })
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A `ClientBuilder` shows its default headers.
        f.debug_struct("Connections").field("loopback", &self.loopback).finish_non_exhaustive()
    }
}
