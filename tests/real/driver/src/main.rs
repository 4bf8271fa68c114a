//! A program with one long-lived client for the cases of `tests/real`. For each command, one per line on standard input, it
//! writes one line to standard output.
//!
//! `real-driver <FHIR URL> <resource> <DICOM URL> <credential>`: the credential is Azure CLI (`cli`), Azure CLI with another
//! tenant than that of the sign-in (`cli:<tenant>`), or what the environment selects (`env`).
//!
//! | command | action | output after `ok` |
//! |---|---|---|
//! | `get [<path> [<seconds>]]` | sends a request; `parts/fhir.cjs` executes it at once and delays the response | `<status>` |
//! | `pages <path>` | reads the page and follows its `next` links | `<n> pages: <id> <id> …` |
//! | `create <identifier> <seconds>` | posts a transaction with one Patient; the response is delayed | `<status>` |
//! | `store <file>` | posts a DICOM file (STOW-RS) | `<status> <retrieve URL>` |
//! | `retrieve <path> <file>` | writes a DICOM instance (WADO-RS) to the file | `<n> bytes` |
//! | `traffic <seconds> <milliseconds>` | sends a request at each interval, even if earlier ones are pending | `sent <n> failed <n> slow <n> first: <error>`, without `ok` |
//!
//! A failed command writes `err`, the kind of an error of the crate, and the error with its sources.
//!
//! A request is slow if it takes longer than 250 ms. Azure CLI takes longer to return a token; the services take a few ms.

mod dicom;
mod fhir;

use std::{
    env,
    error::Error,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use azure_core::credentials::TokenCredential;
use azure_healthcare_auth::{
    DicomAudience, FhirAudience, HealthcareClient,
    credentials::{ProcessExecutor, from_env},
};
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

const SLOW: Duration = Duration::from_millis(250);
const PATIENTS: &str = "Patient?_count=1";

type Outcome<T = String> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", describe(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome<()> {
    let [fhir_url, resource, dicom_url, credential_name] = env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: real-driver <FHIR URL> <resource> <DICOM URL> <credential>")?;
    let audience = FhirAudience::from_endpoint(&fhir_url).resource(&resource).build()?;
    let client = HealthcareClient::new(audience, credential(&credential_name)?);
    let dicom = client.for_audience(dicom_url.parse::<DicomAudience>()?)?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let outcome = match line.split(' ').collect::<Vec<_>>()[..] {
            ["get"] => fhir::get(&client, PATIENTS, None).await.map_err(Into::into),
            ["get", path] => fhir::get(&client, path, None).await.map_err(Into::into),
            ["get", path, seconds] => fhir::get(&client, path, Some(seconds)).await.map_err(Into::into),
            ["pages", path] => fhir::pages(&client, path).await,
            ["create", identifier, seconds] => fhir::create(&client, identifier, seconds).await,
            ["store", file] => dicom::store(&dicom, file).await,
            ["retrieve", path, file] => dicom::retrieve(&dicom, path, file).await,
            ["traffic", seconds, milliseconds] => {
                println!("{}", traffic(&client, seconds.parse()?, milliseconds.parse()?).await);
                continue;
            }
            _ => return Err(format!("unknown command: {line}").into()),
        };
        match outcome {
            Ok(text) => println!("ok {text}"),
            Err(error) => println!("err {}", describe(&*error)),
        }
    }
    Ok(())
}

fn credential(name: &str) -> Outcome<Arc<dyn TokenCredential>> {
    Ok(match name.split_once(':') {
        None if name == "cli" => AzureCliCredential::new(None)?,
        None if name == "env" => from_env()?,
        Some(("cli", tenant)) => AzureCliCredential::new(Some(AzureCliCredentialOptions {
            tenant_id: Some(tenant.to_owned()),
            executor: Some(Arc::new(ProcessExecutor::new())),
            ..Default::default()
        }))?,
        _ => return Err(format!("unknown credential: {name}").into()),
    })
}

async fn traffic(client: &fhir::Client, seconds: u64, milliseconds: u64) -> String {
    let mut ticks = interval(Duration::from_millis(milliseconds));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let sent = seconds * 1000 / milliseconds;
    let mut requests = JoinSet::new();
    for _ in 0..sent {
        ticks.tick().await;
        let client = client.clone();
        requests.spawn(async move {
            let started = Instant::now();
            let outcome = fhir::get(&client, PATIENTS, None).await;
            (outcome, started.elapsed())
        });
    }
    let (mut failures, mut slow) = (Vec::new(), 0);
    for (outcome, took) in requests.join_all().await {
        slow += usize::from(took > SLOW);
        match outcome {
            Ok(status) if status == "200" => {}
            Ok(status) => failures.push(format!("status {status}")),
            Err(error) => failures.push(describe(&error)),
        }
    }
    let first = failures.first().map_or("none", String::as_str);
    format!("sent {sent} failed {} slow {slow} first: {first}", failures.len())
}

/// Returns the error with its sources in one line, with the kind of an error of the crate.
fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = match error.downcast_ref::<azure_healthcare_auth::Error>() {
        Some(error) => format!("{:?}: {error}", error.kind()),
        None => error.to_string(),
    };
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.replace('\n', " ")
}
