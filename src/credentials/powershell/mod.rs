//! [`AzurePowerShellCredential`]: gets tokens from Azure PowerShell.

mod output;
mod script;

use std::{env, ffi::OsStr, io, path::PathBuf, process::Output, time::Duration};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
};
use tokio::process::Command;

use super::process;
use crate::Result;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// Gets tokens from Azure PowerShell, for the account of `Connect-AzAccount`.
///
/// Requires PowerShell 7 (`pwsh`) or, on Windows, Windows PowerShell 5.1, with the module Az.Accounts 2.2.0 or newer. The
/// credential calls [`Get-AzAccessToken`] and supports both of its result types: plain text, and the `SecureString` that
/// versions since 5.0.0 (Az 14) return.
///
/// Each call starts a PowerShell process, which takes seconds. An [`Authenticator`](crate::Authenticator) caches tokens,
/// so it rarely calls the credential. The module has its own token cache, and has no way to get another token before the
/// cached one expires: a forced refresh returns the same token. If a call is dropped or times out, PowerShell and all
/// processes that it started are killed.
///
/// The tests run fakes that write the output of the supported versions, and parse the script with a PowerShell grammar.
/// This type has not been tested with a real PowerShell or on Windows.
///
/// # Errors
///
/// If PowerShell or the module is missing or too old, or no account is signed in, the cause of the error is a
/// [`CredentialUnavailableError`](super::CredentialUnavailableError) that explains what to do. Other errors have no such
/// cause:
///
/// - Entra rejected the request.
/// - An execution policy prevents the module from loading.
/// - The call timed out.
/// - The output is invalid.
/// - There is no Tokio runtime.
/// - The request does not have exactly one scope, or the scope does not end in `/.default`.
///
/// No error contains what PowerShell wrote to its standard output.
///
/// # Examples
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use azure_healthcare_auth::{Authenticator, FhirAudience, credentials::AzurePowerShellCredential};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let credential = AzurePowerShellCredential::new()
///     .with_tenant("contoso.onmicrosoft.com")?
///     .with_timeout(Duration::from_secs(20));
/// # let records = || FhirAudience::workspace("contoso", "records").build();
/// let auth = Authenticator::new(records()?, Arc::new(credential.clone()));
///
/// // If PowerShell is not found, the error explains what to do:
/// let missing = credential.with_program("/opt/contoso/no-powershell-here/pwsh");
/// let error = Authenticator::new(records()?, Arc::new(missing)).authorization().await.unwrap_err();
/// assert!(error.to_string().contains("install PowerShell 7"));
/// # Ok(()) }
/// ```
///
/// [`Get-AzAccessToken`]: https://learn.microsoft.com/powershell/module/az.accounts/get-azaccesstoken
#[derive(Clone, Debug)]
pub struct AzurePowerShellCredential {
    program: Option<PathBuf>,
    tenant: Option<String>,
    timeout: Duration,
}

impl AzurePowerShellCredential {
    /// Creates a credential for the tenant of the signed-in account, with a timeout of 30 s. It starts no process.
    #[must_use]
    pub const fn new() -> Self {
        Self { program: None, tenant: None, timeout: DEFAULT_TIMEOUT }
    }

    /// Sets the tenant to request tokens from, by its id or one of its domains. The default is the signed-in account's
    /// tenant.
    ///
    /// # Errors
    ///
    /// Returns an error of kind [`ErrorKind::Credential`](crate::ErrorKind::Credential) if `tenant` is empty or contains
    /// anything but ASCII letters, digits, `.` and `-`.
    pub fn with_tenant(self, tenant: &str) -> Result<Self> {
        if !script::is_valid_tenant(tenant) {
            let message = "invalid tenant (use the tenant's id or one of its domains: ASCII letters, digits, `.` and \
                           `-` only)";
            return Err(crate::Error::new(crate::ErrorKind::Credential, message));
        }
        Ok(Self { tenant: Some(tenant.to_owned()), ..self })
    }

    /// Sets how long a call may take before PowerShell is killed. The default is 30 s.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the PowerShell executable: an absolute path, or a name on `PATH`.
    ///
    /// The default is `pwsh`. On Windows, `powershell.exe` is used if `pwsh` is not found.
    #[must_use]
    pub fn with_program(self, program: impl Into<PathBuf>) -> Self {
        Self { program: Some(program.into()), ..self }
    }

    async fn run(&self, script: &str) -> io::Result<Output> {
        let fallback = cfg!(windows).then_some(OsStr::new("powershell.exe"));
        match &self.program {
            Some(program) => run_program(program.as_ref(), script).await,
            None => match (run_program(OsStr::new("pwsh"), script).await, fallback) {
                (Err(error), Some(fallback)) if error.kind() == io::ErrorKind::NotFound => {
                    run_program(fallback, script).await
                }
                (result, _) => result,
            },
        }
    }
}

async fn run_program(program: &OsStr, script: &str) -> io::Result<Output> {
    let mut command = Command::new(program);
    // Without `-OutputFormat`, PowerShell writes the errors of an encoded command as XML.
    command.args(["-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", script]);
    // Run in a directory that other users cannot write to, because a program there could run instead of PowerShell.
    let directory = if cfg!(windows) { env::var_os("SYSTEMROOT") } else { Some("/".into()) };
    command.current_dir(directory.ok_or_else(|| io::Error::other("SYSTEMROOT is not set"))?);
    process::output(command).await
}

impl Default for AzurePowerShellCredential {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait::async_trait]
impl TokenCredential for AzurePowerShellCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let script = script::encode(script::resource_from_scopes(scopes)?, self.tenant.as_deref());
        match process::in_time("PowerShell", self.timeout, self.run(&script)).await? {
            Ok(output) => output::parse(&output),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(output::not_installed()),
            Err(error) => Err(failed_to_run(error)),
        }
    }
}

fn failed_to_run(error: io::Error) -> Error {
    let message = format!("failed to run PowerShell: {error}");
    Error::with_error(ErrorKind::Credential, error, message)
}
