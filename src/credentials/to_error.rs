//! Conversion of a credential's errors into [`Error`].

use super::azure_identity_errors::corrected_message;
use crate::{
    Error, ErrorKind,
    error::{
        chain::{azure_core_kinds, error_chain, root_cause},
        transient::is_transient,
    },
    redact::{redact, redact_words},
};

impl Error {
    /// Creates the error of a token request for `scope` that failed with `error`.
    ///
    /// The credential's error is not kept as a source, because it may contain a response from Entra or a tool's output,
    /// and a source cannot be redacted. Its message is redacted and kept, so that advice such as "run `az login`" reaches
    /// the log.
    pub(crate) fn from_credential(scope: &str, error: &azure_core::Error) -> Self {
        to_error(&format!("no token for {scope}"), error)
    }
}

/// Converts the error of a credential, for example that of `AzureCliCredential::new(None)?`.
///
/// The message is kept, with each word that may be a secret redacted. The error itself is not kept as a source.
///
/// If an adapter passed an error of this crate to its pipeline, the conversion returns that error. Do not convert the
/// pipeline's own errors, because their messages may contain the request URL.
impl From<azure_core::Error> for Error {
    fn from(error: azure_core::Error) -> Self {
        let original = error_chain(&error).find_map(|error| error.downcast_ref::<Self>()).cloned();
        original.unwrap_or_else(|| to_error("the credential failed", &error))
    }
}

fn to_error(context: &str, error: &azure_core::Error) -> Error {
    let message = redact(&full_message(error));
    Error::new(ErrorKind::Credential, format!("{context}: {message}")).transient(is_transient(error))
}

/// Returns the message of a credential's error on one line, with each word that may be a secret redacted.
pub(super) fn redacted_message(error: &azure_core::Error) -> String {
    redact_words(&full_message(error))
}

/// Returns the message of a credential's error, unredacted, with the reason of a failed connection.
fn full_message(error: &azure_core::Error) -> String {
    use azure_core::error::ErrorKind::{Connection, Io};

    let message = corrected_message(error);
    // For a failed connection `azure_core` reports only that it stopped retrying. The innermost source has the reason.
    if azure_core_kinds(error).any(|kind| matches!(kind, Connection | Io)) {
        let reason = root_cause(error);
        if !message.contains(&reason) {
            return format!("{message}: {reason}");
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use std::io;

    use azure_core::error::ErrorKind as CoreKind;

    use super::*;

    #[test]
    fn from_returns_the_error_of_this_crate_that_a_pipeline_wrapped() {
        let original = Error::new(ErrorKind::UrlNotAllowed, "elsewhere");
        let wrapped = azure_core::Error::with_error(CoreKind::Credential, original, "the pipeline failed");
        let wrapped = azure_core::Error::with_error(CoreKind::Other, wrapped, "again");
        let error = Error::from(wrapped);
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::UrlNotAllowed, "elsewhere"));
        let foreign = azure_core::Error::with_message(CoreKind::Credential, "az not found");
        assert_eq!(Error::from(foreign).to_string(), "the credential failed: az not found");
    }

    #[test]
    fn message_contains_the_reason_of_a_failed_connection_once() {
        let connection_refused = io::Error::other("Connection refused (os error 111)");
        let error =
            azure_core::Error::with_error(CoreKind::Connection, connection_refused, "failed to execute");
        let error = azure_core::Error::with_error(CoreKind::Credential, error, "retry policy expired");
        assert_eq!(redacted_message(&error), "retry policy expired: Connection refused (os error 111)");
        let error = azure_core::Error::new(CoreKind::Io, io::Error::other("reset"));
        assert_eq!(redacted_message(&error), "reset");
        let source = io::Error::other("source");
        let error = azure_core::Error::with_error(CoreKind::Credential, source, "message");
        assert_eq!(redacted_message(&error), "message");
    }

    #[test]
    fn error_for_a_scope_is_transient_if_the_connection_failed() {
        let reset = azure_core::Error::with_message(CoreKind::Io, "connection reset");
        let reset = azure_core::Error::with_error(CoreKind::Credential, reset, "authentication failed");
        let error = Error::from_credential("s", &reset);
        assert!(
            error.is_transient() && error.to_string().starts_with("no token for s: authentication failed")
        );
        let wrong_secret = azure_core::Error::with_message(CoreKind::Credential, "AADSTS7000215");
        assert!(!Error::from_credential("s", &wrong_secret).is_transient());
    }
}
