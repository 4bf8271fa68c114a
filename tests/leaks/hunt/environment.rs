//! The credentials that the environment chooses, each in a process whose environment is known, with a stand-in for
//! Entra behind TLS, for App Service and for the tools.

use std::{collections::BTreeSet, env, fs, os::unix::fs::PermissionsExt, process::Command};

use azure_healthcare_auth::{
    Authenticator, FhirAudience,
    credentials::{by_name, developer_tools, from_env},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use wiremock::ResponseTemplate;

use super::{
    canary::{ASSERTION, SECRET, TOKEN},
    tls,
    tool::TempDir,
    wire::{answering, count},
    witness::{Print, failed, join, keep, met, shown, take},
};

/// A client certificate, whose password is `canary`.
const CLIENT: &[u8] = include_bytes!("../../../src/credentials/from_env/tests/client.pfx");

/// In such a process: where it has to leave what was printed.
const REPORT: &str = "HUNT_REPORT";

/// In such a process does what it was started for.
pub(crate) async fn called() -> bool {
    let Some(report) = env::var_os(REPORT) else { return false };
    for (name, made) in [
        ("from_env", from_env()),
        ("developer_tools", developer_tools()),
        ("by_name", by_name("ManagedIdentityCredential")),
    ] {
        met(name);
        match made {
            Err(error) => drop(failed(&error)),
            Ok(chain) => {
                shown(&*chain);
                let audience = FhirAudience::workspace("contoso", "records").build().unwrap();
                let auth = Authenticator::new(audience, chain);
                // Where nothing is set up, a machine's identity is asked for at an address that is not loopback.
                if name != "from_env" && env::var_os("IDENTITY_ENDPOINT").is_none() {
                    continue;
                }
                match auth.authorization().await {
                    Ok(value) => shown(&value),
                    Err(error) => drop(failed(&error)),
                }
                shown(&auth);
            }
        }
    }
    fs::write(report, serde_json::to_vec(&take()).unwrap()).unwrap();
    true
}

/// Starts this program again, with these variables and no others, and joins what it has seen.
async fn call(folder: &TempDir, variables: &[(&str, &str)]) {
    let report = folder.join("report");
    let mut command = Command::new(env::current_exe().unwrap());
    // No tool is found but those in the folder.
    command.arg("--nocapture").env_clear().env(REPORT, &report).env("PATH", &**folder);
    command.envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said =
        format!("{} {}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    keep("the output of a process", said);
    let (prints, met): (Vec<Print>, BTreeSet<String>) =
        serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    join(prints, met);
}

pub(crate) async fn drive() {
    let folder = TempDir::new();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let certificate = STANDARD.encode(tls::CERTIFICATE);
    fs::write(path("ca"), format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n"))
        .unwrap();
    fs::write(path("assertion"), &*ASSERTION).unwrap();
    fs::write(path("client.pfx"), CLIENT).unwrap();
    let (trust, assertion) = (path("ca"), path("assertion"));
    let pfx = path("client.pfx");
    let app = [("AZURE_TENANT_ID", "tenant"), ("AZURE_CLIENT_ID", "client"), ("SSL_CERT_FILE", &*trust)];
    for answer in answers() {
        let entra = answering(answer).await;
        let authority = tls::before(&entra, "http/1.1").await;
        let endpoint = format!("{}/msi/token", entra.uri());
        let of_certificate = |password| {
            [
                ("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential"),
                ("AZURE_CLIENT_CERTIFICATE_PATH", &*pfx),
                ("AZURE_CLIENT_CERTIFICATE_PASSWORD", password),
            ]
        };
        for own in [
            &[("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential"), ("AZURE_CLIENT_SECRET", SECRET)][..],
            &of_certificate("canary"),
            &of_certificate("canarysecret"),
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
            call(&folder, &[&app[..], &[("AZURE_AUTHORITY_HOST", &*authority)], own].concat()).await;
        }
        // All asked but the one that cannot read its certificate, and the machine's identity by its name too.
        assert_eq!(count(&entra).await, 5);
    }
    let token = &*TOKEN;
    for answer in [
        format!("echo '{{\"accessToken\":\"{token}\",\"expires_on\":4102444800,\"tokenType\":\"Bearer\"}}'"),
        format!("echo '{{\"accessToken\":\"{token}\",\"tokenType\":\"Bearer\"}}'"),
        format!("echo 'Traceback: accessToken={token} secret={SECRET}' >&2; exit 1"),
    ] {
        fs::write(path("az"), format!("#!/bin/sh\n{answer}\n")).unwrap();
        fs::set_permissions(path("az"), fs::Permissions::from_mode(0o755)).unwrap();
        call(&folder, &[("AZURE_TOKEN_CREDENTIALS", "dev")]).await;
    }
}

/// What Entra, or the machine, answers.
fn answers() -> [ResponseTemplate; 3] {
    let token = serde_json::json!({
        "access_token": *TOKEN, "token_type": "Bearer", "expires_in": 3600, "expires_on": "4102444800",
    });
    let refusal = serde_json::json!({
        "error": "invalid_client", "error_codes": [],
        "error_description": format!("AADSTS7000215: it was {SECRET} and {}", *ASSERTION),
    });
    [
        ResponseTemplate::new(200).set_body_json(token),
        ResponseTemplate::new(401).set_body_json(refusal),
        ResponseTemplate::new(403).set_body_raw(format!("<html>{SECRET}</html>"), "text/html"),
    ]
}
