//! What credentials and the token cache say to each other.
//!
//! A credential is anything that implements [`TokenCredential`](azure_core::credentials::TokenCredential): those of
//! `azure_identity`, and your own.

#[cfg(feature = "identity")]
mod powershell;
#[cfg(feature = "identity")]
mod process;
mod unavailable;

#[cfg(feature = "identity")]
#[cfg_attr(docsrs, doc(cfg(feature = "identity")))]
pub use powershell::AzurePowerShellCredential;
#[cfg(feature = "identity")]
#[cfg_attr(docsrs, doc(cfg(feature = "identity")))]
pub use process::ProcessExecutor;
pub use unavailable::Unavailable;

/// Marks a call that was made because the service refused the token of the call before.
///
/// It stands in the context of [`TokenRequestOptions`](azure_core::credentials::TokenRequestOptions). A credential
/// that keeps tokens should then fetch a new one; one that cannot may ignore it, and the refusal reaches the caller.
///
/// ```
/// use azure_core::credentials::TokenRequestOptions;
/// use azure_healthcare_auth::credentials::ForcedRefresh;
///
/// fn must_be_new(options: &Option<TokenRequestOptions<'_>>) -> bool {
///     options.as_ref().is_some_and(|options| options.method_options.context.value::<ForcedRefresh>().is_some())
/// }
/// # assert!(!must_be_new(&None));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForcedRefresh;
