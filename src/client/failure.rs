//! [`Failure`]: an attempt that got no answer, or not the whole of one.

use std::error::Error as StdError;

use super::retry::Outcome;
use crate::{Error, ErrorKind, Service};

pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) error: Error,
}

impl Failure {
    /// `callers_body`: the body came from the caller, whose own errors may be about a patient.
    pub(super) fn new(service: Service, origin: &str, error: reqwest::Error, callers_body: bool) -> Self {
        let error = error.without_url();
        let connected = !error.is_connect();
        let (kind, what) = match (error.is_timeout(), connected) {
            (true, true) => (ErrorKind::Timeout, "went quiet"),
            (true, false) => (ErrorKind::Timeout, "could not be reached in time"),
            (false, true) => (ErrorKind::Connection, "was reached and the connection broke"),
            (false, false) => (ErrorKind::Connection, "could not be reached"),
        };
        let outcome = if connected { Outcome::Broken } else { Outcome::NotConnected };
        let message = format!("the {service} service at {origin} {what}");
        // Before there is a connection no body was asked for: what is told is the connection's.
        let error = if callers_body && connected {
            Error::new(kind, message)
        } else {
            Error::new(kind, format!("{message}: {}", root(&error))).caused_by(error)
        };
        Self { outcome, error }
    }
}

/// The innermost cause: "Connection refused", "invalid peer certificate: UnknownIssuer".
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}
