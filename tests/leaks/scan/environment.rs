//! The credentials that the environment selects, each in a subprocess with a known environment, and with fakes of Entra
//! (over TLS), App Service and the command-line tools.

use std::{collections::BTreeSet, env, fs, os::unix::fs::PermissionsExt, process::Command};

use azure_healthcare_auth::{
    Authenticator, FhirAudience,
    credentials::{by_name, developer_tools, from_env},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use wiremock::ResponseTemplate;

use super::{
    capture::{Output, capture_debug, capture_error, cover, merge, record, take},
    marker::{ASSERTION, SECRET, TOKEN},
    tls,
    tools_support::TempDir,
    wire::{count, responding},
};

/// A client certificate. Its password is `canary`.
const CLIENT_CERTIFICATE: &[u8] = include_bytes!("../../../src/credentials/from_env/tests/client.pfx");

/// The environment variable with the path to which a subprocess writes what it has captured.
const REPORT: &str = "SCAN_REPORT";

/// In a subprocess, uses the credentials of the environment, writes the report and returns `true`.
pub(crate) async fn run_in_subprocess() -> bool {
    let Some(report) = env::var_os(REPORT) else { return false };
    for (name, result) in [
        ("from_env", from_env()),
        ("developer_tools", developer_tools()),
        ("by_name", by_name("ManagedIdentityCredential")),
    ] {
        cover(name);
        match result {
            Err(error) => drop(capture_error(&error)),
            Ok(chain) => {
                capture_debug(&*chain);
                let audience = FhirAudience::workspace("contoso", "records").build().unwrap();
                let auth = Authenticator::new(audience, chain);
                // Without `IDENTITY_ENDPOINT`, a managed identity would send a request to an address that is not
                // loopback.
                if name != "from_env" && env::var_os("IDENTITY_ENDPOINT").is_none() {
                    continue;
                }
                match auth.authorization().await {
                    Ok(value) => capture_debug(&value),
                    Err(error) => drop(capture_error(&error)),
                }
                capture_debug(&auth);
            }
        }
    }
    fs::write(report, serde_json::to_vec(&take()).unwrap()).unwrap();
    true
}

/// Runs this program in a subprocess with only these variables, and merges what it has captured.
async fn run_subprocess(folder: &TempDir, variables: &[(&str, &str)]) {
    let report = folder.join("report");
    let mut command = Command::new(env::current_exe().unwrap());
    // Only the tools in the folder can be found.
    command.arg("--nocapture").env_clear().env(REPORT, &report).env("PATH", &**folder);
    command.envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text =
        format!("{} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    record("the output of a process", text);
    let (outputs, covered): (Vec<Output>, BTreeSet<String>) =
        serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    merge(outputs, covered);
}

pub(crate) async fn run() {
    let folder = TempDir::new();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let certificate = STANDARD.encode(tls::CERTIFICATE);
    fs::write(path("ca"), format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n"))
        .unwrap();
    fs::write(path("assertion"), &*ASSERTION).unwrap();
    fs::write(path("client.pfx"), CLIENT_CERTIFICATE).unwrap();
    let (trust, assertion) = (path("ca"), path("assertion"));
    let pfx = path("client.pfx");
    let app = [("AZURE_TENANT_ID", "tenant"), ("AZURE_CLIENT_ID", "client"), ("SSL_CERT_FILE", &*trust)];
    for response in token_responses() {
        let entra = responding(response).await;
        let authority = tls::start_proxy(&entra, "http/1.1").await;
        let endpoint = format!("{}/msi/token", entra.uri());
        let with_certificate = |password| {
            [
                ("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential"),
                ("AZURE_CLIENT_CERTIFICATE_PATH", &*pfx),
                ("AZURE_CLIENT_CERTIFICATE_PASSWORD", password),
            ]
        };
        for variables in [
            &[("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential"), ("AZURE_CLIENT_SECRET", SECRET)][..],
            &with_certificate("canary"),
            &with_certificate("canarysecret"),
            &[
                ("AZURE_TOKEN_CREDENTIALS", "WorkloadIdentityCredential"),
                ("AZURE_FEDERATED_TOKEN_FILE", &*assertion),
            ],
            &[
                ("AZURE_TOKEN_CREDENTIALS", "prod"),
                ("IDENTITY_ENDPOINT", &*endpoint),
                ("IDENTITY_HEADER", SECRET),
            ],
        ] {
            run_subprocess(
                &folder,
                &[&app[..], &[("AZURE_AUTHORITY_HOST", &*authority)], variables].concat(),
            )
            .await;
        }
        // One request per subprocess, except that the one with the wrong certificate password sends none, and the one
        // with `IDENTITY_ENDPOINT` sends a second one for `by_name`.
        assert_eq!(count(&entra).await, 5);
    }
    let token = &*TOKEN;
    for script in [
        format!("echo '{{\"accessToken\":\"{token}\",\"expires_on\":7258118400,\"tokenType\":\"Bearer\"}}'"),
        format!("echo '{{\"accessToken\":\"{token}\",\"tokenType\":\"Bearer\"}}'"),
        format!("echo 'Traceback: accessToken={token} secret={SECRET}' >&2; exit 1"),
    ] {
        fs::write(path("az"), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path("az"), fs::Permissions::from_mode(0o755)).unwrap();
        run_subprocess(&folder, &[("AZURE_TOKEN_CREDENTIALS", "dev")]).await;
    }
}

/// The responses of Entra and App Service.
fn token_responses() -> [ResponseTemplate; 3] {
    let token = serde_json::json!({
        "access_token": *TOKEN, "token_type": "Bearer", "expires_in": 3600, "expires_on": "7258118400",
    });
    let rejection = serde_json::json!({
        "error": "invalid_client", "error_codes": [],
        "error_description": format!("AADSTS7000215: it was {SECRET} and {}", *ASSERTION),
    });
    [
        ResponseTemplate::new(200).set_body_json(token),
        ResponseTemplate::new(401).set_body_json(rejection),
        ResponseTemplate::new(403).set_body_raw(format!("<html>{SECRET}</html>"), "text/html"),
    ]
}
