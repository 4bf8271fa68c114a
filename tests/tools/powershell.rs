//! `AzurePowerShellCredential`, against stand-ins that answer as the versions of PowerShell and of Az.Accounts do.

use std::{
    error::Error as _,
    fmt::Write,
    fs,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::folder::{Folder, Held};
use azure_core::{
    Error,
    credentials::{AccessToken, TokenCredential},
    error::ErrorKind,
};
use azure_healthcare_auth::credentials::{AzurePowerShellCredential, CredentialUnavailableError};
use base64::{Engine, engine::general_purpose::STANDARD};

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";
const TOKEN: &str = "eyJhbGciOiJub25lIn0.canary-canary-canary-0123456789.c2ln";
const END: i64 = 1_900_000_000;

/// A stand-in for PowerShell in a folder of its own.
struct FakeServer(Folder);

impl FakeServer {
    fn running(answer: &str) -> Self {
        Self(Folder::of_a_power_shell(answer))
    }

    fn writing(stdout: &str, stderr: &str, status: u8) -> Self {
        let fake_server =
            Self::running(&format!("cat \"$here/stdout\"; cat \"$here/stderr\" >&2; exit {status}"));
        fs::write(fake_server.0.join("stdout"), stdout).unwrap();
        fs::write(fake_server.0.join("stderr"), stderr).unwrap();
        fake_server
    }

    fn credential(&self) -> AzurePowerShellCredential {
        AzurePowerShellCredential::new().with_program(self.0.join("pwsh"))
    }

    async fn token(&self) -> azure_core::Result<AccessToken> {
        self.credential().get_token(&[SCOPE], None).await
    }

    fn kept(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// The script that it was called with.
    fn script(&self) -> String {
        let arguments = self.kept("arguments");
        let arguments: Vec<&str> = arguments.lines().collect();
        let [options @ .., script] = &arguments[..] else { panic!("no arguments") };
        assert_eq!(options.join(" "), "-NoProfile -NonInteractive -OutputFormat Text -EncodedCommand");
        let bytes = STANDARD.decode(script).unwrap();
        let units: Vec<u16> =
            bytes.chunks(2).map(|pair| u16::from_le_bytes(pair.try_into().unwrap())).collect();
        String::from_utf16(&units).unwrap()
    }
}

/// As the script writes it. Windows PowerShell writes what is between braces in another order, and escapes quotes.
fn answer() -> String {
    format!("azure_healthcare_auth: {{\"expires_on\":{END},\"token\":\"{TOKEN}\"}}")
}

/// As the script writes it for an error that it caught.
fn caught(id: &str, said: &str) -> String {
    format!("azure_healthcare_auth: {}\n", serde_json::json!({ "said": said, "id": id }))
}

/// The error's text. Nothing that it shows, nor its causes, holds the token.
fn told(error: &Error) -> String {
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
async fn it_is_asked_for_the_resource_of_the_scope_in_the_tenant_given() {
    let script = include_str!("../../src/credentials/powershell/get_token.ps1");
    let fake_server = FakeServer::writing(&answer(), "", 0);
    fake_server.token().await.unwrap();
    let resource = "$resource = 'https://contoso-records.fhir.azurehealthcareapis.com'";
    assert_eq!(fake_server.script(), format!("{resource}\n$tenant = ''\n{script}"));

    let credential = fake_server.credential().with_tenant("contoso.onmicrosoft.com").unwrap();
    credential.get_token(&["https://dicom.healthcareapis.azure.com//.default"], None).await.unwrap();
    let resource = "$resource = 'https://dicom.healthcareapis.azure.com/'";
    assert_eq!(fake_server.script(), format!("{resource}\n$tenant = 'contoso.onmicrosoft.com'\n{script}"));
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
async fn it_runs_where_nobody_can_have_put_a_program() {
    let fake_server = FakeServer::writing(&answer(), "", 0);
    fake_server.token().await.unwrap();
    assert_eq!(fake_server.kept("folder"), "/\n");
}

#[tokio::test]
async fn each_version_s_answer_is_read() {
    let answer = answer();
    let warning = "WARNING: Upcoming breaking changes in the cmdlet 'Get-AzAccessToken' :";
    let turned = format!("azure_healthcare_auth: {{\"token\":\"{TOKEN}\",\"expires_on\":{END}}}");
    for (version, stdout, stderr) in [
        ("7, SecureString", format!("{answer}\n"), ""),
        ("7, plain, which warns", format!("{warning}\nThe output type will change.\n{answer}\n"), ""),
        ("7, on a terminal", format!("\u{1b}[?1h\u{1b}[0m{answer}\u{1b}[?1l\n"), ""),
        ("5.1, SecureString", format!("\r\n{turned}\r\n"), "#< CLIXML\r\n<Objs Version=\"1.1.0.1\"></Objs>"),
        ("with a survey after it", format!("{answer}\n[Survey] Help us improve: {{\"token\":1}}\n"), ""),
        (
            "with its own mark before it",
            format!("DEBUG: azure_healthcare_auth: + $resource\n{answer}\n"),
            "noise",
        ),
    ] {
        let got = FakeServer::writing(&stdout, stderr, 0).token().await.expect(version);
        assert_eq!(got.token.secret(), TOKEN, "{version}");
        assert_eq!(got.expires_on.unix_timestamp(), END, "{version}");
    }
}

#[tokio::test]
async fn what_is_not_there_says_what_to_do_and_a_chain_goes_on() {
    let import = "Modules_ModuleWithVersionNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand";
    let no_module = "The specified module 'Az.Accounts' with version '2.2.0' was not loaded because no valid module \
                     file was found in any module directory.";
    let german = "Das angegebene Modul \"Az.Accounts\" mit Version \"2.2.0\" wurde nicht geladen.";
    let no_account =
        "Your Azure credentials have not been set up or have expired, please run Connect-AzAccount";
    for (stdout, stderr, status, says) in [
        (String::new(), "sh: 1: pwsh: not found", 127, "install PowerShell 7"),
        (
            String::new(),
            "'pwsh' is not recognized as an internal or external command",
            1,
            "install PowerShell 7",
        ),
        (caught(import, no_module), "", 0, "Install-Module Az.Accounts"),
        (caught(import, german), "", 0, "Install-Module Az.Accounts"),
        (String::new(), no_module, 1, "Install-Module Az.Accounts"),
        (
            caught("Microsoft.Azure.Commands", "Run Connect-AzAccount to login."),
            "",
            0,
            "run `Connect-AzAccount`",
        ),
        (caught("", no_account), "", 0, "run `Connect-AzAccount`"),
        (
            String::new(),
            "Get-AzAccessToken: Run\r\nConnect-AzAccount to\r\nlogin.",
            1,
            "run `Connect-AzAccount`",
        ),
    ] {
        let error = FakeServer::writing(&stdout, stderr, status).token().await.unwrap_err();
        assert!(told(&error).contains(says), "{error}");
        assert!(is_unavailable(&error), "{error:?}");
    }
    let nowhere = AzurePowerShellCredential::new().with_program("/nowhere/pwsh");
    let error = nowhere.get_token(&[SCOPE], None).await.unwrap_err();
    assert!(told(&error).contains("install PowerShell 7") && is_unavailable(&error), "{error:?}");
}

#[tokio::test]
async fn what_is_refused_says_why_and_a_chain_stops() {
    let policy = "cannot be loaded because running scripts is disabled on this system. For more information, see \
                  about_Execution_Policies at https:/go.microsoft.com/fwlink/?LinkID=135170.";
    let no_tenant = "AADSTS90002: Tenant 'b0a1c2d3-0000-4000-8000-0123456789ab' not found.";
    let expired = "AADSTS700082: The refresh token has expired. Run Connect-AzAccount to login.";
    for (stdout, stderr, status, says) in [
        (String::new(), "AuthorizationManager check failed.", 1, "execution policy"),
        (
            caught("UnauthorizedAccess,Microsoft.PowerShell.Commands.ImportModuleCommand", "verboten"),
            "",
            0,
            "execution policy",
        ),
        (caught("", policy), "", 0, "execution policy"),
        (caught("", no_tenant), "", 0, no_tenant),
        (caught("", expired), "", 0, expired),
        (caught("", &format!("unreadable: {TOKEN}")), "", 0, "gave no token: unreadable: [left out]"),
        (caught("", &"a long text ".repeat(1_000)), "", 0, " … "),
        (
            String::new(),
            "Process terminated. No ICU was found.",
            134,
            "Process terminated. No ICU was found.",
        ),
        (String::new(), "", 1, "exit status: 1"),
    ] {
        let error = FakeServer::writing(&stdout, stderr, status).token().await.unwrap_err();
        let told = told(&error);
        assert!(told.contains(says) && told.len() < 1_000, "{told}");
        assert!(!is_unavailable(&error), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_not_shown() {
    let mark = "azure_healthcare_auth: ";
    for stdout in [
        TOKEN.to_owned(),
        format!("{{\"token\":\"{TOKEN}\",\"expires_on\":{END}}}"),
        format!("{mark}{TOKEN}"),
        format!("{mark}\"{TOKEN}\""),
        format!("{mark}{{\"token\":\"{TOKEN}\",\"expires_on\":{END}"),
        format!("{mark}{{\"token\":\"{TOKEN}\"}}"),
        format!("{mark}{{\"token\":\"{TOKEN}\",\"expires_on\":\"{TOKEN}\"}}"),
        format!("{mark}{{\"token\":\"{TOKEN}\",\"expires_on\":9223372036854775807}}"),
        format!("{mark}{{\"token\":{{\"Length\":1,\"value\":\"{TOKEN}\"}},\"expires_on\":{END}}}"),
        format!("{mark}{{\"token\":\"\",\"expires_on\":{END},\"other\":\"{TOKEN}\"}}"),
    ] {
        for stderr in ["", TOKEN] {
            let error = FakeServer::writing(&stdout, stderr, 0).token().await.unwrap_err();
            told(&error);
            assert!(!is_unavailable(&error), "{stdout}");
        }
    }
    let error = FakeServer::running("exec yes canary").token().await.unwrap_err();
    assert!(told(&error).contains("1 MiB"), "{error}");
}

// Time passes only where nothing else can happen: not before both processes are there.
#[tokio::test(start_paused = true)]
async fn one_that_takes_too_long_is_ended_with_all_that_it_started() {
    let holds = "exec 3>\"$here/held\"; echo ready >&3; exec sleep 60";
    let fake_server = FakeServer::running(&format!("({holds}) & {holds}"));
    let held = Held::by_writers_of(fake_server.0.pipe("held"));
    let credential = fake_server.credential().with_timeout(Duration::from_millis(1_500));
    let call = tokio::spawn(async move { credential.get_token(&[SCOPE], None).await });
    for _ in 0..2 {
        assert_eq!(held.next().await.as_deref(), Some("ready"));
    }
    let error = call.await.unwrap().unwrap_err();
    assert!(told(&error).contains("within 1.5 s"), "{error}");
    assert!(!is_unavailable(&error));
    assert!(azure_healthcare_auth::Error::from(error).is_transient());
    assert_eq!(held.next().await, None);
}

#[tokio::test]
async fn what_could_change_the_script_starts_nothing() {
    let fake_server = FakeServer::writing(&answer(), "", 0);
    for hostile in ["'; rm -r x; '", "$(calc)", "`n", "\n", "\u{2018}; calc; \u{2019}", "\"", " "] {
        let error = AzurePowerShellCredential::new().with_tenant(hostile).unwrap_err();
        assert_eq!(error.kind(), azure_healthcare_auth::ErrorKind::Credential);
        let scope = format!("https://{hostile}/.default");
        told(&fake_server.credential().get_token(&[&scope], None).await.unwrap_err());
    }
    for scopes in [&[][..], &[SCOPE, SCOPE], &["https://contoso.example"]] {
        told(&fake_server.credential().get_token(scopes, None).await.unwrap_err());
    }
    assert!(!fake_server.0.join("arguments").exists());
}

#[test]
fn without_a_runtime_it_is_an_error() {
    let credential = AzurePowerShellCredential::new();
    let call = pin!(credential.get_token(&[SCOPE], None));
    let Poll::Ready(Err(error)) = call.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("PowerShell was started");
    };
    assert!(told(&error).contains("Tokio"), "{error}");
}
