//! [`from_env`]: the credentials that the environment names, and [`developer_tools`].

mod authority;
#[cfg(feature = "client-certificate")]
mod certificate;
mod imds;
mod member;
mod patience;
mod plan;
mod rebuilt;
#[cfg(test)]
mod tests;
mod tool;

use std::sync::Arc;

use plan::Env;

use super::ChainedTokenCredential;
use crate::Result;

/// The credentials that the environment names, by the variables and in the order of the other Azure SDKs: one line for
/// a laptop and for the cloud.
///
/// | in this order | if these are set |
/// |---|---|
/// | client secret | `AZURE_CLIENT_SECRET`, with `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` |
/// | client certificate (PKCS #12 with an RSA key; the feature `client-certificate`) | `AZURE_CLIENT_CERTIFICATE_PATH`, with the same two and, where it has one, `AZURE_CLIENT_CERTIFICATE_PASSWORD`; not beside a secret |
/// | workload identity | `AZURE_FEDERATED_TOKEN_FILE`, with the same two |
/// | managed identity | always tried: by `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` in App Service, else at 169.254.169.254; the identity of `AZURE_CLIENT_ID`, or the machine's own |
/// | Azure CLI, Azure PowerShell, Azure Developer CLI | always tried |
///
/// `AZURE_TOKEN_CREDENTIALS` chooses among them: `prod` takes those down to managed identity, `dev` the last three, and
/// one name takes one: `EnvironmentCredential` (secret or certificate), `WorkloadIdentityCredential`,
/// `ManagedIdentityCredential`, `AzureCliCredential`, `AzurePowerShellCredential` or `AzureDeveloperCliCredential`.
/// Case does not matter. Where it is known where a service runs, choose, here or by [`by_name`]: a misspelt variable
/// then is an error, and not somebody else's token.
///
/// `AZURE_AUTHORITY_HOST` is whom an app registration's tokens are asked from, `https://login.microsoftonline.com` by
/// default. A FHIR or DICOM service that is known to be in another cloud is an error.
///
/// An empty variable counts as unset, and white space around a value is left out. Those of a managed identity
/// (`IDENTITY_…`, `IMDS_ENDPOINT`, `MSI_…`) may not be empty: `azure_identity` reads them again, and takes an empty one
/// for set. `AZURE_TENANT_ID` and `AZURE_CLIENT_ID` by themselves are no half of anything: they stand beside a managed
/// identity in many deployments. The other variables are read once, here, and files when a token is needed: again after
/// a call that failed, so that a certificate may be replaced in its file.
///
/// # Time
///
/// - A credential that asks over the network gives up after 15 s, retries included, and is built anew where a service
///   refuses its token.
/// - Where managed identity is not the only choice, the first call waits up to 1 s to see whether 169.254.169.254
///   answers as a machine of Azure does. If it does not, the next is tried. If it does, or `IDENTITY_ENDPOINT` is set, there is a
///   managed identity: one that is then slow, busy or out of reach is an error that may pass, and no other is tried in
///   its place.
/// - Each of the three tools is waited for 20 s at most, and ended then, with all that it started.
///
/// A call for a token needs a Tokio runtime with time and I/O: without one it is an error or, where the network is
/// asked, a panic of Tokio.
///
/// The chain stays with the first that gave a token, as [`ChainedTokenCredential`] tells.
///
/// # Proxies
///
/// A managed identity is asked over plain `http`, as the machine offers it, and by the proxy that `HTTP_PROXY` names
/// where that is set. A proxy sees the token, and cannot reach the machine's own address: set
/// `NO_PROXY=169.254.169.254`, and in App Service the host of `IDENTITY_ENDPOINT` as well.
///
/// # Errors
///
/// [`ErrorKind::Credential`](crate::ErrorKind::Credential) for a group of which only a part is set, naming what is
/// missing; for an empty variable of a managed identity; for a choice that is not there; for an authority that is no
/// `https` URL; for a variable that is not Unicode.
///
/// ```
/// use azure_healthcare_auth::{Authenticator, ErrorKind, FhirAudience, credentials::from_env};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let records = FhirAudience::workspace("contoso", "records").build()?;
/// match from_env() {
///     Ok(credential) => {
///         let auth = Authenticator::new(records, credential.clone());
///         // Nobody is asked before the first token is needed. From then on this names who gave it.
///         assert_eq!((auth.expires_on(), credential.selected()), (None, None));
///     }
///     // A variable is missing, empty or misspelt: the text names it, and a service should not start.
///     Err(error) => assert_eq!(error.kind(), ErrorKind::Credential, "{error}"),
/// }
/// # Ok(()) }
/// ```
pub fn from_env() -> Result<Arc<ChainedTokenCredential>> {
    chosen(None)
}

/// The same with a choice that is made in the code, by a name that `AZURE_TOKEN_CREDENTIALS` could hold.
///
/// # Errors
///
/// As [`from_env`]. An empty name is one that is not there.
///
/// ```
/// use azure_healthcare_auth::credentials::by_name;
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let credential = by_name("ManagedIdentityCredential")?;
/// # assert!(by_name("VisualStudioCredential").unwrap_err().to_string().contains("AzureCliCredential"));
/// # Ok(()) }
/// ```
pub fn by_name(choice: &str) -> Result<Arc<ChainedTokenCredential>> {
    chosen(Some(choice))
}

/// Whoever is signed in on this machine: to Azure CLI, to Azure PowerShell or to Azure Developer CLI, in this order.
///
/// It is [`by_name("dev")`](by_name). A tool whose call is given up, or that gives no answer within 20 s, is ended.
///
/// The chain goes on from a tool that is not installed, or in which nobody is signed in. It stops at one that was
/// refused, as by multi-factor authentication, or that hangs: the next one can be signed in as somebody else. The
/// default chains of other Azure SDKs go on there. To get round a tool that does not work, name one that does, by
/// [`by_name("AzurePowerShellCredential")`](by_name) or by `AZURE_TOKEN_CREDENTIALS=AzurePowerShellCredential` and
/// [`from_env`].
///
/// # Errors
///
/// A variable that is not Unicode. The tools themselves are looked for when a token is needed.
///
/// ```
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let credential = azure_healthcare_auth::credentials::developer_tools()?;
/// assert_eq!(credential.selected(), None); // nobody was asked yet
/// # Ok(()) }
/// ```
pub fn developer_tools() -> Result<Arc<ChainedTokenCredential>> {
    by_name("dev")
}

fn chosen(choice: Option<&str>) -> Result<Arc<ChainedTokenCredential>> {
    plan::check(|name| std::env::var_os(name))?;
    let env = |name: &str| std::env::var(name).ok();
    member::chain(plan::plan(&Env(&env), choice)?, None)
}
