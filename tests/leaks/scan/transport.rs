//! Requests over HTTP/2 and TLS, with an untrusted certificate, and with verbose logging of connections.

use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient};
use reqwest::{Certificate, ClientBuilder};

use super::{
    capture::{capture_debug, capture_error},
    requests::{NO_RETRY, outcome},
    test_credential::TestCredential,
    tls,
    wire::{fhir, responding, service},
};

fn client(
    audience: FhirAudience,
    configure: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static,
) -> HealthcareClient<FhirAudience> {
    TestCredential::Valid.builder(audience).configure_http(configure).build().unwrap()
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
    for server in [service().await, responding(outcome(401, "login")).await] {
        exchange(&client(fhir(&server), |http| http.http2_prior_knowledge())).await;
        exchange(&client(fhir(&server), |http| http.connection_verbose(true))).await;
        for protocol in ["h2", "http/1.1"] {
            let url = tls::start_proxy(&server, protocol).await;
            let audience: FhirAudience = url.parse().unwrap();
            let trusted = Certificate::from_der(tls::CERTIFICATE).unwrap();
            let trusting = client(audience.clone(), move |http| {
                http.tls_certs_only([trusted.clone()]).connection_verbose(true)
            });
            exchange(&trusting).await;
            let untrusting = TestCredential::Valid.client(audience);
            let request = untrusting.post("Patient/canaryid").query("name", "canaryname").body("canarybody");
            let request = request.header("prefer", NO_RETRY);
            assert_eq!(capture_error(&request.send().await.unwrap_err()), ErrorKind::Connection);
        }
    }
}
