//! What lies beneath: HTTP/2, TLS, a certificate that is not trusted, and a client that was told to print all.

use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient, default_http};
use reqwest::{Certificate, ClientBuilder};

use super::{
    providers::Provider,
    requests::{NEVER_REPEATED, outcome},
    tls,
    wire::{answering, fhir, service},
    witness::{failed, shown},
};

fn client(audience: FhirAudience, http: ClientBuilder) -> HealthcareClient<FhirAudience> {
    Provider::Gives.client(audience).with_http(http)
}

async fn exchange(client: &HealthcareClient<FhirAudience>) {
    for _ in 0..2 {
        let request = client
            .post("Patient/canaryid")
            .query("name", "canaryname")
            .header("x-note", "canaryheader")
            .body("canarybody");
        match request.send().await {
            Ok(response) => shown(&response),
            Err(error) => drop(failed(&error)),
        }
    }
}

pub(crate) async fn drive() {
    // What is printed on demand is mended: the client takes the demand back.
    for server in [service().await, answering(outcome(401, "login")).await] {
        exchange(&client(fhir(&server), default_http().http2_prior_knowledge())).await;
        exchange(&client(fhir(&server), default_http().connection_verbose(true))).await;
        for protocol in ["h2", "http/1.1"] {
            let behind = tls::before(&server, protocol).await;
            let audience: FhirAudience = behind.parse().unwrap();
            let trusted = Certificate::from_der(tls::CERTIFICATE).unwrap();
            let http = default_http().tls_certs_only([trusted]).connection_verbose(true);
            exchange(&client(audience.clone(), http)).await;
            let untrusting = client(audience, default_http());
            let request = untrusting.post("Patient/canaryid").query("name", "canaryname").body("canarybody");
            let request = request.header("prefer", NEVER_REPEATED);
            assert_eq!(failed(&request.send().await.unwrap_err()), ErrorKind::Connection);
        }
    }
}
