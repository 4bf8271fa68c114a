//! What the environment chooses, seen from a process whose environment is known: with tools that answer as the real
//! ones do, and with the endpoint of App Service.

use std::{env, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use crate::folder::Folder;
use crate::wire::{Service, count};
use azure_healthcare_auth::{
    Authenticator, FhirAudience,
    credentials::{developer_tools, from_env},
};
use http::HeaderName;
use tokio::sync::Mutex;
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{header, method, query_param},
};

/// For one test at a time: a tool that is written while another thread starts a process may be busy.
static TURN: Mutex<()> = Mutex::const_new(());

/// Names what is called in a process that a test has started.
const CALL: &str = "CALLED_IN_THIS_ENVIRONMENT";

/// A call of `from_env` at a clock that runs to the end of a time limit as soon as there is nothing but to wait.
const HURRIED: &str = "hurried";

/// What the call gave in a process that has these variables and no others, at the test of this name.
async fn outcome(test: &str, call: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", &format!("environment::{test}"), "--nocapture"]).env_clear().env(CALL, call);
    command.envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("running 1 test\n"), "{text}");
    let (_, outcome) = text.split_once("OUTCOME ").unwrap_or_else(|| panic!("{text}"));
    outcome.lines().next().unwrap().to_owned()
}

/// In such a process makes the call, and tells that it was made.
async fn called() -> bool {
    let Ok(call) = env::var(CALL) else { return false };
    if call == HURRIED {
        tokio::time::pause();
    }
    let chain = if call == "developer_tools" { developer_tools() } else { from_env() };
    let outcome = match chain {
        Ok(chain) => {
            let audience = FhirAudience::workspace("contoso", "records").build().unwrap();
            match Authenticator::new(audience, chain.clone()).authorization().await {
                Ok(value) => format!("{} by {}", value.to_str().unwrap(), chain.selected().unwrap()),
                Err(error) => format!("{error}; may pass: {}", error.is_transient()),
            }
        }
        Err(error) => error.to_string(),
    };
    println!("OUTCOME {outcome}");
    true
}

/// What a tool does, or that it is not there.
type Answer = Option<&'static str>;

