//! [`CredentialUnavailableError`]: the error of a credential that cannot be used on this machine.

use std::borrow::Cow;

use azure_core::error::{Error, ErrorKind};

/// The error of a credential that is unavailable on this machine: nothing is installed, configured or signed in that it
/// could use.
///
/// A [chain](super::ChainedTokenCredential) continues with its next member after this error and stops at any other.
///
/// # Examples
///
/// Return it from your own credential:
///
/// ```
/// use azure_healthcare_auth::credentials::CredentialUnavailableError;
///
/// fn connect_to_broker() -> azure_core::Result<()> {
///     Err(CredentialUnavailableError::new("the token broker is not running (start it with `brokerd`)").into())
/// }
/// assert!(connect_to_broker().unwrap_err().to_string().contains("brokerd"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{0}")]
pub struct CredentialUnavailableError(Cow<'static, str>);

impl CredentialUnavailableError {
    /// Creates an error from a message: what is missing, and how to fix it.
    ///
    /// The message must not contain secrets, because it is shown and logged.
    #[must_use]
    pub fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into())
    }
}

impl From<CredentialUnavailableError> for Error {
    fn from(error: CredentialUnavailableError) -> Self {
        let message = error.to_string();
        Self::with_error(ErrorKind::Credential, error, message)
    }
}
