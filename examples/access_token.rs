//! Prints an access token for a FHIR or DICOM service: the `$token` of the Azure documentation.
//!
//! With Azure CLI it is `az account get-access-token --resource=<resource> --query accessToken --output tsv`, with
//! Azure PowerShell `(Get-AzAccessToken -ResourceUrl '<resource>').Token`. Here the resource follows from the URL of
//! the service.
//!
//! ```text
//! token=$(cargo run -q --example access_token -- https://<workspace>-<service>.fhir.azurehealthcareapis.com)
//! curl -H "$(cargo run -q --example access_token -- --header <URL>)" <URL>/Patient
//! ```
//!
//! A token is a key: what it opens is open to whoever reads it on a screen, in a shell's history or in a log.

mod support;

use azure_healthcare_auth::{Audience, Authenticator, Result, testing::FakeServer};
use support::{Credential, Options, say};

const USAGE: &str = "\
Prints an access token for a FHIR or DICOM service.

cargo run --example access_token                       one that the stand-in takes, to see its form
cargo run --example access_token -- URL                for a service, as who is signed in here
    --resource RESOURCE   what the token is asked for, where it is not what the URL says
    --header              print it as `Authorization: Bearer …`, for curl -H";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::read(USAGE, &["--header"], &["--resource"]);
    support::end(run(&options).await);
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
            print_token(fake_server.fhir(), Credential::of(&fake_server), header).await?;
            say("to go live", "az login, then give the URL of your service:");
            say(
                "",
                "cargo run --example access_token -- https://<workspace>-<service>.fhir.azurehealthcareapis.com",
            );
            Ok(())
        }
    }
}

async fn print_token<A: Audience>(audience: A, credential: Credential, header: bool) -> Result<()> {
    let auth = Authenticator::new(audience, credential.tokens.clone());
    support::announce(&auth, &credential).await?;
    let value = auth.authorization().await?;
    let value = value.to_str().unwrap_or_default();
    match header {
        true => support::print(format_args!("Authorization: {value}")),
        false => support::print(value.trim_start_matches("Bearer ")),
    }
    Ok(())
}
