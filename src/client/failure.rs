//! [`Failure`]: an attempt that got no answer, or not the whole of one.

use std::time::Duration;

use super::{body::BrokeOff, retry::Outcome};
use crate::{Error, ErrorKind, ServiceKind, error::chain::error_chain};

/// The longest cause that is printed, in characters: over HTTP/2 it can hold what the other end says.
const LONGEST_CAUSE: usize = 200;

/// How the way there or back broke.
pub(super) enum Broken {
    /// The body that the caller gave.
    Given,
    /// Nothing moved for so long.
    Quiet(Duration),
    /// The answer ended before it was as long as it had said.
    Short,
    Http(reqwest::Error),
}

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        let given = error_chain(&error).any(|cause| cause.is::<BrokeOff>());
        if given { Self::Given } else { Self::Http(error.without_url()) }
    }
}

pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) error: Error,
}

impl Failure {
    pub(super) fn new(service: ServiceKind, origin: &str, broken: Broken) -> Self {
        let there = format!("the {service} service at {origin}");
        let (outcome, kind, message) = match &broken {
            Broken::Given => (
                Outcome::BrokenOff,
                ErrorKind::Body,
                format!("the body for {there} broke off: part of it may have been sent"),
            ),
            Broken::Quiet(time) => (
                Outcome::Broken,
                ErrorKind::Timeout,
                format!("{there} went quiet: nothing moved for {time:?}"),
            ),
            Broken::Short => (
                Outcome::Broken,
                ErrorKind::Connection,
                format!("{there} was reached and the connection broke: its answer is not all there"),
            ),
            Broken::Http(error) => of_http(&there, error),
        };
        let error = Error::new(kind, message);
        match broken {
            Broken::Http(cause) => Self { outcome, error: error.caused_by(cause) },
            _ => Self { outcome, error },
        }
    }
}

fn of_http(there: &str, error: &reqwest::Error) -> (Outcome, ErrorKind, String) {
    // The innermost cause is the telling one: "Connection refused", "invalid peer certificate: UnknownIssuer".
    let cause = error_chain(error).last().map(ToString::to_string).unwrap_or_default();
    let cause: String = cause.chars().take(LONGEST_CAUSE).collect();
    if error.is_builder() {
        let message = format!("the request for {there} cannot be made: {cause}; nothing was sent");
        return (Outcome::Unsendable, ErrorKind::Request, message);
    }
    let (outcome, kind, what) = match (error.is_connect(), error.is_timeout()) {
        (true, true) => (Outcome::NotConnected, ErrorKind::Timeout, "could not be reached in time"),
        (true, false) => (Outcome::NotConnected, ErrorKind::Connection, "could not be reached"),
        (false, true) => (Outcome::Broken, ErrorKind::Timeout, "went quiet"),
        (false, false) => (Outcome::Broken, ErrorKind::Connection, "was reached and the connection broke"),
    };
    (outcome, kind, format!("{there} {what}: {cause}"))
}
