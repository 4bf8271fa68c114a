//! What the examples share: reading the command line, choosing where the token comes from, and saying what happens.
//!
//! Data go to standard output, so that they can be piped; everything else goes to standard error.

// Each example is a program of its own and uses a part of this.
#![allow(dead_code)]

use std::{
    io::Write,
    process::exit,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use azure_core::credentials::TokenCredential;
use azure_healthcare_auth::{Audience, Authenticator, Error, Result};
use azure_identity::AzureCliCredential;

/// What was written behind `--`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) url: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) header: bool,
}

impl Options {
    /// Reads the command line. Ends the program with status 2 and `usage` where it cannot be read.
    pub(crate) fn read(usage: &str) -> Self {
        let mut options = Self::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => {
                    print(usage);
                    exit(0);
                }
                "--resource" => match arguments.next() {
                    Some(resource) => options.resource = Some(resource),
                    None => refuse("--resource needs a value", usage),
                },
                "--header" => options.header = true,
                url if !url.starts_with('-') && options.url.is_none() => options.url = Some(url.into()),
                other => refuse(&format!("what is `{other}`?"), usage),
            }
        }
        if options.resource.is_some() && options.url.is_none() {
            refuse("--resource goes with a service URL", usage);
        }
        options
    }
}

fn refuse(why: &str, usage: &str) -> ! {
    eprintln!("{why}\n\n{usage}");
    exit(2)
}

/// The account that is signed in to Azure CLI, as `az account get-access-token` has it.
pub(crate) fn azure_cli() -> Arc<dyn TokenCredential> {
    say("credential", "Azure CLI, the account of `az login`");
    match AzureCliCredential::new(None) {
        Ok(credential) => credential,
        Err(error) => fail_with(&error.to_string()),
    }
}

/// Gets a token and says what for, and how long it lives.
pub(crate) async fn announce<A: Audience>(auth: &Authenticator<A>) -> Result<()> {
    let audience = auth.audience();
    say("service", &format!("{} at {audience}", audience.service()));
    say("audience", audience.resource());
    let started = Instant::now();
    auth.authorization().await?;
    let left =
        auth.expires_on().and_then(|end| end.duration_since(SystemTime::now()).ok()).unwrap_or_default();
    say("token", &format!("received in {}, ends in {}", words(started.elapsed()), words(left)));
    Ok(())
}

/// Says how a request went that was sent at `started`.
#[cfg(feature = "client")]
pub(crate) fn answered(request: &str, response: &azure_healthcare_auth::Response, started: Instant) {
    let repeats = match response.attempts() {
        1 => String::new(),
        attempts => format!(", sent {attempts} times"),
    };
    say(request, &format!("{} in {}{repeats}", response.status(), words(started.elapsed())));
}

/// Prints data to standard output. Who reads them may have seen enough, and that is no failure.
pub(crate) fn print(data: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{data}");
}

/// Says one thing to standard error.
pub(crate) fn say(what: &str, how: &str) {
    eprintln!("{what:<15} {how}");
}

/// Ends the program with status 1 if it failed.
pub(crate) fn end(outcome: Result<()>) {
    if let Err(error) = outcome {
        fail(&error);
    }
}

fn fail(error: &Error) -> ! {
    fail_with(&error.to_string())
}

fn fail_with(text: &str) -> ! {
    say("failed", text);
    exit(1)
}

fn words(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
