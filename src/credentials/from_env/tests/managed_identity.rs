//! Managed identity as one of several credentials: the probe, and the errors that stop the chain.

use std::{sync::Arc, time::Duration};

use azure_core::{credentials::TokenCredential, http::Transport};
use tokio::time::Instant;

use super::{
    super::{
        authority::Authority,
        builder::build_chain,
        env::EnvVars,
        http_policy::TOKEN_TIMEOUT,
        selection::{AppRegistration, CredentialConfig},
    },
    fake_entra::{
        EntraResponse::{self, ConnectionError, Hang, Html, Proxied, Status, Token},
        FakeEntra,
    },
    rerun::rerun_without_managed_identity,
};
use crate::credentials::ChainedTokenCredential;

/// The response of the Instance Metadata Service to the probe.
const FOUND: EntraResponse = Status(400, "Required metadata header not specified");
const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";

/// Returns a chain of the Instance Metadata Service and a client secret, which share one fake.
fn imds_chain(responses: &[EntraResponse]) -> (Arc<FakeEntra>, Arc<ChainedTokenCredential>) {
    chain(responses, true)
}

/// Same as [`imds_chain`], for the managed identity of App Service.
fn app_service_chain(responses: &[EntraResponse]) -> (Arc<FakeEntra>, Arc<ChainedTokenCredential>) {
    chain(responses, false)
}

fn chain(responses: &[EntraResponse], uses_imds: bool) -> (Arc<FakeEntra>, Arc<ChainedTokenCredential>) {
    let entra = FakeEntra::new(responses);
    let authority = Authority::from_env(&EnvVars::new(&|_| None)).unwrap();
    let app = AppRegistration { tenant_id: "tenant".into(), client_id: "client".into(), authority };
    let configs = vec![
        CredentialConfig::ManagedIdentity { client_id: Some("client".into()), uses_imds },
        CredentialConfig::ClientSecret { app, secret: "secret".into() },
    ];
    let chain = build_chain(configs, Some(&Transport::new(entra.clone()))).unwrap();
    (entra, chain)
}

#[tokio::test(start_paused = true)]
async fn chain_continues_within_one_second_if_probe_finds_no_identity() {
    if rerun_without_managed_identity(chain_continues_within_one_second_if_probe_finds_no_identity) {
        return;
    }
    for responses in [
        &[ConnectionError("No route to host"), Token("app-token")][..],
        &[ConnectionError("Connection refused"), Token("app-token")],
        // The metadata service of another cloud, and proxies.
        &[Status(404, ""), Token("app-token")],
        &[Status(502, ""), Token("app-token")],
        &[Status(504, ""), Token("app-token")],
        &[Html(503), Token("app-token")],
        &[Html(400), Token("app-token")],
        &[Proxied(503), Token("app-token")],
        // Docker Desktop.
        &[Status(403, "unreachable"), Token("app-token")],
        &[FOUND, Status(400, "Identity not found"), Token("app-token")],
    ] {
        let started = Instant::now();
        let (entra, chain) = imds_chain(responses);
        let token = chain.get_token(&[SCOPE], None).await.unwrap();
        assert_eq!(
            (token.token.secret(), chain.selected()),
            ("app-token", Some("client secret")),
            "{responses:?}"
        );
        assert_eq!(entra.requests().len(), responses.len(), "{responses:?}");
        assert_eq!(started.elapsed(), Duration::ZERO, "{responses:?}");
    }
    // Packets to the endpoint are dropped.
    let (_, chain) = imds_chain(&[Hang]);
    let started = Instant::now();
    let error = chain.get_token(&[SCOPE], None).await.unwrap_err().to_string();
    assert!(error.contains("managed identity: no managed identity is available"), "{error}");
    let probe_timeout = Duration::from_secs(1);
    assert_eq!(started.elapsed(), probe_timeout + TOKEN_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn available_identity_is_probed_once_and_selected() {
    if rerun_without_managed_identity(available_identity_is_probed_once_and_selected) {
        return;
    }
    let (entra, chain) = imds_chain(&[FOUND, Token("machine-token")]);
    for scope in [SCOPE, "https://dicom.healthcareapis.azure.com/.default"] {
        assert_eq!(chain.get_token(&[scope], None).await.unwrap().token.secret(), "machine-token");
    }
    assert_eq!((chain.selected(), entra.requests().len()), (Some("managed identity"), 3));
    assert!(entra.requests()[1].0.contains("client_id=client"));
}

#[tokio::test(start_paused = true)]
async fn chain_stops_if_available_identity_fails() {
    if rerun_without_managed_identity(chain_stops_if_available_identity_fails) {
        return;
    }
    for (response, expected, transient) in [
        (Status(500, "busy"), "managed identity: ", true),
        (Status(503, "busy"), "within 15 s (last attempt: HTTP status 503)", true),
        (Status(502, "busy"), "HTTP status 502", true),
        (Status(404, "updating"), "managed identity: ", true),
        (Status(410, "updating"), "within 15 s (last attempt: HTTP status 410)", true),
        (ConnectionError("connection reset"), "connection reset", true),
        (Hang, "within 15 s (last attempt: no response)", true),
        (Status(403, "not allowed"), "not allowed", false),
        (
            Status(400, "AADSTS500011: no such resource"),
            "managed identity: AADSTS500011: no such resource",
            false,
        ),
        (
            Status(400, "Multiple user assigned identities exist, please specify the clientId"),
            "managed identity: Multiple user assigned identities exist, please specify the clientId",
            false,
        ),
    ] {
        let (_, chain) = imds_chain(&[FOUND, response]);
        let error = chain.get_token(&[SCOPE], None).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected) && !message.contains("client secret"), "{response:?}: {message}");
        assert_eq!(crate::Error::from(error).is_transient(), transient, "{response:?}: {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn busy_response_to_probe_means_available() {
    if rerun_without_managed_identity(busy_response_to_probe_means_available) {
        return;
    }
    for status in [408, 410, 429, 500, 503] {
        let (_, chain) = imds_chain(&[Status(status, "busy"), Token("machine-token")]);
        chain.get_token(&[SCOPE], None).await.unwrap();
        assert_eq!(chain.selected(), Some("managed identity"), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn identity_with_configured_endpoint_is_not_probed() {
    if rerun_without_managed_identity(identity_with_configured_endpoint_is_not_probed) {
        return;
    }
    for (response, expected) in [
        (ConnectionError("Connection refused"), "Connection refused"),
        (Hang, "no response"),
        (Status(502, ""), "502"),
    ] {
        let (_, chain) = app_service_chain(&[response]);
        let error = chain.get_token(&[SCOPE], None).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected), "{response:?}: {message}");
        assert!(!message.contains("client secret"), "{response:?}: {message}");
        assert!(crate::Error::from(error).is_transient(), "{response:?}: {message}");
    }
    let (entra, chain) = app_service_chain(&[Token("machine-token")]);
    assert_eq!(chain.get_token(&[SCOPE], None).await.unwrap().token.secret(), "machine-token");
    assert_eq!(entra.requests().len(), 1);
}
