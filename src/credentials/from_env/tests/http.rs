//! Each credential that asks by HTTP, and each way in which Entra or the machine fails.

use std::{path::PathBuf, sync::Arc, time::Duration};

use http::HeaderValue;
use tokio::time::Instant;

use super::{
    super::patience::PATIENCE,
    entra::{
        Answer::{self, Broken, Later, Never, Page, Status, Token},
        Entra,
    },
};
use crate::{Authenticator, Error, FhirAudience};

const SECRET: &str = "abc8Q~canary0123456789canary0123456789AB";
const ASSERTION: &str = "eyJhbGciOiJub25lIn0.canary.c2ln";
const APP: [(&str, &str); 2] = [("AZURE_TENANT_ID", "tenant"), ("AZURE_CLIENT_ID", "client")];

/// A file with an assertion, gone when it is dropped.
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

/// The variables of each credential that asks by HTTP, one credential at a time.
pub(super) fn credentials(file: &TokenFile) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let with = |name: &'static str, value: String| {
        let app = APP.iter().map(|(name, value)| (*name, (*value).to_owned()));
        app.chain([(name, value)]).collect::<Vec<_>>()
    };
    let choose = |mut variables: Vec<_>, name: &str| {
        variables.push(("AZURE_TOKEN_CREDENTIALS", name.to_owned()));
        variables
    };
    let path = file.0.to_str().unwrap().to_owned();
    let mut all = vec![
        ("client secret", choose(with("AZURE_CLIENT_SECRET", SECRET.into()), "EnvironmentCredential")),
        ("workload identity", choose(with("AZURE_FEDERATED_TOKEN_FILE", path), "WorkloadIdentityCredential")),
        ("managed identity", choose(Vec::new(), "ManagedIdentityCredential")),
    ];
    if cfg!(feature = "client-certificate") {
        let path =
            concat!(env!("CARGO_MANIFEST_DIR"), "/src/credentials/from_env/tests/client.pfx").to_owned();
        let mut variables = choose(with("AZURE_CLIENT_CERTIFICATE_PATH", path), "EnvironmentCredential");
        variables.push(("AZURE_CLIENT_CERTIFICATE_PASSWORD", "canary".to_owned()));
        all.push(("client certificate", variables));
    }
    all
}

fn audience() -> FhirAudience {
    FhirAudience::workspace("contoso", "records").build().unwrap()
}

pub(super) fn authenticator(
    entra: &Arc<Entra>,
    variables: &[(&'static str, String)],
) -> Authenticator<FhirAudience> {
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, &**value)).collect();
    Authenticator::new(audience(), entra.chain(&variables))
}

