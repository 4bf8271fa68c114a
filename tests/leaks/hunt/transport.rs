//! What lies beneath: HTTP/2, TLS, a certificate that is not trusted, and a client that was told to print all.

use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient};
use reqwest::{Certificate, ClientBuilder};

use super::{
    providers::Provider,
    requests::{NEVER_REPEATED, outcome},
    tls,
    wire::{responding, fhir, service},
    witness::{failed, shown},
};

fn client(
    audience: FhirAudience,
    configure: impl Fn(ClientBuilder) -> ClientBuilder + Send + Sync + 'static,
) -> HealthcareClient<FhirAudience> {
    Provider::Gives.builder(audience).configure_http(configure).build().unwrap()
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
    for server in [service().await, responding(outcome(401, "login")).await] {
        exchange(&client(fhir(&server), |http| http.http2_prior_knowledge())).await;
        exchange(&client(fhir(&server), |http| http.connection_verbose(true))).await;
        for protocol in ["h2", "http/1.1"] {
            let behind = tls::before(&server, protocol).await;
            let audience: FhirAudience = behind.parse().unwrap();
            let trusted = Certificate::from_der(tls::CERTIFICATE).unwrap();
            let trusting = client(audience.clone(), move |http| {
                http.tls_certs_only([trusted.clone()]).connection_verbose(true)
            });
            exchange(&trusting).await;
            let untrusting = Provider::Gives.client(audience);
            let request = untrusting.post("Patient/canaryid").query("name", "canaryname").body("canarybody");
            let request = request.header("prefer", NEVER_REPEATED);
            assert_eq!(failed(&request.send().await.unwrap_err()), ErrorKind::Connection);
        }
    }
}
