//! [`AzurePowerShellCredential`]: asks Azure PowerShell, in which somebody has signed in, for tokens.

mod answer;
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

/// Gets tokens from Azure PowerShell, for whoever has signed in there by `Connect-AzAccount`.
///
/// It needs PowerShell 7 (`pwsh`) or, on Windows, Windows PowerShell 5.1, and in it the module Az.Accounts 2.2.0 or
/// newer, whose [`Get-AzAccessToken`] it calls. Whether that gives a plain text or a `SecureString`, as it does from
/// 5.0.0 (Az 14), makes no difference.
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
/// // Where PowerShell is not where it was said to be, the error says what to do:
/// let lost = credential.with_program("/opt/contoso/no-powershell-here/pwsh");
/// let error = Authenticator::new(records()?, Arc::new(lost)).authorization().await.unwrap_err();
/// assert!(error.to_string().contains("install PowerShell 7"));
/// # Ok(()) }
/// ```
///
/// Each call starts a PowerShell, which takes seconds: an [`Authenticator`](crate::Authenticator) makes few. Nothing
/// is kept here between calls, but the module has a cache of its own, and cannot be made to give another token before
/// the one it has comes to its end. A call that is dropped, or that takes too long, ends PowerShell and all that it
/// started.
///
/// It has been tested against stand-ins that answer as the versions do, and its script is parsed by a PowerShell
/// grammar; it has not been run against PowerShell itself, nor on Windows.
///
/// # Errors
///
/// Where PowerShell or the module is missing or too old, or nobody is signed in, the cause of the error is
/// [`CredentialUnavailableError`](super::CredentialUnavailableError), which says what to do. All else is an error without that cause: Entra refuses,
/// an execution policy keeps the module from being loaded, the time is over, the answer cannot be read, there is no
/// Tokio runtime, or the token is not asked for by one scope that ends in `/.default`. What PowerShell writes to its
/// output is in no error.
///
/// [`Get-AzAccessToken`]: https://learn.microsoft.com/powershell/module/az.accounts/get-azaccesstoken
#[derive(Clone, Debug)]
pub struct AzurePowerShellCredential {
    program: Option<PathBuf>,
    tenant: Option<String>,
    timeout: Duration,
}

impl AzurePowerShellCredential {
    /// With the tenant of the sign-in, and 30 s for a call. Nothing is started here.
    pub const fn new() -> Self {
        Self { program: None, tenant: None, timeout: DEFAULT_TIMEOUT }
    }

    /// Asks for tokens of another tenant than that of the sign-in: its id, or one of its domains.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Credential`](crate::ErrorKind::Credential) for anything but letters a to z, digits, `.` and `-`.
    pub fn with_tenant(self, tenant: &str) -> Result<Self> {
        if !script::is_tenant(tenant) {
            let why =
                "a tenant is an id or a domain, of the letters a to z, digits, `.` and `-`: this is not one";
            return Err(crate::Error::new(crate::ErrorKind::Credential, why));
        }
        Ok(Self { tenant: Some(tenant.to_owned()), ..self })
    }

    /// How long a call may take before PowerShell is ended. The default is 30 s.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The PowerShell to start: an absolute path, or a name that is on `PATH`. The default is `pwsh` and, on Windows,
    /// `powershell.exe` where that is not found.
    #[must_use]
    pub fn with_program(self, program: impl Into<PathBuf>) -> Self {
        Self { program: Some(program.into()), ..self }
    }

    async fn run(&self, script: &str) -> io::Result<Output> {
        let windows = cfg!(windows).then_some(OsStr::new("powershell.exe"));
        match &self.program {
            Some(program) => run(program.as_ref(), script).await,
            None => match (run(OsStr::new("pwsh"), script).await, windows) {
                (Err(error), Some(other)) if error.kind() == io::ErrorKind::NotFound => {
                    run(other, script).await
                }
                (result, _) => result,
            },
        }
    }
}

async fn run(program: &OsStr, script: &str) -> io::Result<Output> {
    let mut command = Command::new(program);
    // Without a format, an encoded command has its errors written as XML.
    command.args(["-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", script]);
    // Where nobody can have put a program that is found instead of the one meant.
    let folder = if cfg!(windows) { env::var_os("SYSTEMROOT") } else { Some("/".into()) };
    command.current_dir(folder.ok_or_else(|| io::Error::other("SYSTEMROOT is not set"))?);
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
        let script = script::encoded(script::resource_of(scopes)?, self.tenant.as_deref());
        match process::in_time("PowerShell", self.timeout, self.run(&script)).await? {
            Ok(output) => answer::read(&output),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(answer::not_installed()),
            Err(error) => Err(failed(error)),
        }
    }
}

fn failed(error: io::Error) -> Error {
    let why = format!("PowerShell cannot be run: {error}");
    Error::with_error(ErrorKind::Credential, error, why)
}
