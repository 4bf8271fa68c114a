//! [`Failure`]: an attempt that got no answer, or not the whole of one.

use std::{error::Error as StdError, iter::successors};

use super::{body::BrokeOff, retry::Outcome};
use crate::{Error, ErrorKind, Service};

pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) error: Error,
}

impl Failure {
    pub(super) fn new(service: Service, origin: &str, error: reqwest::Error) -> Self {
        let error = error.without_url();
        if chain(&error).any(|cause| cause.is::<BrokeOff>()) {
            let message = format!(
                "the body for the {service} service at {origin} broke off: part of it may have been sent"
            );
            return Self { outcome: Outcome::BrokenOff, error: Error::new(ErrorKind::Body, message) };
        }
        let (outcome, kind, what) = match (error.is_connect(), error.is_timeout()) {
            (true, true) => (Outcome::NotConnected, ErrorKind::Timeout, "could not be reached in time"),
            (true, false) => (Outcome::NotConnected, ErrorKind::Connection, "could not be reached"),
            (false, true) => (Outcome::Broken, ErrorKind::Timeout, "went quiet"),
            (false, false) => {
                (Outcome::Broken, ErrorKind::Connection, "was reached and the connection broke")
            }
        };
        // The innermost cause is the telling one: "Connection refused", "invalid peer certificate: UnknownIssuer".
        let cause = chain(&error).last().map(ToString::to_string).unwrap_or_default();
        let message = format!("the {service} service at {origin} {what}: {cause}");
        Self { outcome, error: Error::new(kind, message).caused_by(error) }
    }
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |&error| error.source())
}
