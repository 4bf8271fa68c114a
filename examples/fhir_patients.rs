//! Reads Patients from a FHIR service: `GET /Patient`.
//!
//! This is the FHIR part of the walkthrough in the Azure documentation. The equivalent with Azure CLI:
//!
//! ```text
//! token=$(az account get-access-token --resource=https://<name>.azurehealthcareapis.com --query accessToken --output tsv)
//! curl -X GET --header "Authorization: Bearer $token" https://<name>.azurehealthcareapis.com/Patient
//! ```
//!
//! With Azure PowerShell:
//!
//! ```text
//! $token = (Get-AzAccessToken -ResourceUrl 'https://<name>.azurehealthcareapis.com').Token
//! $headers = @{Authorization="Bearer $token"}
//! Invoke-WebRequest -Method GET -Headers $headers -Uri 'https://<name>.azurehealthcareapis.com/Patient'
//! ```

mod support;

use std::time::Instant;

use azure_healthcare_auth::{Authenticator, FhirAudience, HealthcareClient, Result};
use azure_healthcare_auth_testing::FakeServer;
use serde_json::Value;

use support::{Credential, Options, log};

const USAGE: &str = "\
Prints the first Patients of a FHIR service as a FHIR Bundle.

cargo run --example fhir_patients                      from a fake server on this machine
cargo run --example fhir_patients -- URL               from the FHIR service at URL
    --resource RESOURCE   request the token for RESOURCE instead of the service's origin";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::read(USAGE, &[], &["--resource"]);
    support::exit_on_error(match &options.url {
        Some(url) => read_from_service(&options, url).await,
        None => read_from_fake_server().await,
    });
}

async fn read_from_service(options: &Options, url: &str) -> Result<()> {
    print_patients(options.fhir(url)?, options.credential()?).await
}

async fn read_from_fake_server() -> Result<()> {
    let fake_server = FakeServer::start().await;
    print_patients(fake_server.fhir(), Credential::of_fake_server(&fake_server)).await?;
    log("next", "sign in with `az login` and pass the URL of your service:");
    log(
        "",
        "cargo run --example fhir_patients -- https://<workspace>-<service>.fhir.azurehealthcareapis.com",
    );
    Ok(())
}

async fn print_patients(audience: FhirAudience, credential: Credential) -> Result<()> {
    // The audience has the endpoint and the resource. The credential gets tokens for the resource.
    let auth = Authenticator::new(audience, credential.inner.clone());
    support::fetch_token(&auth, &credential).await?;
    // The client adds the token to each request.
    let client = HealthcareClient::from(auth);
    let started = Instant::now();
    let response = client.get("Patient").send().await?;
    support::log_response("GET Patient", &response, started);
    let bundle: Value = response.json()?;

    let entries = bundle["entry"].as_array().map_or(0, Vec::len);
    log("patients", &format!("{entries} on this page"));
    if let Some(next) = next_page(&bundle) {
        // The link is absolute. `client.get(next)` accepts it if it is inside the audience, and rejects it otherwise.
        client.audience().url(next)?;
        log("next page", "available at the same service");
    }
    support::print(format_args!("{bundle:#}"));
    Ok(())
}

fn next_page(bundle: &Value) -> Option<&str> {
    let links = bundle["link"].as_array()?;
    links.iter().find(|link| link["relation"] == "next")?["url"].as_str()
}
