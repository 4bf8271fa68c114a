//! [`from_env`], [`by_name`] and [`developer_tools`]: credentials that the environment selects.

mod authority;
mod builder;
#[cfg(feature = "client-certificate")]
mod certificate;
mod env;
mod http_policy;
mod imds;
mod rebuildable;
mod selection;
#[cfg(test)]
mod tests;
mod timeout;

use std::sync::Arc;

use self::env::EnvVars;
use super::ChainedTokenCredential;
use crate::Result;

/// Returns a chain of the credentials that environment variables select.
///
/// Reads the same variables as the other Azure SDKs and tries the credentials in the same order, so that the same code
/// works on a laptop and in the cloud:
///
/// | credential, in this order | included if |
/// |---|---|
/// | client secret | `AZURE_CLIENT_SECRET`, `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` are set |
/// | client certificate (PKCS #12 with an RSA key; feature `client-certificate`) | `AZURE_CLIENT_CERTIFICATE_PATH`, `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` are set, and no client secret; `AZURE_CLIENT_CERTIFICATE_PASSWORD` if the file has a password |
/// | workload identity | `AZURE_FEDERATED_TOKEN_FILE`, `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` are set |
/// | managed identity | always: App Service if `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` are set; 169.254.169.254 if neither `IDENTITY_ENDPOINT` nor `MSI_ENDPOINT` is set; other hosts, such as Azure Arc, are not supported; `AZURE_CLIENT_ID` selects a user-assigned identity |
/// | Azure CLI, Azure PowerShell, Azure Developer CLI | always |
///
/// The chain uses the first credential that returns a token for all later tokens; see [`ChainedTokenCredential`].
///
/// # Selecting credentials
///
/// `AZURE_TOKEN_CREDENTIALS` restricts the chain. Case does not matter.
///
/// | value | credentials |
/// |---|---|
/// | `prod` | client secret, client certificate, workload identity, managed identity |
/// | `dev` | Azure CLI, Azure PowerShell, Azure Developer CLI |
/// | `EnvironmentCredential` | client secret or client certificate |
/// | `WorkloadIdentityCredential`, `ManagedIdentityCredential`, `AzureCliCredential`, `AzurePowerShellCredential`, `AzureDeveloperCliCredential` | that one |
///
/// If you know where a service runs, select its credential with this variable or with [`by_name`], so that a misspelled
/// variable causes an error instead of a token for the wrong identity.
///
/// # Variables
///
/// `AZURE_AUTHORITY_HOST` is the Entra endpoint for app registrations, `https://login.microsoftonline.com` by default.
/// A token request for a FHIR or DICOM service that is known to be in another cloud is an error.
///
/// An empty variable counts as unset, and surrounding whitespace is ignored. The variables of a managed identity
/// (`IDENTITY_…`, `IMDS_ENDPOINT`, `MSI_…`) must not be empty, because `azure_identity` reads them again and treats an
/// empty one as set. `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` may be set without a secret, a certificate or a token file.
///
/// This function reads all other variables once. Files are read when a token is needed, and again after a failed call or
/// for a forced refresh, so that a certificate can be replaced while the program runs.
///
/// # Time limits
///
/// - A credential that requests tokens over the network gives up after 15 s, retries included.
/// - If managed identity is not the only credential, each call that tries it waits up to 1 s for 169.254.169.254, until
///   that has responded once. Without a response from an Azure metadata service, the chain continues with the next
///   credential. Otherwise, or if `IDENTITY_ENDPOINT` is set, a slow, busy or unreachable managed identity is a transient
///   error, and the chain does not continue.
/// - Each command-line tool is killed after 20 s, together with all processes that it started.
///
/// Token requests need a Tokio runtime with time and I/O enabled. Without one they fail or, for credentials that use
/// the network, Tokio panics.
///
/// # Proxies
///
/// Managed identity endpoints use plain HTTP. If `HTTP_PROXY` is set, the request goes through that proxy, which usually
/// cannot reach this machine's endpoint and could read the token if it can. Set `NO_PROXY=169.254.169.254`, and in App
/// Service also add the host of `IDENTITY_ENDPOINT`.
///
/// # Errors
///
/// Returns an error of kind [`ErrorKind::Credential`](crate::ErrorKind::Credential) that names the variable if:
///
/// - only some of the variables of a credential are set,
/// - a variable of a managed identity is empty,
/// - `AZURE_TOKEN_CREDENTIALS` is not one of the values above,
/// - the credential that `AZURE_TOKEN_CREDENTIALS` selects has no configuration,
/// - a certificate is configured without the feature `client-certificate`,
/// - `AZURE_AUTHORITY_HOST` is not an `https` URL,
/// - a variable is not valid Unicode.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Authenticator, ErrorKind, FhirAudience, credentials::from_env};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let records = FhirAudience::workspace("contoso", "records").build()?;
/// match from_env() {
///     Ok(credential) => {
///         let auth = Authenticator::new(records, credential.clone());
///         // No credential is called until the first token is needed. Then `selected()` names the one in use.
///         assert_eq!((auth.expires_on(), credential.selected()), (None, None));
///     }
///     // A variable is missing, empty or misspelled. A service should not start.
///     Err(error) => assert_eq!(error.kind(), ErrorKind::Credential, "{error}"),
/// }
/// # Ok(()) }
/// ```
pub fn from_env() -> Result<Arc<ChainedTokenCredential>> {
    build(None)
}

/// Returns a chain of the credentials that `name` selects. Ignores `AZURE_TOKEN_CREDENTIALS`.
///
/// The names are those of [`from_env`]. Case does not matter.
///
/// # Errors
///
/// Same as [`from_env`]. An unknown or empty name is an error.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::credentials::by_name;
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let credential = by_name("ManagedIdentityCredential")?;
/// # assert!(by_name("VisualStudioCredential").unwrap_err().to_string().contains("AzureCliCredential"));
/// # Ok(()) }
/// ```
pub fn by_name(name: &str) -> Result<Arc<ChainedTokenCredential>> {
    build(Some(name))
}

/// Returns the credentials of the developer tools: Azure CLI, Azure PowerShell and Azure Developer CLI, in this order.
///
/// Same as [`by_name("dev")`](by_name). A tool is killed if its call is dropped or takes longer than 20 s.
///
/// The chain continues after a tool that is not installed or not signed in. It stops at a tool whose request Entra
/// rejected, for example because multi-factor authentication is required, and at a tool that hangs, because the next one
/// may be signed in as another user. The default chains of other Azure SDKs continue in these cases. To skip a tool that
/// does not work, select another one with [`by_name("AzurePowerShellCredential")`](by_name), or set
/// `AZURE_TOKEN_CREDENTIALS=AzurePowerShellCredential` and call [`from_env`].
///
/// # Errors
///
/// Returns an error if a variable is not valid Unicode. A missing tool is an error only when a token is needed.
///
/// # Examples
///
/// ```
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let credential = azure_healthcare_auth::credentials::developer_tools()?;
/// assert_eq!(credential.selected(), None); // no tool has been called yet
/// # Ok(()) }
/// ```
pub fn developer_tools() -> Result<Arc<ChainedTokenCredential>> {
    by_name("dev")
}

fn build(name: Option<&str>) -> Result<Arc<ChainedTokenCredential>> {
    env::check_unicode(|name| std::env::var_os(name))?;
    let read = |name: &str| std::env::var(name).ok();
    builder::build_chain(selection::select(&EnvVars::new(&read), name)?, None)
}