/// An `az` or `azd` in a folder, in the language of `sh`.
fn tool(folder: &Path, name: &str, answer: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{answer}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

const AZ: &str = r#"echo '{"accessToken":"of-az","expires_on":4102444800,"tokenType":"Bearer"}'"#;
const AZ_LOGGED_OUT: &str = r#"echo "ERROR: Please run 'az login' to setup account." >&2; exit 1"#;
const AZ_REFUSED: &str = r#"echo "ERROR: AADSTS50076: multi-factor, run: az login --scope x" >&2; exit 1"#;
const AZ_OLD: &str = r#"echo '{"accessToken":"canary","tokenType":"Bearer"}'"#;
const AZ_CRASHES: &str = "echo 'Traceback (most recent call last): accessToken=eyJcanary' >&2; exit 1";
const AZD: &str = r#"echo '{"token":"of-azd","expiresOn":"2100-01-01T00:00:00Z"}'"#;
const AZD_LOGGED_OUT: &str =
    r#"echo '{"data":{"message":"ERROR: not logged in, run `azd auth login` to login"}}' >&2; exit 1"#;

#[tokio::test]
async fn the_first_developer_tool_that_is_signed_in_answers() {
    if called().await {
        return;
    }
    let _turn = TURN.lock().await;
    let rows: &[(Answer, Answer, Option<&str>, &[&str])] = &[
        (Some(AZ), Some(AZD), None, &["Bearer of-az by Azure CLI"]),
        (None, Some(AZD), None, &["Bearer of-azd by Azure Developer CLI"]),
        (Some(AZ_LOGGED_OUT), Some(AZD), None, &["Bearer of-azd by Azure Developer CLI"]),
        (Some(AZ_REFUSED), Some(AZD), None, &["Azure CLI: ERROR: AADSTS50076: multi-factor"]),
        (Some(AZ_OLD), Some(AZD), None, &["Azure CLI: expires_on field not found"]),
        (Some(AZ_CRASHES), Some(AZD), None, &["Azure CLI: Traceback", "[left out]"]),
        (
            Some(AZ_LOGGED_OUT),
            Some(AZD_LOGGED_OUT),
            None,
            &[
                "Azure CLI: ERROR: Please run 'az login'",
                "Azure PowerShell: PowerShell was not found",
                "Azure Developer CLI: ERROR: not logged in",
            ],
        ),
        (
            None,
            None,
            None,
            &["Azure CLI: az not found on PATH", "Azure Developer CLI: azd not found on PATH"],
        ),
        (Some(AZ), Some(AZD), Some("dev"), &["Bearer of-az by Azure CLI"]),
        (Some(AZ), Some(AZD), Some("AzureDeveloperCliCredential"), &["Bearer of-azd by Azure Developer CLI"]),
        (
            Some(AZ),
            Some(AZD),
            Some("AzurePowerShellCredential"),
            &["Azure PowerShell: PowerShell was not found"],
        ),
        (Some(AZ), Some(AZD), Some("VisualStudioCredential"), &["can be prod, dev, or one of"]),
    ];
    for (az, azd, choice, told) in rows {
        let folder = Folder::new();
        az.iter().for_each(|answer| tool(&folder, "az", answer));
        azd.iter().for_each(|answer| tool(&folder, "azd", answer));
        let mut variables = vec![("PATH", folder.to_str().unwrap())];
        variables.extend(choice.map(|choice| ("AZURE_TOKEN_CREDENTIALS", choice)));
        let call = if choice.is_some() { "from_env" } else { "developer_tools" };
        let test = "the_first_developer_tool_that_is_signed_in_answers";
        let outcome = outcome(test, call, &variables).await;
        for told in *told {
            assert!(outcome.contains(told), "{az:?} {azd:?} {choice:?}: {outcome}");
        }
        assert!(!outcome.contains("canary"), "{outcome}");
    }
}

#[tokio::test]
async fn a_tool_that_hangs_is_given_up_and_named_and_no_other_is_asked() {
    if called().await {
        return;
    }
    let _turn = TURN.lock().await;
    for (hangs, choice, told) in [
        ("az", "dev", "Azure CLI: az was ended: it gave no answer within 20 s"),
        ("azd", "AzureDeveloperCliCredential", "azd was ended: it gave no answer within 20 s"),
        ("pwsh", "AzurePowerShellCredential", "PowerShell was ended: it gave no answer within 20 s"),
    ] {
        let folder = Folder::new();
        for name in ["az", "azd", "pwsh"] {
            tool(&folder, name, if name == hangs { "exec /bin/sleep 600" } else { AZD });
        }
        let variables = [("PATH", folder.to_str().unwrap()), ("AZURE_TOKEN_CREDENTIALS", choice)];
        let test = "a_tool_that_hangs_is_given_up_and_named_and_no_other_is_asked";
        let outcome = outcome(test, HURRIED, &variables).await;
        assert!(outcome.contains(told) && !outcome.contains("of-azd"), "{hangs}: {outcome}");
        assert!(outcome.ends_with("may pass: true"), "{hangs}: {outcome}");
    }
}

#[tokio::test]
async fn app_service_gives_the_token_of_its_identity() {
    if called().await {
        return;
    }
    let _turn = TURN.lock().await;
    let token =
        r#"{"access_token":"of-the-app","expires_on":"4102444800","token_type":"Bearer","resource":"x"}"#;
    let refusal = r#"{"statusCode":400,"message":"No managed identity found"}"#;
    let of_entra = r#"{"error":"invalid_resource","error_description":"AADSTS500011: no x, key=eyJcanary"}"#;
    for (status, body, told) in [
        (200, token, "Bearer of-the-app by managed identity"),
        (400, refusal, "managed identity: The requested identity has not been assigned to this resource"),
        (400, of_entra, "managed identity: AADSTS500011: no x, key=[left out]"),
        (403, refusal, "managed identity: The request failed: {\"statusCode\":400"),
    ] {
        let service = Service::start().await;
        Mock::given(method("GET"))
            .and(header(HeaderName::from_static("x-identity-header"), "canary"))
            .and(query_param("resource", "https://contoso-records.fhir.azurehealthcareapis.com"))
            .and(query_param("client_id", "user-assigned"))
            .respond_with(ResponseTemplate::new(status).set_body_raw(body, "application/json"))
            .mount(&service)
            .await;
        let endpoint = format!("{}/msi/token", service.uri());
        let variables = [
            ("AZURE_TOKEN_CREDENTIALS", "prod"),
            ("AZURE_CLIENT_ID", "user-assigned"),
            ("IDENTITY_ENDPOINT", &*endpoint),
            ("IDENTITY_HEADER", "canary"),
        ];
        let outcome = outcome("app_service_gives_the_token_of_its_identity", "from_env", &variables).await;
        assert!(outcome.contains(told) && !outcome.contains("canary"), "{outcome}");
        assert_eq!(count(&service).await, 1, "{outcome}");
    }
}
