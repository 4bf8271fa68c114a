//! Credentials that get access tokens.
//!
//! A credential is anything that implements [`TokenCredential`](azure_core::credentials::TokenCredential): those of
//! `azure_identity`, those of this module, and your own. The credentials of this module also work with other Azure
//! clients.
//!
//! | environment | credential | configuration |
//! |---|---|---|
//! | a developer's machine | [`developer_tools()`] | `az login`, `Connect-AzAccount` or `azd auth login` |
//! | a developer's machine and the cloud | [`from_env()`] | as in the row above on the developer's machine, as in the rows below in the cloud |
//! | App Service, Functions, Container Apps, a virtual machine | [`from_env()`] | a managed identity; set `AZURE_CLIENT_ID` if it is user-assigned |
//! | Kubernetes with workload identity | [`from_env()`] | none: the workload identity webhook sets `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_FEDERATED_TOKEN_FILE` |
//! | elsewhere, as an app registration | [`from_env()`] | `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, and `AZURE_CLIENT_SECRET` or `AZURE_CLIENT_CERTIFICATE_PATH` (PKCS #12 with an RSA key; the feature `client-certificate`) |
//! | your own token broker | [`from_fn()`] | |
//! | an existing token | [`StaticTokenCredential`] | |
//! | tests | `azure_healthcare_auth_testing::FakeCredential` | |
//!
//! [`ChainedTokenCredential`] tries several credentials in order.
//!
//! # Examples
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
//! # let token: Option<String> = None;
//! // An existing token, or the user who is signed in to a developer tool.
//! let credential: Arc<dyn TokenCredential> = match token {
//!     Some(token) => Arc::new(StaticTokenCredential::new(&token)?),
//!     None => developer_tools()?,
//! };
//! // One credential serves both services. It is called when the first token is needed.
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

pub use crate::token::force_refresh::ForceRefresh;
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
