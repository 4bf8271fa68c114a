//! Reads the change feed of a DICOM service: `GET /v2/changefeed`.
//!
//! This is the DICOM part of the walkthrough in the Azure documentation. All DICOM services share one resource, which is
//! not their host. The equivalent with Azure CLI:
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

use azure_healthcare_auth::{Authenticator, DicomAudience, DicomVersion, HealthcareClient, Result};
use azure_healthcare_auth_testing::FakeServer;
use serde_json::Value;

use support::{Credential, Options, log};

const USAGE: &str = "\
Prints the first entries of a DICOM service's change feed as a JSON array.

cargo run --example dicom_changefeed                   from a fake server on this machine
cargo run --example dicom_changefeed -- URL            from the DICOM service at URL, whose path /v1 or /v2 selects the
                                                       version of the API
    --resource RESOURCE   request the token for RESOURCE instead of the public resource of DICOM services";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::read(USAGE, &[], &["--resource"]);
    support::exit_on_error(match &options.url {
        Some(url) => read_from_service(&options, url).await,
        None => read_from_fake_server().await,
    });
}

async fn read_from_service(options: &Options, url: &str) -> Result<()> {
    print_changes(options.dicom(url)?, options.credential()?).await
}

async fn read_from_fake_server() -> Result<()> {
    let fake_server = FakeServer::start().await;
    print_changes(fake_server.dicom(DicomVersion::V2), Credential::of_fake_server(&fake_server)).await?;
    log("next", "sign in with `az login` and pass the URL of your service:");
    log(
        "",
        "cargo run --example dicom_changefeed -- https://<workspace>-<service>.dicom.azurehealthcareapis.com/v2",
    );
    Ok(())
}

async fn print_changes(audience: DicomAudience, credential: Credential) -> Result<()> {
    // The audience has the endpoint and the resource. The credential gets tokens for the resource.
    let auth = Authenticator::new(audience, credential.inner.clone());
    support::fetch_token(&auth, &credential).await?;
    // The client adds the token and resolves paths below `/v1/` or `/v2/`.
    let client = HealthcareClient::from(auth);
    let started = Instant::now();
    let response = client.get("changefeed").send().await?;
    support::log_response("GET changefeed", &response, started);
    let changes: Value = response.json()?;

    log("changes", &format!("{} on this page", changes.as_array().map_or(0, Vec::len)));
    support::print(format_args!("{changes:#}"));
    Ok(())
}
