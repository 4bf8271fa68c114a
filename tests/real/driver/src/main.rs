//! A long-lived client for the cases of `tests/real`: obeys one command a line on standard input, answers it with one.
//!
//! `real-driver <FHIR URL> <resource> <DICOM URL> <credential>` uses one client for all requests. Its tokens come from
//! Azure CLI (`cli`), from Azure CLI for another tenant than that of the sign-in (`cli:<tenant>`), or from what the
//! environment chooses (`env`).
//!
//! | command | does | answers `ok` and |
//! |---|---|---|
//! | `get [<path> [<seconds>]]` | one request; `parts/fhir.cjs` does it at once and answers that late | `<status>` |
//! | `pages <path>` | that page, and those that the `next` links lead to | `<n> pages: <id> <id> …` |
//! | `create <identifier> <seconds>` | `POST` of a transaction with one Patient, answered that late | `<status>` |
//! | `store <file>` | `POST` of a DICOM file (STOW) | `<status> <where it can be retrieved>` |
//! | `retrieve <path> <file>` | `GET` of a DICOM instance (WADO) into the file | `<n> bytes` |
//! | `traffic <seconds> <milliseconds>` | a request every so many ms, whether or not the last one is answered | `sent <n> failed <n> slow <n> first: <error>`, without the `ok` |
//!
//! What fails is answered by `err`, the error's kind if it is one of the crate, the error and its sources.
//!
//! Slow is a request that took longer than 250 ms: Azure CLI takes longer for a token, the services take a few ms.

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
            eprintln!("{}", in_full(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome<()> {
    let [url, resource, dicom_url, which] = env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "give a FHIR URL, a resource, a DICOM URL and a credential")?;
    let audience = FhirAudience::from_endpoint(&url).resource(&resource).build()?;
    let client = HealthcareClient::new(audience, credential(&which)?);
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
            Err(error) => println!("err {}", in_full(&*error)),
        }
    }
    Ok(())
}

fn credential(which: &str) -> Outcome<Arc<dyn TokenCredential>> {
    Ok(match which.split_once(':') {
        None if which == "cli" => AzureCliCredential::new(None)?,
        None if which == "env" => from_env()?,
        Some(("cli", tenant)) => AzureCliCredential::new(Some(AzureCliCredentialOptions {
            tenant_id: Some(tenant.to_owned()),
            executor: Some(Arc::new(ProcessExecutor::new())),
            ..Default::default()
        }))?,
        _ => return Err(format!("unknown credential: {which}").into()),
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
            Err(error) => failures.push(in_full(&error)),
        }
    }
    let first = failures.first().map_or("none", String::as_str);
    format!("sent {sent} failed {} slow {slow} first: {first}", failures.len())
}

/// An error's kind, if it is one of the crate, the error and what caused it, in one line.
fn in_full(error: &(dyn Error + 'static)) -> String {
    let mut text = match error.downcast_ref::<azure_healthcare_auth::Error>() {
        Some(told) => format!("{:?}: {told}", told.kind()),
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
