//! Each credential that requests tokens over HTTP, with each kind of failure.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::HeaderValue;
use tokio::time::Instant;

use super::{
    super::http_policy::TOKEN_TIMEOUT,
    fake_entra::{
        EntraResponse::{self, ConnectionError, Hang, Html, RetryAfter, Status, Token},
        FakeEntra,
    },
    rerun::rerun_without_managed_identity,
};
use crate::{Authenticator, Error, FhirAudience};

const SECRET: &str = "abc8Q~canary0123456789canary0123456789AB";
const ASSERTION: &str = "eyJhbGciOiJub25lIn0.canary.c2ln";
const APP: [(&str, &str); 2] = [("AZURE_TENANT_ID", "tenant"), ("AZURE_CLIENT_ID", "client")];

/// A file with an assertion, deleted on drop.
pub(super) struct TokenFile(PathBuf);

impl TokenFile {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        std::fs::write(&path, ASSERTION).unwrap();
        Self(path)
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Returns each credential that requests tokens over HTTP: its name, and the variables that select it alone.
pub(super) fn credentials(file: &TokenFile) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let with = |name: &'static str, value: String| {
        let app = APP.iter().map(|(name, value)| (*name, (*value).to_owned()));
        app.chain([(name, value)]).collect::<Vec<_>>()
    };
    let select = |mut variables: Vec<_>, name: &str| {
        variables.push(("AZURE_TOKEN_CREDENTIALS", name.to_owned()));
        variables
    };
    let path = file.0.to_str().unwrap().to_owned();
    let mut all = vec![
        ("client secret", select(with("AZURE_CLIENT_SECRET", SECRET.into()), "EnvironmentCredential")),
        ("workload identity", select(with("AZURE_FEDERATED_TOKEN_FILE", path), "WorkloadIdentityCredential")),
        ("managed identity", select(Vec::new(), "ManagedIdentityCredential")),
    ];
    if cfg!(feature = "client-certificate") {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/src/credentials/from_env/tests/client.pfx").to_owned();
        let mut variables = select(with("AZURE_CLIENT_CERTIFICATE_PATH", path), "EnvironmentCredential");
        variables.push(("AZURE_CLIENT_CERTIFICATE_PASSWORD", "canary".to_owned()));
        all.push(("client certificate", variables));
    }
    all
}

fn audience() -> FhirAudience {
    FhirAudience::workspace("contoso", "records").build().unwrap()
}

pub(super) fn authenticator(
    entra: &Arc<FakeEntra>,
    variables: &[(&'static str, String)],
) -> Authenticator<FhirAudience> {
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, &**value)).collect();
    Authenticator::new(audience(), entra.chain(&variables))
}

