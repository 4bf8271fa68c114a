//! A long-lived client for the cases of `tests/real`: obeys one command a line on standard input, answers it with one.
//!
//! `real-driver <FHIR URL> <resource>` uses Azure CLI's credential and one client for all requests.
//!
//! | command | does | answers |
//! |---|---|---|
//! | `get` | one request | `ok <status>` or `err <error and its sources>` |
//! | `traffic <seconds> <milliseconds>` | a request every so many ms, whether or not the last one is answered | `sent <n> failed <n> slow <n> first: <error>` |
//!
//! Slow is a request that took longer than 250 ms: Azure CLI takes longer for a token, the services take a few ms.

use std::{
    env,
    error::Error,
    process::ExitCode,
    time::{Duration, Instant},
};

use azure_healthcare_auth::{FhirAudience, HealthcareClient};
use azure_identity::AzureCliCredential;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

const SLOW: Duration = Duration::from_millis(250);

type Client = HealthcareClient<FhirAudience>;

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

async fn run() -> Result<(), Box<dyn Error>> {
    let [url, resource] =
        env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "give a URL and a resource")?;
    let audience = FhirAudience::endpoint(&url).resource(&resource).build()?;
    let client = HealthcareClient::new(audience, AzureCliCredential::new(None)?);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let answer = match line.split(' ').collect::<Vec<_>>()[..] {
            ["get"] => match get(&client).await {
                Ok(status) => format!("ok {status}"),
                Err(error) => format!("err {error}"),
            },
            ["traffic", seconds, milliseconds] => {
                traffic(&client, seconds.parse()?, milliseconds.parse()?).await
            }
            _ => return Err(format!("unknown command: {line}").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

async fn get(client: &Client) -> Result<u16, String> {
    match client.get("Patient").query("_count", "1").send().await {
        Ok(response) => Ok(response.status().as_u16()),
        Err(error) => Err(in_full(&error)),
    }
}

async fn traffic(client: &Client, seconds: u64, milliseconds: u64) -> String {
    let mut ticks = interval(Duration::from_millis(milliseconds));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let sent = seconds * 1000 / milliseconds;
    let mut requests = JoinSet::new();
    for _ in 0..sent {
        ticks.tick().await;
        let client = client.clone();
        requests.spawn(async move {
            let started = Instant::now();
            let outcome = get(&client).await;
            (outcome, started.elapsed())
        });
    }
    let (mut failures, mut slow) = (Vec::new(), 0);
    for (outcome, took) in requests.join_all().await {
        slow += usize::from(took > SLOW);
        match outcome {
            Ok(200) => {}
            Ok(status) => failures.push(format!("status {status}")),
            Err(error) => failures.push(error),
        }
    }
    let first = failures.first().map_or("none", String::as_str);
    format!("sent {sent} failed {} slow {slow} first: {first}", failures.len())
}

/// An error and what caused it, in one line.
fn in_full(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.replace('\n', " ")
}
