//! Reads the change feed of a DICOM service: `GET /v2/changefeed`.
//!
//! This is the second half of the walk-through of the Azure documentation. Tokens for every DICOM service are asked
//! for one and the same audience, which is not their host. With Azure CLI:
//!
//! ```text
//! token=$(az account get-access-token --resource=https://dicom.healthcareapis.azure.com --query accessToken --output tsv)
//! curl -X GET --header "Authorization: Bearer $token" https://<workspace>-<service>.dicom.azurehealthcareapis.com/v2/changefeed
//! ```
//!
//! With Azure PowerShell:
//!
//! ```text
//! $token = (Get-AzAccessToken -ResourceUrl 'https://dicom.healthcareapis.azure.com').Token
//! $headers = @{Authorization="Bearer $token"}
//! Invoke-WebRequest -Method GET -Headers $headers -Uri 'https://<workspace>-<service>.dicom.azurehealthcareapis.com/v2/changefeed'
//! ```

mod support;

use std::time::Instant;

use azure_healthcare_auth::{
    Authenticator, DicomAudience, DicomVersion, HealthcareClient, Result, testing::FakeServer,
};
use serde_json::Value;
use support::{Credential, Options, say};

const USAGE: &str = "\
Prints the first entries of a DICOM service's change feed as a JSON array.

cargo run --example dicom_changefeed                   from a stand-in on this machine
cargo run --example dicom_changefeed -- URL            from a DICOM service, as who is signed in here;
                                                       a URL that ends in /v1 or /v2 says the version
    --resource RESOURCE   what tokens are asked for, where it is not the public audience of DICOM services";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::read(USAGE, &[], &["--resource"]);
    support::end(match &options.url {
        Some(url) => live(&options, url).await,
        None => fake_server().await,
    });
}

async fn live(options: &Options, url: &str) -> Result<()> {
    print_changes(options.dicom(url)?, options.credential()?).await
}

async fn fake_server() -> Result<()> {
    let fake_server = FakeServer::start().await;
    print_changes(fake_server.dicom(DicomVersion::V2), Credential::of(&fake_server)).await?;
    say("to go live", "az login, then give the URL of your service:");
    say(
        "",
        "cargo run --example dicom_changefeed -- https://<workspace>-<service>.dicom.azurehealthcareapis.com/v2",
    );
    Ok(())
}

async fn print_changes(audience: DicomAudience, credential: Credential) -> Result<()> {
    // The audience says what the token is asked for, the credential gets it …
    let auth = Authenticator::new(audience, credential.tokens.clone());
    support::announce(&auth, &credential).await?;
    // … and the client sends the request with it, below `/v1/` or `/v2/`.
    let client = HealthcareClient::from(auth);
    let started = Instant::now();
    let response = client.get("changefeed").send().await?;
    support::print_response("GET changefeed", &response, started);
    let changes: Value = response.json()?;

    say("changes", &format!("{} on this page", changes.as_array().map_or(0, Vec::len)));
    support::print(format_args!("{changes:#}"));
    Ok(())
}
