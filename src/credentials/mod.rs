//! What gets tokens, and what it and the token cache say to each other.
//!
//! A credential is anything that implements [`TokenCredential`](azure_core::credentials::TokenCredential): those of
//! `azure_identity`, those below, and your own. Those below serve other Azure clients as well.
//!
//! | where it runs | credential | what to set |
//! |---|---|---|
//! | on a laptop | [`developer_tools()`] | `az login`, `Connect-AzAccount` or `azd auth login` |
//! | on a laptop and in the cloud | [`from_env()`] | as below; on the laptop nothing |
//! | App Service, Functions, Container Apps, a virtual machine | [`from_env()`] | an identity of the machine; for a user-assigned one `AZURE_CLIENT_ID` |
//! | Kubernetes with workload identity | [`from_env()`] | nothing: its webhook sets `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_FEDERATED_TOKEN_FILE` |
//! | elsewhere, as an app registration | [`from_env()`] | `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, and `AZURE_CLIENT_SECRET` or `AZURE_CLIENT_CERTIFICATE_PATH` (PKCS #12 with an RSA key; the feature `client-certificate`) |
//! | beside a broker of one's own | [`from_fn`] | |
//! | with a token at hand | [`StaticTokenCredential`] | |
//! | in tests | `testing::FakeCredential` | |
//!
//! [`ChainedTokenCredential`] asks several in turn.
//!
//! ```
//! # #[cfg(feature = "identity")]
//! # fn main() -> azure_healthcare_auth::Result<()> {
//! use std::sync::Arc;
//!
//! use azure_core::credentials::TokenCredential;
//! use azure_healthcare_auth::credentials::{StaticTokenCredential, developer_tools};
//! use azure_healthcare_auth::{Authenticator, DicomAudience, FhirAudience};
//!
//! # let given: Option<String> = None;
//! // A token from the environment, or whoever is signed in on this machine.
//! let credential: Arc<dyn TokenCredential> = match given {
//!     Some(token) => Arc::new(StaticTokenCredential::new(&token)?),
//!     None => developer_tools()?,
//! };
//! // One credential for both services. It is asked when the first token is needed.
//! let fhir = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, credential);
//! let dicom = fhir.for_audience(DicomAudience::workspace("contoso", "imaging").build()?);
//! assert!(fhir.expires_on().is_none() && dicom.expires_on().is_none());
//! # Ok(()) }
//! # #[cfg(not(feature = "identity"))]
//! # fn main() {}
//! ```

mod azure_identity_errors;
mod chain;
#[cfg(feature = "identity")]
mod from_env;
mod from_fn;
#[cfg(feature = "identity")]
mod powershell;
#[cfg(feature = "identity")]
mod process;
#[cfg(any(feature = "client", feature = "identity"))]
mod static_token;
mod to_error;
mod unavailable_error;

pub use chain::ChainedTokenCredential;
#[cfg(feature = "identity")]
#[cfg_attr(docsrs, doc(cfg(feature = "identity")))]
pub use from_env::{by_name, developer_tools, from_env};
pub use from_fn::{TokenRequest, from_fn};
#[cfg(feature = "identity")]
#[cfg_attr(docsrs, doc(cfg(feature = "identity")))]
pub use powershell::AzurePowerShellCredential;
#[cfg(feature = "identity")]
#[cfg_attr(docsrs, doc(cfg(feature = "identity")))]
pub use process::ProcessExecutor;
#[cfg(any(feature = "client", feature = "identity"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "client", feature = "identity"))))]
pub use static_token::StaticTokenCredential;
pub use unavailable_error::CredentialUnavailableError;

pub use crate::token::force_refresh::ForceRefresh;
