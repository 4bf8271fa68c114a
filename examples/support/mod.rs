//! What the examples share: reading the command line, choosing where the token comes from, and saying what happens.
//!
//! Data go to standard output, so that they can be piped; everything else goes to standard error.

// Each example is a program of its own and uses a part of this.
#![allow(dead_code)]

use std::{
    collections::HashMap,
    io::Write,
    process::exit,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use azure_core::credentials::TokenCredential;
use azure_healthcare_auth::{Audience, Authenticator, DicomAudience, FhirAudience, Result};
use azure_identity::AzureCliCredential;

/// What was written behind `--`: the URL of a service, switches, and options with a value.
pub(crate) struct Options {
    pub(crate) url: Option<String>,
    given: HashMap<String, String>,
}

impl Options {
    /// Reads the command line; `switches` stand alone. Ends the program with status 2 where it cannot be read.
    pub(crate) fn read(usage: &str, switches: &[&str], with_value: &[&str]) -> Self {
        let (mut url, mut given) = (None, HashMap::new());
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => {
                    print(usage);
                    exit(0);
                }
                name if switches.contains(&name) => {
                    given.insert(argument, String::new());
                }
                name if with_value.contains(&name) => match arguments.next() {
                    Some(value) => {
                        given.insert(argument, value);
                    }
                    None => refuse(&format!("{name} needs a value"), usage),
                },
                other if !other.starts_with('-') && url.is_none() => url = Some(argument),
                other => refuse(&format!("what is `{other}`?"), usage),
            }
        }
        if url.is_none() && given.contains_key("--resource") {
            refuse("--resource goes with the URL of a service", usage);
        }
        Self { url, given }
    }

    pub(crate) fn has(&self, switch: &str) -> bool {
        self.given.contains_key(switch)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    /// The FHIR service that was named, with the audience that was.
    pub(crate) fn fhir(&self, url: &str) -> Result<FhirAudience> {
        match self.value("--resource") {
            Some(resource) => FhirAudience::endpoint(url).resource(resource).build(),
            None => url.parse(),
        }
    }

    /// The DICOM service that was named, with the audience that was.
    pub(crate) fn dicom(&self, url: &str) -> Result<DicomAudience> {
        match self.value("--resource") {
            Some(resource) => DicomAudience::endpoint(url).resource(resource).build(),
            None => url.parse(),
        }
    }
}

/// Whether a URL is a DICOM service's. A host of one's own does not tell: there, the last segment of the path does.
pub(crate) fn is_dicom(url: &str) -> bool {
    let url = url.trim_end_matches('/');
    url.contains(".dicom.azurehealthcareapis.") || url.ends_with("/v1") || url.ends_with("/v2")
}

/// Ends the program with status 2, after a wrong call.
pub(crate) fn refuse(why: &str, usage: &str) -> ! {
    eprintln!("{why}\n\n{usage}");
    exit(2)
}

/// The account that is signed in to Azure CLI, as `az account get-access-token` has it.
pub(crate) fn azure_cli() -> Arc<dyn TokenCredential> {
    say("credential", "Azure CLI, the account of `az login`");
    match AzureCliCredential::new(None) {
        Ok(credential) => credential,
        Err(error) => fail(&error.to_string()),
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
        fail(&error.to_string());
    }
}

fn fail(text: &str) -> ! {
    say("failed", text);
    exit(1)
}

/// A span of time, as people say it.
pub(crate) fn words(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
