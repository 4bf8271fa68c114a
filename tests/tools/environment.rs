//! `from_env` and `developer_tools` in a subprocess with a known environment, with fake tools and a fake App Service.

use std::{env, process::Command};

use azure_healthcare_auth::{
    Authenticator, FhirAudience,
    credentials::{developer_tools, from_env},
};
use http::HeaderName;
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{header, method, query_param},
};

use crate::{
    rerun::run_test,
    support::TempDir,
    wire::{Service, count},
};

/// The variable that names the function to call in the subprocess.
const FUNCTION: &str = "TEST_FUNCTION";

const FROM_ENV: &str = "from_env";
const DEVELOPER_TOOLS: &str = "developer_tools";
/// `from_env` with Tokio's clock paused, so that time limits elapse immediately.
const FROM_ENV_WITH_PAUSED_CLOCK: &str = "from_env_with_paused_clock";

/// Runs `test` in a subprocess that has only these variables, and returns the result that it printed.
async fn result_in_subprocess(
    test: impl Fn() + Send + 'static,
    function: &str,
    variables: &[(&str, &str)],
) -> String {
    let mut command = Command::new(env::current_exe().unwrap());
    command.env_clear().env(FUNCTION, function).envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || run_test(command, test).unwrap()).await.unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (_, result) = stdout.split_once("RESULT ").unwrap_or_else(|| panic!("no result in {stdout}"));
    result.lines().next().unwrap().to_owned()
}

/// In the subprocess, calls the function, prints its result and returns `true`.
async fn run_in_subprocess() -> bool {
    let Ok(function) = env::var(FUNCTION) else { return false };
    if function == FROM_ENV_WITH_PAUSED_CLOCK {
        tokio::time::pause();
    }
    let chain = if function == DEVELOPER_TOOLS { developer_tools() } else { from_env() };
    let result = match chain {
        Ok(chain) => {
            let audience = FhirAudience::workspace("contoso", "records").build().unwrap();
            match Authenticator::new(audience, chain.clone()).authorization().await {
                Ok(value) => format!("{} from {}", value.to_str().unwrap(), chain.selected().unwrap()),
                Err(error) => format!("{error}; transient: {}", error.is_transient()),
            }
        }
        Err(error) => error.to_string(),
    };
    println!("RESULT {result}");
    true
}

/// The script of a fake tool, or `None` if it is not installed.
type Tool = Option<&'static str>;

const AZ: &str = r#"echo '{"accessToken":"az-token","expires_on":7258118400,"tokenType":"Bearer"}'"#;
const AZ_SIGNED_OUT: &str = r#"echo "ERROR: Please run 'az login' to setup account." >&2; exit 1"#;
const AZ_REJECTED: &str = r#"echo "ERROR: AADSTS50076: multi-factor, run: az login --scope x" >&2; exit 1"#;
const AZ_WITHOUT_EXPIRY: &str = r#"echo '{"accessToken":"canary","tokenType":"Bearer"}'"#;
const AZ_CRASHES: &str = "echo 'Traceback (most recent call last): accessToken=eyJcanary' >&2; exit 1";
const AZD: &str = r#"echo '{"token":"azd-token","expiresOn":"2100-01-01T00:00:00Z"}'"#;
const AZD_SIGNED_OUT: &str =
    r#"echo '{"data":{"message":"ERROR: not logged in, run `azd auth login` to login"}}' >&2; exit 1"#;

