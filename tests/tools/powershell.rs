//! `AzurePowerShellCredential` with fakes that write the output of the versions of PowerShell and Az.Accounts.

use std::{
    error::Error as _,
    fmt::Write,
    fs,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use azure_core::{
    Error,
    credentials::{AccessToken, TokenCredential},
    error::ErrorKind,
};
use azure_healthcare_auth::credentials::{AzurePowerShellCredential, CredentialUnavailableError};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::support::{PipeReader, TempDir};

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.canary-canary-canary-0123456789.c2ln";
const EXPIRES_ON: i64 = 1_900_000_000;

/// A fake PowerShell in its own directory.
struct FakePwsh(TempDir);

impl FakePwsh {
    /// Creates a fake that runs an `sh` script.
    fn with_script(script: &str) -> Self {
        let dir = TempDir::new();
        dir.fake_tool("pwsh", script);
        Self(dir)
    }

    fn with_output(stdout: &str, stderr: &str, status: u8) -> Self {
        let pwsh =
            Self::with_script(&format!("cat \"$here/stdout\"; cat \"$here/stderr\" >&2; exit {status}"));
        fs::write(pwsh.0.join("stdout"), stdout).unwrap();
        fs::write(pwsh.0.join("stderr"), stderr).unwrap();
        pwsh
    }

    fn credential(&self) -> AzurePowerShellCredential {
        AzurePowerShellCredential::new().with_program(self.0.join("pwsh"))
    }

    async fn get_token(&self) -> azure_core::Result<AccessToken> {
        self.credential().get_token(&[SCOPE], None).await
    }

    /// Returns the working directory of the last call.
    fn working_directory(&self) -> String {
        fs::read_to_string(self.0.join("pwsh.directory")).unwrap()
    }

    /// Returns the decoded script of the last call.
    fn script(&self) -> String {
        let arguments = fs::read_to_string(self.0.join("pwsh.arguments")).unwrap();
        let arguments: Vec<&str> = arguments.lines().collect();
        let [options @ .., script] = &arguments[..] else { panic!("no arguments") };
        assert_eq!(options.join(" "), "-NoProfile -NonInteractive -OutputFormat Text -EncodedCommand");
        let bytes = STANDARD.decode(script).unwrap();
        let units: Vec<u16> =
            bytes.chunks(2).map(|pair| u16::from_le_bytes(pair.try_into().unwrap())).collect();
        String::from_utf16(&units).unwrap()
    }
}

/// The script's output for a token. Windows PowerShell orders the fields differently and escapes quotes.
fn token_output() -> String {
    format!("azure_healthcare_auth: {{\"expires_on\":{EXPIRES_ON},\"token\":\"{TOKEN}\"}}")
}

/// The script's output for an error that it caught.
fn error_output(id: &str, message: &str) -> String {
    format!("azure_healthcare_auth: {}\n", serde_json::json!({ "message": message, "error_id": id }))
}

/// Returns the error's message after checking that neither the error nor its causes contain the token.
fn safe_message(error: &Error) -> String {
    let mut shown = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(cause) = source {
        write!(shown, "{cause} {cause:?}").unwrap();
        source = cause.source();
    }
    assert!(!shown.contains("canary") && !shown.contains("eyJ"), "{shown}");
    assert!(matches!(error.kind(), ErrorKind::Credential), "{error:?}");
    error.to_string()
}

fn is_unavailable(error: &Error) -> bool {
    error.source().is_some_and(|cause| cause.is::<CredentialUnavailableError>())
}

#[tokio::test]
async fn script_requests_resource_and_tenant() {
    let script = include_str!("../../src/credentials/powershell/get_token.ps1");
    let pwsh = FakePwsh::with_output(&token_output(), "", 0);
    pwsh.get_token().await.unwrap();
    let resource = "$resource = 'https://contoso-records.fhir.azurehealthcareapis.com'";
    assert_eq!(pwsh.script(), format!("{resource}\n$tenant = ''\n{script}"));

    let credential = pwsh.credential().with_tenant("contoso.onmicrosoft.com").unwrap();
    credential.get_token(&["https://dicom.healthcareapis.azure.com//.default"], None).await.unwrap();
    let resource = "$resource = 'https://dicom.healthcareapis.azure.com/'";
    assert_eq!(pwsh.script(), format!("{resource}\n$tenant = 'contoso.onmicrosoft.com'\n{script}"));
    // Without a real PowerShell, only the text can be checked.
    for part in [
        "-MinimumVersion 2.2.0",
        "ResourceUrl",
        "TenantId",
        "AsSecureString",
        "ConvertFrom-SecureString -SecureString $token -AsPlainText",
        "ZeroFreeBSTR",
        "ToUnixTimeSeconds()",
    ] {
        assert!(script.contains(part), "{part}");
    }
}

#[tokio::test]
async fn powershell_runs_in_the_root_directory() {
    let pwsh = FakePwsh::with_output(&token_output(), "", 0);
    pwsh.get_token().await.unwrap();
    assert_eq!(pwsh.working_directory(), "/\n");
}

#[tokio::test]
async fn output_of_each_version_is_parsed() {
    let output = token_output();
    let warning = "WARNING: Upcoming breaking changes in the cmdlet 'Get-AzAccessToken' :";
    let reordered = format!("azure_healthcare_auth: {{\"token\":\"{TOKEN}\",\"expires_on\":{EXPIRES_ON}}}");
    for (version, stdout, stderr) in [
        ("7, SecureString", format!("{output}\n"), ""),
        ("7, plain text with a warning", format!("{warning}\nThe output type will change.\n{output}\n"), ""),
        ("7, on a terminal", format!("\u{1b}[?1h\u{1b}[0m{output}\u{1b}[?1l\n"), ""),
        (
            "5.1, SecureString",
            format!("\r\n{reordered}\r\n"),
            "#< CLIXML\r\n<Objs Version=\"1.1.0.1\"></Objs>",
        ),
        ("with a survey after it", format!("{output}\n[Survey] Help us improve: {{\"token\":1}}\n"), ""),
        (
            "with the prefix before it",
            format!("DEBUG: azure_healthcare_auth: + $resource\n{output}\n"),
            "noise",
        ),
    ] {
        let token = FakePwsh::with_output(&stdout, stderr, 0).get_token().await.expect(version);
        assert_eq!(token.token.secret(), TOKEN, "{version}");
        assert_eq!(token.expires_on.unix_timestamp(), EXPIRES_ON, "{version}");
    }
}

#[tokio::test]
async fn missing_powershell_module_or_account_is_unavailable() {
    let import = "Modules_ModuleWithVersionNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand";
    let no_module = "The specified module 'Az.Accounts' with version '2.2.0' was not loaded because no valid module \
                     file was found in any module directory.";
    let german = "Das angegebene Modul \"Az.Accounts\" mit Version \"2.2.0\" wurde nicht geladen.";
    let no_account =
        "Your Azure credentials have not been set up or have expired, please run Connect-AzAccount";
    for (stdout, stderr, status, expected) in [
        (String::new(), "sh: 1: pwsh: not found", 127, "install PowerShell 7"),
        (
            String::new(),
            "'pwsh' is not recognized as an internal or external command",
            1,
            "install PowerShell 7",
        ),
        (error_output(import, no_module), "", 0, "Install-Module Az.Accounts"),
        (error_output(import, german), "", 0, "Install-Module Az.Accounts"),
        (String::new(), no_module, 1, "Install-Module Az.Accounts"),
        (
            error_output("Microsoft.Azure.Commands", "Run Connect-AzAccount to login."),
            "",
            0,
            "run `Connect-AzAccount`",
        ),
        (error_output("", no_account), "", 0, "run `Connect-AzAccount`"),
        (
            String::new(),
            "Get-AzAccessToken: Run\r\nConnect-AzAccount to\r\nlogin.",
            1,
            "run `Connect-AzAccount`",
        ),
    ] {
        let error = FakePwsh::with_output(&stdout, stderr, status).get_token().await.unwrap_err();
        assert!(safe_message(&error).contains(expected), "{error}");
        assert!(is_unavailable(&error), "{error:?}");
    }
    let nowhere = AzurePowerShellCredential::new().with_program("/nowhere/pwsh");
    let error = nowhere.get_token(&[SCOPE], None).await.unwrap_err();
    assert!(safe_message(&error).contains("install PowerShell 7") && is_unavailable(&error), "{error:?}");
}

#[tokio::test]
async fn rejection_reports_reason_and_is_not_unavailable() {
    let policy = "cannot be loaded because running scripts is disabled on this system. For more information, see \
                  about_Execution_Policies at https:/go.microsoft.com/fwlink/?LinkID=135170.";
    let no_tenant = "AADSTS90002: Tenant 'b0a1c2d3-0000-4000-8000-0123456789ab' not found.";
    let expired = "AADSTS700082: The refresh token has expired. Run Connect-AzAccount to login.";
    for (stdout, stderr, status, expected) in [
        (String::new(), "AuthorizationManager check failed.", 1, "execution policy"),
        (
            error_output("UnauthorizedAccess,Microsoft.PowerShell.Commands.ImportModuleCommand", "verboten"),
            "",
            0,
            "execution policy",
        ),
        (error_output("", policy), "", 0, "execution policy"),
        (error_output("", no_tenant), "", 0, no_tenant),
        (error_output("", expired), "", 0, expired),
        (error_output("", &format!("unreadable: {TOKEN}")), "", 0, "returned no token: unreadable: ["),
        (error_output("", &"a long text ".repeat(1_000)), "", 0, " … "),
        (
            String::new(),
            "Process terminated. No ICU was found.",
            134,
            "Process terminated. No ICU was found.",
        ),
        (String::new(), "", 1, "exit status: 1"),
    ] {
        let error = FakePwsh::with_output(&stdout, stderr, status).get_token().await.unwrap_err();
        let message = safe_message(&error);
        assert!(message.contains(expected) && message.len() < 1_000, "{message}");
        assert!(!is_unavailable(&error), "{error:?}");
    }
}

#[tokio::test]
async fn invalid_output_is_not_in_error() {
    let prefix = "azure_healthcare_auth: ";
    for stdout in [
        TOKEN.to_owned(),
        format!("{{\"token\":\"{TOKEN}\",\"expires_on\":{EXPIRES_ON}}}"),
        format!("{prefix}{TOKEN}"),
        format!("{prefix}\"{TOKEN}\""),
        format!("{prefix}{{\"token\":\"{TOKEN}\",\"expires_on\":{EXPIRES_ON}"),
        format!("{prefix}{{\"token\":\"{TOKEN}\"}}"),
        format!("{prefix}{{\"token\":\"{TOKEN}\",\"expires_on\":\"{TOKEN}\"}}"),
        format!("{prefix}{{\"token\":\"{TOKEN}\",\"expires_on\":9223372036854775807}}"),
        format!("{prefix}{{\"token\":{{\"Length\":1,\"value\":\"{TOKEN}\"}},\"expires_on\":{EXPIRES_ON}}}"),
        format!("{prefix}{{\"token\":\"\",\"expires_on\":{EXPIRES_ON},\"other\":\"{TOKEN}\"}}"),
    ] {
        for stderr in ["", TOKEN] {
            let error = FakePwsh::with_output(&stdout, stderr, 0).get_token().await.unwrap_err();
            safe_message(&error);
            assert!(!is_unavailable(&error), "{stdout}");
        }
    }
    let error = FakePwsh::with_script("exec yes canary").get_token().await.unwrap_err();
    assert!(safe_message(&error).contains("1 MiB"), "{error}");
}

// The paused clock does not advance while the test reads the pipe, so both processes have started before the timeout.
#[tokio::test(start_paused = true)]
async fn timeout_kills_powershell_and_its_processes() {
    let hang = "exec 3>\"$here/open\"; echo ready >&3; exec sleep 60";
    let pwsh = FakePwsh::with_script(&format!("({hang}) & {hang}"));
    let reader = PipeReader::open(pwsh.0.pipe("open"));
    let credential = pwsh.credential().with_timeout(Duration::from_millis(1_500));
    let call = tokio::spawn(async move { credential.get_token(&[SCOPE], None).await });
    for _ in 0..2 {
        assert_eq!(reader.next_line().await.as_deref(), Some("ready"));
    }
    let error = call.await.unwrap().unwrap_err();
    assert!(safe_message(&error).contains("within 1.5 s"), "{error}");
    assert!(!is_unavailable(&error));
    assert!(azure_healthcare_auth::Error::from(error).is_transient());
    assert_eq!(reader.next_line().await, None);
}

#[tokio::test]
async fn unsafe_tenant_or_scope_starts_no_process() {
    let pwsh = FakePwsh::with_output(&token_output(), "", 0);
    for hostile in ["'; rm -r x; '", "$(calc)", "`n", "\n", "\u{2018}; calc; \u{2019}", "\"", " "] {
        let error = AzurePowerShellCredential::new().with_tenant(hostile).unwrap_err();
        assert_eq!(error.kind(), azure_healthcare_auth::ErrorKind::Credential);
        let scope = format!("https://{hostile}/.default");
        safe_message(&pwsh.credential().get_token(&[&scope], None).await.unwrap_err());
    }
    for scopes in [&[][..], &[SCOPE, SCOPE], &["https://contoso.example"]] {
        safe_message(&pwsh.credential().get_token(scopes, None).await.unwrap_err());
    }
    assert!(!pwsh.0.join("pwsh.arguments").exists());
}

#[test]
fn call_outside_of_tokio_runtime_is_an_error() {
    let credential = AzurePowerShellCredential::new();
    let call = pin!(credential.get_token(&[SCOPE], None));
    let Poll::Ready(Err(error)) = call.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("the call started PowerShell");
    };
    assert!(safe_message(&error).contains("Tokio"), "{error}");
}
