//! Serves the fakes for clients in any language, until standard input closes.
//!
//! ```sh
//! cargo run -p azure_healthcare_auth_testing --example serve -- --patients 3 --changes 0
//! ```
//!
//! Prints one line of JSON with the URLs of the services and a token for each:
//!
//! ```json
//! {
//!   "fhir": { "url": "http://127.0.0.1:40001", "token": "eyJ…" },
//!   "dicom": { "v1": "http://127.0.0.1:40002/v1", "v2": "http://127.0.0.1:40002/v2", "token": "eyJ…" },
//!   "storage": { "token": "eyJ…" }
//! }
//! ```
//!
//! The manifest of an export contains the URLs of the storage. The tokens are valid for a day.

use std::{io, time::Duration};

use azure_core::credentials::TokenCredential;
use azure_healthcare_auth::DicomVersion;
use azure_healthcare_auth_testing::{FakeCredential, FakeServer};
use serde_json::json;
use url::Url;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = FakeServer::builder();
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let count = arguments.next().ok_or_else(|| format!("{option} needs a number"))?.parse()?;
        builder = match option.as_str() {
            "--patients" => builder.patients(count),
            "--changes" => builder.changes(count),
            _ => return Err(format!("unknown option {option} (known: --patients, --changes)").into()),
        };
    }
    let fake_server = builder.start().await;

    let credential = FakeCredential::new().with_lifetime(DAY);
    let [v1, v2] = [DicomVersion::V1, DicomVersion::V2].map(|version| fake_server.dicom(version));
    let fhir = fake_server.fhir();
    let services = json!({
        "fhir": { "url": url(fhir.endpoint()), "token": token(&credential, fhir.resource()).await? },
        "dicom": {
            "v1": url(v1.endpoint()),
            "v2": url(v2.endpoint()),
            "token": token(&credential, v2.resource()).await?,
        },
        "storage": { "token": token(&credential, "https://storage.azure.com").await? },
    });
    println!("{services}");

    // The services run on a thread of their own.
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

fn url(endpoint: &Url) -> &str {
    endpoint.as_str().trim_end_matches('/')
}

async fn token(credential: &FakeCredential, resource: &str) -> azure_core::Result<String> {
    let token = credential.get_token(&[&format!("{resource}/.default")], None).await?;
    Ok(token.token.secret().to_owned())
}
