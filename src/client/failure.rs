//! [`Failure`]: an attempt without a complete response.

use std::time::Duration;

use super::{body::BodyStreamError, retry::FailureKind};
use crate::{Error, ErrorKind, ServiceKind, error::chain::error_chain};

/// The maximum length of the cause in an error message, in characters. Over HTTP/2, it can contain text of the peer.
const MAX_CAUSE_LENGTH: usize = 200;

/// The cause of an incomplete request or response.
pub(super) enum TransportFailure {
    /// The caller's stream of the request body yielded an error.
    RequestBody,
    /// There was no progress for this time.
    IdleTimeout(Duration),
    /// The response body is shorter than its `Content-Length`.
    Truncated,
    Http(reqwest::Error),
}

impl From<reqwest::Error> for TransportFailure {
    fn from(error: reqwest::Error) -> Self {
        if error_chain(&error).any(|cause| cause.is::<BodyStreamError>()) {
            Self::RequestBody
        } else {
            Self::Http(error.without_url())
        }
    }
}

/// A transport failure, as the retry policy and the caller need it.
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) error: Error,
}

impl Failure {
    pub(super) fn new(service: ServiceKind, origin: &str, cause: TransportFailure) -> Self {
        let target = format!("the {} service at {origin}", service.label());
        let (kind, error_kind, message) = match &cause {
            TransportFailure::RequestBody => (
                FailureKind::RequestBody,
                ErrorKind::Body,
                format!("the stream of the request body for {target} failed: a part may have been sent"),
            ),
            TransportFailure::IdleTimeout(time) => (
                FailureKind::ConnectionLost,
                ErrorKind::Timeout,
                format!("{target} timed out: no progress for {time:?}"),
            ),
            TransportFailure::Truncated => (
                FailureKind::ConnectionLost,
                ErrorKind::Connection,
                format!("the connection to {target} was lost: the response body is incomplete"),
            ),
            TransportFailure::Http(error) => describe_http_error(&target, error),
        };
        let error = Error::new(error_kind, message);
        let error = match cause {
            TransportFailure::Http(cause) => error.caused_by(cause),
            _ => error,
        };
        Self { kind, error }
    }
}

fn describe_http_error(target: &str, error: &reqwest::Error) -> (FailureKind, ErrorKind, String) {
    // The innermost cause is the most specific: "Connection refused", "invalid peer certificate: UnknownIssuer".
    let cause = error_chain(error).last().map(ToString::to_string).unwrap_or_default();
    let cause: String = cause.chars().take(MAX_CAUSE_LENGTH).collect();
    if error.is_builder() {
        let message = format!("the request for {target} is invalid: {cause}; nothing was sent");
        return (FailureKind::InvalidRequest, ErrorKind::Request, message);
    }
    let (kind, error_kind, message) = match (error.is_connect(), error.is_timeout()) {
        (true, true) => {
            (FailureKind::NotConnected, ErrorKind::Timeout, format!("connecting to {target} timed out"))
        }
        (true, false) => {
            (FailureKind::NotConnected, ErrorKind::Connection, format!("{target} could not be reached"))
        }
        (false, true) => (FailureKind::ConnectionLost, ErrorKind::Timeout, format!("{target} timed out")),
        (false, false) => {
            let message = format!("the connection to {target} was lost");
            (FailureKind::ConnectionLost, ErrorKind::Connection, message)
        }
    };
    (kind, error_kind, format!("{message}: {cause}"))
}
