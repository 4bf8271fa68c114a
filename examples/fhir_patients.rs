//! Reads Patients from a FHIR service: `GET /Patient`.
//!
//! This is the walk-through of the Azure documentation, from the token to the answer. With Azure CLI it is
//!
//! ```text
//! token=$(az account get-access-token --resource=https://<name>.azurehealthcareapis.com --query accessToken --output tsv)
//! curl -X GET --header "Authorization: Bearer $token" https://<name>.azurehealthcareapis.com/Patient
//! ```
//!
//! and with Azure PowerShell
//!
//! ```text
//! $token = (Get-AzAccessToken -ResourceUrl 'https://<name>.azurehealthcareapis.com').Token
//! $headers = @{Authorization="Bearer $token"}
//! Invoke-WebRequest -Method GET -Headers $headers -Uri 'https://<name>.azurehealthcareapis.com/Patient'
//! ```

mod support;

use std::time::Instant;

use azure_healthcare_auth::{
    Audience, Authenticator, FhirAudience, HealthcareClient, Result, testing::FakeServer,
};
use serde_json::Value;
use support::{Credential, Options, say};

const USAGE: &str = "\
Prints the first Patients of a FHIR service as a FHIR Bundle.

cargo run --example fhir_patients                      from a stand-in on this machine
cargo run --example fhir_patients -- URL               from a FHIR service, as who is signed in here
    --resource RESOURCE   what tokens are asked for, where it is not the origin of the service";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::read(USAGE, &[], &["--resource"]);
    support::end(match &options.url {
        Some(url) => live(&options, url).await,
        None => fake_server().await,
    });
}

async fn live(options: &Options, url: &str) -> Result<()> {
    print_patients(options.fhir(url)?, options.credential()?).await
}

async fn fake_server() -> Result<()> {
    let fake_server = FakeServer::start().await;
    print_patients(fake_server.fhir(), Credential::of(&fake_server)).await?;
    say("to go live", "az login, then give the URL of your service:");
    say(
        "",
        "cargo run --example fhir_patients -- https://<workspace>-<service>.fhir.azurehealthcareapis.com",
    );
    Ok(())
}

async fn print_patients(audience: FhirAudience, credential: Credential) -> Result<()> {
    // The audience says what the token is asked for, the credential gets it …
    let auth = Authenticator::new(audience, credential.tokens.clone());
    support::announce(&auth, &credential).await?;
    // … and the client sends the request with it.
    let client = HealthcareClient::from(auth);
    let started = Instant::now();
    let response = client.get("Patient").send().await?;
    support::print_response("GET Patient", &response, started);
    let bundle: Value = response.json()?;

    let entries = bundle["entry"].as_array().map_or(0, Vec::len);
    say("patients", &format!("{entries} on this page"));
    if let Some(next) = next_page(&bundle) {
        // It is absolute: inside the audience `client.get(next)` takes it as it is, and refuses it elsewhere.
        client.audience().url(next)?;
        say("next page", "there is one, on the same service");
    }
    support::print(format_args!("{bundle:#}"));
    Ok(())
}

fn next_page(bundle: &Value) -> Option<&str> {
    let links = bundle["link"].as_array()?;
    links.iter().find(|link| link["relation"] == "next")?["url"].as_str()
}