async fn authorize(
    entra: &Arc<FakeEntra>,
    variables: &[(&'static str, String)],
) -> (Result<HeaderValue, Error>, Duration) {
    let started = Instant::now();
    let result = authenticator(entra, variables).authorization().await;
    (result, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn error_names_cause_within_time_limit() {
    if rerun_without_managed_identity(error_names_cause_within_time_limit) {
        return;
    }
    let file = TokenFile::new("failure");
    const CERTIFICATE: &str = "invalid peer certificate: UnknownIssuer";
    // Responses, part of the error, whether it is transient, maximum number of attempts, maximum time.
    let rows: &[(&[EntraResponse], &str, bool, usize, Duration)] = &[
        (
            &[ConnectionError("Connection refused (os error 111)")],
            "Connection refused (os error 111)",
            true,
            8,
            TOKEN_TIMEOUT,
        ),
        (
            &[ConnectionError("failed to lookup address information")],
            "failed to lookup address",
            true,
            8,
            TOKEN_TIMEOUT,
        ),
        (&[ConnectionError(CERTIFICATE)], CERTIFICATE, false, 1, Duration::ZERO),
        (&[Hang], "within 15 s (last attempt: no response)", true, 1, TOKEN_TIMEOUT),
        (&[Status(503, "busy"), Hang], "within 15 s (last attempt: HTTP status 503)", true, 2, TOKEN_TIMEOUT),
        (&[RetryAfter("3600")], "503", true, 8, TOKEN_TIMEOUT),
        (&[Status(503, "busy")], "503", true, 8, TOKEN_TIMEOUT),
        (&[Status(500, "busy")], "500", true, 8, TOKEN_TIMEOUT),
        (&[Html(403)], "HTTP status 403 with an HTML page", false, 1, Duration::ZERO),
        (&[Html(502)], "502", true, 8, TOKEN_TIMEOUT),
    ];
    for (name, variables) in credentials(&file) {
        for (responses, expected, transient, attempts, time) in rows {
            let entra = FakeEntra::new(responses);
            let (result, elapsed) = authorize(&entra, &variables).await;
            let error = result.unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(expected), "{name} {responses:?}: {shown}");
            assert!(!shown.contains("canary"), "{name} {responses:?}: {shown}");
            assert_eq!(error.is_transient(), *transient, "{name} {responses:?}: {shown}");
            assert!(
                entra.requests().len() <= *attempts,
                "{name} {responses:?}: {} attempts",
                entra.requests().len()
            );
            assert!(elapsed <= *time + Duration::from_millis(10), "{name} {responses:?}: {elapsed:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn entra_error_is_reported_verbatim_and_not_retried() {
    if rerun_without_managed_identity(entra_error_is_reported_verbatim_and_not_retried) {
        return;
    }
    let file = TokenFile::new("entra-error");
    for (name, variables) in credentials(&file) {
        for (status, description) in [
            (401, "AADSTS7000215: Invalid client secret provided."),
            (400, "AADSTS90002: Tenant 'tenant' not found."),
            (400, "AADSTS500011: The resource principal named x was not found."),
            (401, "AADSTS700024: Client assertion is not within its valid time range."),
        ] {
            let entra = FakeEntra::new(&[Status(status, description), Token("never")]);
            let (result, elapsed) = authorize(&entra, &variables).await;
            let error = result.unwrap_err();
            assert!(error.to_string().contains(description) && !error.is_transient(), "{name}: {error}");
            assert_eq!((entra.requests().len(), elapsed), (1, Duration::ZERO), "{name}: {description}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn transient_failure_is_retried_until_token_arrives() {
    if rerun_without_managed_identity(transient_failure_is_retried_until_token_arrives) {
        return;
    }
    let file = TokenFile::new("recovers");
    for (name, variables) in credentials(&file) {
        for responses in [
            &[Token("good")][..],
            &[Status(503, "busy"), Token("good")],
            &[RetryAfter("2"), Token("good")],
            &[ConnectionError("connection reset"), Status(500, "busy"), Token("good")],
        ] {
            let entra = FakeEntra::new(responses);
            let (result, _) = authorize(&entra, &variables).await;
            assert_eq!(result.unwrap(), "Bearer good", "{name} {responses:?}");
            assert_eq!(entra.requests().len(), responses.len(), "{name} {responses:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn credential_sends_its_proof_to_configured_endpoint() {
    if rerun_without_managed_identity(credential_sends_its_proof_to_configured_endpoint) {
        return;
    }
    let file = TokenFile::new("sends");
    for (name, mut variables) in credentials(&file) {
        variables.push(("AZURE_AUTHORITY_HOST", "https://login.contoso.example".into()));
        let entra = FakeEntra::new(&[Token("good")]);
        authorize(&entra, &variables).await.0.unwrap();
        let (url, body) = entra.requests().remove(0);
        let (endpoint, proof) = match name {
            "client secret" => {
                ("https://login.contoso.example/tenant/oauth2/v2.0/token", "client_secret=abc8Q%7E")
            }
            "workload identity" => {
                ("https://login.contoso.example/tenant/oauth2/v2.0/token", "client_assertion=eyJ")
            }
            "client certificate" => {
                ("https://login.contoso.example/tenant/oauth2/v2.0/token", "client_assertion=ey")
            }
            _ => ("http://169.254.169.254/metadata/identity/oauth2/token?", ""),
        };
        assert!(url.starts_with(endpoint) && body.contains(proof), "{name}: {url}");
    }
}

#[tokio::test(start_paused = true)]
async fn rejected_token_is_replaced_by_new_one() {
    if rerun_without_managed_identity(rejected_token_is_replaced_by_new_one) {
        return;
    }
    let file = TokenFile::new("rejected");
    for (name, variables) in credentials(&file) {
        let entra = FakeEntra::new(&[Token("first"), Token("second")]);
        let auth = authenticator(&entra, &variables);
        let first = auth.authorization().await.unwrap();
        let second = auth.refresh_rejected(&first).await.unwrap();
        assert_eq!(second, Some(HeaderValue::from_static("Bearer second")), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn app_registration_rejects_service_in_another_cloud() {
    if rerun_without_managed_identity(app_registration_rejects_service_in_another_cloud) {
        return;
    }
    let file = TokenFile::new("cloud");
    for (name, mut variables) in credentials(&file) {
        variables.push(("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us".into()));
        let entra = FakeEntra::new(&[Token("good")]);
        let (result, _) = authorize(&entra, &variables).await;
        match name {
            // A managed identity always belongs to the cloud that it runs in.
            "managed identity" => assert!(result.is_ok()),
            _ => {
                let error = result.unwrap_err().to_string();
                assert!(
                    error.contains("set AZURE_AUTHORITY_HOST to https://login.microsoftonline.com"),
                    "{error}"
                );
                assert!(entra.requests().is_empty(), "{name}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn missing_token_file_is_reported_and_read_again_on_next_call() {
    let file = TokenFile::new("missing");
    let variables = credentials(&file).remove(1).1;
    drop(file);
    let entra = FakeEntra::new(&[Token("good")]);
    let (missing, _) = authorize(&entra, &variables).await;
    assert!(missing.unwrap_err().to_string().contains("failed to read federated token from file"));
    let _file = TokenFile::new("missing");
    assert!(authorize(&entra, &variables).await.0.is_ok());
}

#[cfg(feature = "client-certificate")]
#[tokio::test(start_paused = true)]
async fn invalid_certificate_error_does_not_contain_password() {
    let file = TokenFile::new("certificate");
    let variables = credentials(&file).pop().unwrap().1;
    for (name, value) in [
        ("AZURE_CLIENT_CERTIFICATE_PATH", "/nowhere/client.pfx"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", file.0.to_str().unwrap()),
        ("AZURE_CLIENT_CERTIFICATE_PASSWORD", "not-canary"),
    ] {
        let mut variables = variables.clone();
        variables.retain(|(other, _)| *other != name);
        variables.push((name, value.to_owned()));
        let entra = FakeEntra::new(&[Token("good")]);
        let error = authorize(&entra, &variables).await.0.unwrap_err().to_string();
        let expected = "cannot load the certificate from AZURE_CLIENT_CERTIFICATE_PATH: ";
        assert!(error.contains(expected) && !error.contains("canary"), "{name}={value}: {error}");
        assert!(entra.requests().is_empty());
    }
}