async fn outcome(
    entra: &Arc<Entra>,
    variables: &[(&'static str, String)],
) -> (Result<HeaderValue, Error>, Duration) {
    let started = Instant::now();
    let outcome = authenticator(entra, variables).authorization().await;
    (outcome, started.elapsed())
}

#[tokio::test(start_paused = true)]
async fn each_failure_names_its_cause_within_a_bounded_time() {
    let file = TokenFile::new("each-failure");
    const CERTIFICATE: &str = "invalid peer certificate: UnknownIssuer";
    // How the tries end, what is told, whether it may pass by itself, the most tries, and the most time.
    let rows: &[(&[Answer], &str, bool, usize, Duration)] = &[
        (
            &[Broken("Connection refused (os error 111)")],
            "Connection refused (os error 111)",
            true,
            8,
            PATIENCE,
        ),
        (&[Broken("failed to lookup address information")], "failed to lookup address", true, 8, PATIENCE),
        (&[Broken(CERTIFICATE)], CERTIFICATE, false, 1, Duration::ZERO),
        (&[Never], "within 15 s: no answer", true, 1, PATIENCE),
        (&[Status(503, "busy"), Never], "within 15 s: it answered 503", true, 2, PATIENCE),
        (&[Later("3600")], "503", true, 8, PATIENCE),
        (&[Status(503, "busy")], "503", true, 8, PATIENCE),
        (&[Status(500, "busy")], "500", true, 8, PATIENCE),
        (&[Page(403)], "answered 403 with a page for people", false, 1, Duration::ZERO),
        (&[Page(502)], "502", true, 8, PATIENCE),
    ];
    for (name, variables) in credentials(&file) {
        for (answers, told, transient, tries, time) in rows {
            let entra = Entra::new(answers);
            let (outcome, took) = outcome(&entra, &variables).await;
            let error = outcome.unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(told), "{name} {answers:?}: {shown}");
            assert!(!shown.contains("canary"), "{name} {answers:?}: {shown}");
            assert_eq!(error.is_transient(), *transient, "{name} {answers:?}: {shown}");
            assert!(entra.asked().len() <= *tries, "{name} {answers:?}: {} tries", entra.asked().len());
            assert!(took <= *time + Duration::from_millis(10), "{name} {answers:?}: {took:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_entra_refuses_is_told_in_its_words_and_not_tried_again() {
    let file = TokenFile::new("refused");
    for (name, variables) in credentials(&file) {
        for (status, told) in [
            (401, "AADSTS7000215: Invalid client secret provided."),
            (400, "AADSTS90002: Tenant 'tenant' not found."),
            (400, "AADSTS500011: The resource principal named x was not found."),
            (401, "AADSTS700024: Client assertion is not within its valid time range."),
        ] {
            let entra = Entra::new(&[Status(status, told), Token("never")]);
            let (outcome, took) = outcome(&entra, &variables).await;
            let error = outcome.unwrap_err();
            assert!(error.to_string().contains(told) && !error.is_transient(), "{name}: {error}");
            assert_eq!((entra.asked().len(), took), (1, Duration::ZERO), "{name}: {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_entra_that_recovers_is_waited_for() {
    let file = TokenFile::new("recovers");
    for (name, variables) in credentials(&file) {
        for answers in [
            &[Token("good")][..],
            &[Status(503, "busy"), Token("good")],
            &[Later("2"), Token("good")],
            &[Broken("connection reset"), Status(500, "busy"), Token("good")],
        ] {
            let entra = Entra::new(answers);
            let (outcome, _) = outcome(&entra, &variables).await;
            assert_eq!(outcome.unwrap(), "Bearer good", "{name} {answers:?}");
            assert_eq!(entra.asked().len(), answers.len(), "{name} {answers:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_sends_what_proves_it_where_the_environment_says() {
    let file = TokenFile::new("sends");
    for (name, mut variables) in credentials(&file) {
        variables.push(("AZURE_AUTHORITY_HOST", "https://login.contoso.example".into()));
        let entra = Entra::new(&[Token("good")]);
        outcome(&entra, &variables).await.0.unwrap();
        let (url, body) = entra.asked().remove(0);
        let (place, proof) = match name {
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
        assert!(url.starts_with(place) && body.contains(proof), "{name}: {url}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_asked_for_anew() {
    let file = TokenFile::new("anew");
    for (name, variables) in credentials(&file) {
        let entra = Entra::new(&[Token("first"), Token("second")]);
        let auth = authenticator(&entra, &variables);
        let first = auth.authorization().await.unwrap();
        let second = auth.refresh_rejected(&first).await.unwrap();
        assert_eq!(second, Some(HeaderValue::from_static("Bearer second")), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_is_not_asked_for_a_token_of_another_cloud() {
    let file = TokenFile::new("cloud");
    for (name, mut variables) in credentials(&file) {
        variables.push(("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us".into()));
        let entra = Entra::new(&[Token("good")]);
        let (outcome, _) = outcome(&entra, &variables).await;
        match name {
            // A machine's identity is its cloud's.
            "managed identity" => assert!(outcome.is_ok()),
            _ => {
                let error = outcome.unwrap_err().to_string();
                assert!(
                    error.contains("set AZURE_AUTHORITY_HOST to https://login.microsoftonline.com"),
                    "{error}"
                );
                assert!(entra.asked().is_empty(), "{name}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_file_that_is_not_there_is_told_and_looked_for_again() {
    let file = TokenFile::new("missing");
    let variables = credentials(&file).remove(1).1;
    drop(file);
    let entra = Entra::new(&[Token("good")]);
    let (missing, _) = outcome(&entra, &variables).await;
    assert!(missing.unwrap_err().to_string().contains("failed to read federated token from file"));
    let _file = TokenFile::new("missing");
    assert!(outcome(&entra, &variables).await.0.is_ok());
}

#[cfg(feature = "client-certificate")]
#[tokio::test(start_paused = true)]
async fn a_certificate_that_cannot_be_used_is_told_without_its_password() {
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
        let entra = Entra::new(&[Token("good")]);
        let error = outcome(&entra, &variables).await.0.unwrap_err().to_string();
        let why = "the certificate at AZURE_CLIENT_CERTIFICATE_PATH cannot be used: ";
        assert!(error.contains(why) && !error.contains("canary"), "{name}={value}: {error}");
        assert!(entra.asked().is_empty());
    }
}
