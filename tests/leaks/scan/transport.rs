//! Requests over HTTP/2 and TLS, with an untrusted certificate, and with verbose logging of connections.

use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient, default_http};
use reqwest::{Certificate, ClientBuilder};

use super::{
    capture::{capture_debug, capture_error},
    requests::{NO_RETRY, outcome},
    test_credential::TestCredential,
    tls,
    wire::{answering, fhir, service},
};

fn client(audience: FhirAudience, http: ClientBuilder) -> HealthcareClient<FhirAudience> {
    TestCredential::Valid.client(audience).with_http(http)
}

async fn exchange(client: &HealthcareClient<FhirAudience>) {
    for _ in 0..2 {
        let request = client
            .post("Patient/canaryid")
            .query("name", "canaryname")
            .header("x-note", "canaryheader")
            .body("canarybody");
        match request.send().await {
            Ok(response) => capture_debug(&response),
            Err(error) => drop(capture_error(&error)),
        }
    }
}

pub(crate) async fn run() {
    // The client turns `connection_verbose` off again.
    for server in [service().await, answering(outcome(401, "login")).await] {
        exchange(&client(fhir(&server), default_http().http2_prior_knowledge())).await;
        exchange(&client(fhir(&server), default_http().connection_verbose(true))).await;
        for protocol in ["h2", "http/1.1"] {
            let url = tls::start_proxy(&server, protocol).await;
            let audience: FhirAudience = url.parse().unwrap();
            let trusted = Certificate::from_der(tls::CERTIFICATE).unwrap();
            let http = default_http().tls_certs_only([trusted]).connection_verbose(true);
            exchange(&client(audience.clone(), http)).await;
            let untrusting = client(audience, default_http());
            let request = untrusting.post("Patient/canaryid").query("name", "canaryname").body("canarybody");
            let request = request.header("prefer", NO_RETRY);
            assert_eq!(capture_error(&request.send().await.unwrap_err()), ErrorKind::Connection);
        }
    }
}