#[tokio::test]
async fn developer_tools_are_tried_in_order_or_selected_by_name() {
    if run_in_subprocess().await {
        return;
    }
    let rows: &[(Tool, Tool, Option<&str>, &[&str])] = &[
        (Some(AZ), Some(AZD), None, &["Bearer az-token from Azure CLI"]),
        (None, Some(AZD), None, &["Bearer azd-token from Azure Developer CLI"]),
        (Some(AZ_SIGNED_OUT), Some(AZD), None, &["Bearer azd-token from Azure Developer CLI"]),
        (Some(AZ_REJECTED), Some(AZD), None, &["Azure CLI: ERROR: AADSTS50076: multi-factor"]),
        (Some(AZ_WITHOUT_EXPIRY), Some(AZD), None, &["Azure CLI: expires_on field not found"]),
        (Some(AZ_CRASHES), Some(AZD), None, &["Azure CLI: Traceback", "accessToken=["]),
        (
            Some(AZ_SIGNED_OUT),
            Some(AZD_SIGNED_OUT),
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
        (Some(AZ), Some(AZD), Some("dev"), &["Bearer az-token from Azure CLI"]),
        (
            Some(AZ),
            Some(AZD),
            Some("AzureDeveloperCliCredential"),
            &["Bearer azd-token from Azure Developer CLI"],
        ),
        (
            Some(AZ),
            Some(AZD),
            Some("AzurePowerShellCredential"),
            &["Azure PowerShell: PowerShell was not found"],
        ),
        (
            Some(AZ),
            Some(AZD),
            Some("VisualStudioCredential"),
            &["unknown credential name in AZURE_TOKEN_CREDENTIALS (use prod, dev, or one of"],
        ),
    ];
    for (az, azd, choice, expected) in rows {
        let dir = TempDir::new();
        for (name, tool) in [("az", az), ("azd", azd)] {
            tool.map(|script| dir.fake_tool(name, script));
        }
        let mut variables = vec![("PATH", dir.to_str().unwrap())];
        variables.extend(choice.map(|choice| ("AZURE_TOKEN_CREDENTIALS", choice)));
        let function = if choice.is_some() { FROM_ENV } else { DEVELOPER_TOOLS };
        let result = result_in_subprocess(
            developer_tools_are_tried_in_order_or_selected_by_name,
            function,
            &variables,
        )
        .await;
        for part in *expected {
            assert!(result.contains(part), "{az:?} {azd:?} {choice:?}: {result}");
        }
        assert!(!result.contains("canary"), "{result}");
    }
}

#[tokio::test]
async fn tool_that_hangs_times_out_and_chain_stops() {
    if run_in_subprocess().await {
        return;
    }
    for (tool, choice, expected) in [
        ("az", "dev", "Azure CLI: az "),
        ("azd", "AzureDeveloperCliCredential", "Azure Developer CLI: azd "),
        ("pwsh", "AzurePowerShellCredential", "Azure PowerShell: PowerShell "),
    ] {
        let dir = TempDir::new();
        for name in ["az", "azd", "pwsh"] {
            dir.fake_tool(name, if name == tool { "exec /bin/sleep 600" } else { AZD });
        }
        let variables = [("PATH", dir.to_str().unwrap()), ("AZURE_TOKEN_CREDENTIALS", choice)];
        let test = tool_that_hangs_times_out_and_chain_stops;
        let result = result_in_subprocess(test, FROM_ENV_WITH_PAUSED_CLOCK, &variables).await;
        assert!(result.contains(expected) && result.contains("within 20 s"), "{tool}: {result}");
        assert!(!result.contains("azd-token"), "{tool}: {result}");
        assert!(result.ends_with("transient: true"), "{tool}: {result}");
    }
}

#[tokio::test]
async fn app_service_response_becomes_token_or_error() {
    if run_in_subprocess().await {
        return;
    }
    let token =
        r#"{"access_token":"app-token","expires_on":"7258118400","token_type":"Bearer","resource":"x"}"#;
    let no_identity = r#"{"statusCode":400,"message":"No managed identity found"}"#;
    let entra_error =
        r#"{"error":"invalid_resource","error_description":"AADSTS500011: no x, key=eyJcanary"}"#;
    for (status, body, expected) in [
        (200, token, "Bearer app-token from managed identity"),
        (400, no_identity, "managed identity: The requested identity has not been assigned to this resource"),
        (400, entra_error, "managed identity: AADSTS500011: no x, key=["),
        (403, no_identity, "managed identity: The request failed: {\"statusCode\":400"),
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
        let test = app_service_response_becomes_token_or_error;
        let result = result_in_subprocess(test, FROM_ENV, &variables).await;
        assert!(result.contains(expected) && !result.contains("canary"), "{result}");
        assert_eq!(count(&service).await, 1, "{result}");
    }
}
