//! [`CredentialUnavailableError`]: a credential that is not there, as against one that was refused.

use std::borrow::Cow;

use azure_core::error::{Error, ErrorKind};

/// Why a credential is not available where this program runs: nothing is installed, set up or signed in that it could
/// ask. A [chain](super::ChainedTokenCredential) goes on to its next member then, while it stops at one
/// that was refused.
///
/// A credential of one's own returns it as the cause of its error:
///
/// ```
/// use azure_healthcare_auth::credentials::CredentialUnavailableError;
///
/// fn broker() -> azure_core::Result<()> {
///     Err(CredentialUnavailableError::new("no token broker runs here: start it by `brokerd`").into())
/// }
/// assert!(broker().unwrap_err().to_string().contains("brokerd"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CredentialUnavailableError(Cow<'static, str>);

impl CredentialUnavailableError {
    /// What is missing, and what to do about it. It is shown and logged: no secret may be in it.
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self(why.into())
    }
}

impl From<CredentialUnavailableError> for Error {
    fn from(unavailable: CredentialUnavailableError) -> Self {
        let why = unavailable.to_string();
        Self::with_error(ErrorKind::Credential, unavailable, why)
    }
}
