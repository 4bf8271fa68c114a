//! The fake token endpoint: each way in which an application authenticates, errors, and the output of its own types.

use std::{fmt, sync::Arc};

use azure_core::{
    cloud::CustomConfiguration,
    credentials::TokenCredential,
    http::{ClientMethodOptions, ClientOptions, RetryOptions, Transport},
};
use azure_healthcare_auth::{ErrorKind, HealthcareClient};
use azure_healthcare_auth_testing::{FakeServer, FakeTokenEndpoint};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions,
};
use http::StatusCode;

use super::{
    capture::{capture_debug, capture_error},
    marker::{ASSERTION, SECRET},
};

pub(crate) async fn run() {
    let builder = FakeTokenEndpoint::builder().client_secret(SECRET);
    let builder = builder.federated_credential("https://issuer.example", "canaryuser");
    capture_debug(&builder);
    let endpoint = builder.start().await;
    let server = FakeServer::start().await;
    for credential in credentials(&endpoint) {
        let fhir = HealthcareClient::new(server.fhir(), credential);
        match fhir.get("Patient/canaryid").query("name", "canaryname").send().await {
            Ok(response) => capture_debug(&response),
            Err(error) => drop(capture_error(&error)),
        }
    }
    endpoint.inject_error(1, 500_011);
    endpoint.inject_status(1, StatusCode::SERVICE_UNAVAILABLE, None);
    for _ in 0..2 {
        let fhir = HealthcareClient::new(server.fhir(), credentials(&endpoint).remove(0));
        let error = fhir.get("Patient/canaryid").send().await.unwrap_err();
        assert_eq!(capture_error(&error), ErrorKind::Credential);
    }
    let requests = endpoint.requests();
    assert!(requests.iter().any(|request| request.parameter("client_secret") == Some(SECRET)));
    assert!(requests.iter().any(|request| request.parameter("client_assertion") == Some(&ASSERTION)));
    capture_debug(&requests[..]);
    requests.iter().for_each(capture_debug);
    capture_debug(&endpoint);
}

/// Returns credentials with the secret, a wrong secret, a valid assertion, one of a workload, and a wrong one.
fn credentials(endpoint: &FakeTokenEndpoint) -> Vec<Arc<dyn TokenCredential>> {
    let certificate = reqwest::Certificate::from_pem(endpoint.certificate_pem().as_bytes()).unwrap();
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build().unwrap();
    let client_options = || {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = endpoint.authority_host().into();
        ClientOptions {
            cloud: Some(Arc::new(cloud.into())),
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(http.clone()))),
            ..ClientOptions::default()
        }
    };
    let (tenant, client) = (endpoint.tenant_id(), endpoint.client_id());
    let mut credentials: Vec<Arc<dyn TokenCredential>> = Vec::new();
    for secret in [SECRET.to_owned(), format!("{SECRET}-wrong")] {
        let options = ClientSecretCredentialOptions { client_options: client_options() };
        let credential = ClientSecretCredential::new(tenant, client.to_owned(), secret.into(), Some(options));
        credentials.push(credential.unwrap());
    }
    let of_workload = endpoint.federated_token("https://issuer.example", "canaryuser");
    for assertion in [endpoint.client_assertion(), of_workload, ASSERTION.clone()] {
        let options = ClientAssertionCredentialOptions { client_options: client_options() };
        let (tenant, client) = (tenant.to_owned(), client.to_owned());
        let credential = ClientAssertionCredential::new(tenant, client, Assertion(assertion), Some(options));
        credentials.push(credential.unwrap());
    }
    credentials
}

/// Its `Debug` output is empty, because only that of the crate is under test.
struct Assertion(String);

impl fmt::Debug for Assertion {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

#[async_trait::async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.clone())
    }
}
