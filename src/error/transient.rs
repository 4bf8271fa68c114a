//! Rules for which failures are transient.

use std::io;

use azure_core::error::ErrorKind;

use super::chain::{azure_core_kinds, error_chain};

/// Returns `true` if the same request may get another status later: 408, 429 and 5xx.
pub(crate) fn is_transient_status(status: u16) -> bool {
    status >= 500 || status == 408 || status == 429
}

/// Returns `true` if the same call to the credential may succeed later.
///
/// An error of `azure_core` reports the failure in its kind. Other errors report it in an [`io::Error`] among their
/// sources.
pub(crate) fn is_transient(error: &azure_core::Error) -> bool {
    let by_kind = azure_core_kinds(error).find_map(|kind| match kind {
        ErrorKind::Connection | ErrorKind::Io => Some(true),
        ErrorKind::HttpResponse { status, .. } => Some(is_transient_status(u16::from(*status))),
        _ => None,
    });
    by_kind.unwrap_or_else(|| {
        error_chain(error).filter_map(|error| error.downcast_ref()).any(is_connection_failure)
    })
}

fn is_connection_failure(error: &io::Error) -> bool {
    use io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable, TimedOut, UnexpectedEof,
    };
    matches!(
        error.kind(),
        ConnectionRefused
            | ConnectionReset
            | ConnectionAborted
            | HostUnreachable
            | NetworkUnreachable
            | NetworkDown
            | BrokenPipe
            | TimedOut
            | UnexpectedEof
    )
}

#[cfg(test)]
mod tests {
    use azure_core::Error;

    use super::*;

    #[test]
    fn statuses_408_429_and_5xx_are_transient() {
        for (status, transient) in [
            (200, false),
            (404, false),
            (408, true),
            (428, false),
            (429, true),
            (499, false),
            (500, true),
            (503, true),
        ] {
            assert_eq!(is_transient_status(status), transient, "{status}");
        }
    }

    #[test]
    fn broken_connection_is_transient_and_wrong_secret_is_not() {
        let reset = Error::with_message(ErrorKind::Io, "connection reset");
        let reset = Error::with_error(ErrorKind::Credential, reset, "authentication failed");
        assert!(is_transient(&reset));
        let wrong_secret = Error::with_message(ErrorKind::Credential, "AADSTS7000215");
        assert!(!is_transient(&wrong_secret));
    }
}
