//! Prints an access token for a FHIR or DICOM service, the `$token` of the Azure documentation.
//!
//! The equivalent with Azure CLI is `az account get-access-token --resource=<resource> --query accessToken --output tsv`,
//! and with Azure PowerShell `(Get-AzAccessToken -ResourceUrl '<resource>').Token`. This example derives the resource from
//! the service's URL.
//!
//! ```text
//! token=$(cargo run -q --example access_token -- https://<workspace>-<service>.fhir.azurehealthcareapis.com)
//! curl -H "$(cargo run -q --example access_token -- --header <URL>)" <URL>/Patient
//! ```
//!
//! Anyone who reads a token on a screen, in a shell's history or in a log can use it until it expires.

mod support;

use azure_healthcare_auth::{Audience, Authenticator, Result};
use azure_healthcare_auth_testing::FakeServer;

use support::{Credential, Options, log};

const USAGE: &str = "\
Prints an access token for a FHIR or DICOM service.

cargo run --example access_token                       a token of the fake server
cargo run --example access_token -- URL                a token for the service at URL
    --resource RESOURCE   request the token for RESOURCE instead of the resource that the URL implies
    --header              print the token as `Authorization: Bearer …`, for curl -H";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::read(USAGE, &["--header"], &["--resource"]);
    support::exit_on_error(run(&options).await);
}

async fn run(options: &Options) -> Result<()> {
    let header = options.has("--header");
    match &options.url {
        Some(url) if support::is_dicom(url) => {
            print_token(options.dicom(url)?, options.credential()?, header).await
        }
        Some(url) => print_token(options.fhir(url)?, options.credential()?, header).await,
        None => {
            let fake_server = FakeServer::start().await;
            print_token(fake_server.fhir(), Credential::of_fake_server(&fake_server), header).await?;
            log("next", "sign in with `az login` and pass the URL of your service:");
            log(
                "",
                "cargo run --example access_token -- https://<workspace>-<service>.fhir.azurehealthcareapis.com",
            );
            Ok(())
        }
    }
}

async fn print_token<A: Audience>(audience: A, credential: Credential, header: bool) -> Result<()> {
    let auth = Authenticator::new(audience, credential.inner.clone());
    support::fetch_token(&auth, &credential).await?;
    let value = auth.authorization().await?;
    let value = value.to_str().unwrap_or_default();
    match header {
        true => support::print(format_args!("Authorization: {value}")),
        false => support::print(value.trim_start_matches("Bearer ")),
    }
    Ok(())
}
