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
use azure_healthcare_auth::{
    Audience, Authenticator, DicomAudience, FhirAudience, Result,
    credentials::{ChainedTokenCredential, StaticTokenCredential, by_name, developer_tools, from_env},
    testing::{FakeCredential, FakeServer},
};

/// What was written behind `--`: the URL of a service, switches, and options with a value.
pub(crate) struct Options {
    pub(crate) url: Option<String>,
    given: HashMap<String, String>,
    usage: &'static str,
}

/// What every usage ends with.
const CREDENTIALS: &str =
    "    --credential WHICH    where tokens come from; without it, whoever is signed in on this machine:
                          cli                Azure CLI, by `az login`
                          powershell         Azure PowerShell, by `Connect-AzAccount`
                          azd                Azure Developer CLI, by `azd auth login`
                          env                what the variables AZURE_… of the other Azure SDKs choose
                          managed-identity   this machine's; a user-assigned one by AZURE_CLIENT_ID
                          static             the token in the variable AZURE_HEALTHCARE_TOKEN";

impl Options {
    /// Reads the command line; `switches` stand alone. Ends the program with status 2 where it cannot be read.
    pub(crate) fn read(usage: &'static str, switches: &[&str], with_value: &[&str]) -> Self {
        let (mut url, mut given) = (None, HashMap::new());
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => {
                    print(format_args!("{usage}\n{CREDENTIALS}"));
                    exit(0);
                }
                name if switches.contains(&name) => {
                    given.insert(argument, String::new());
                }
                name if name == "--credential" || with_value.contains(&name) => match arguments.next() {
                    Some(value) => {
                        given.insert(argument, value);
                    }
                    None => refuse(&format!("{name} needs a value"), usage),
                },
                other if !other.starts_with('-') && url.is_none() => url = Some(argument),
                other => refuse(&format!("what is `{other}`?"), usage),
            }
        }
        for option in ["--resource", "--credential"] {
            if url.is_none() && given.contains_key(option) {
                refuse(&format!("{option} goes with the URL of a service"), usage);
            }
        }
        Self { url, given, usage }
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
            Some(resource) => FhirAudience::from_endpoint(url).resource(resource).build(),
            None => url.parse(),
        }
    }

    /// The DICOM service that was named, with the audience that was.
    pub(crate) fn dicom(&self, url: &str) -> Result<DicomAudience> {
        match self.value("--resource") {
            Some(resource) => DicomAudience::from_endpoint(url).resource(resource).build(),
            None => url.parse(),
        }
    }

    /// The credential that was named.
    pub(crate) fn credential(&self) -> Result<Credential> {
        let (chain, what) = match self.value("--credential") {
            None => (
                developer_tools(),
                "Azure CLI, Azure PowerShell or Azure Developer CLI, who is signed in first",
            ),
            Some("cli") => (by_name("AzureCliCredential"), "Azure CLI, the account of `az login`"),
            Some("powershell") => {
                (by_name("AzurePowerShellCredential"), "Azure PowerShell, the account of `Connect-AzAccount`")
            }
            Some("azd") => (
                by_name("AzureDeveloperCliCredential"),
                "Azure Developer CLI, the account of `azd auth login`",
            ),
            Some("env") => (from_env(), "what the environment chooses"),
            Some("managed-identity") => (by_name("ManagedIdentityCredential"), "this machine's identity"),
            Some("static") => {
                say("credential", "the token in AZURE_HEALTHCARE_TOKEN");
                let Ok(token) = std::env::var("AZURE_HEALTHCARE_TOKEN") else {
                    refuse("AZURE_HEALTHCARE_TOKEN is not set", self.usage)
                };
                return Ok(Credential { tokens: Arc::new(StaticTokenCredential::new(&token)?), chain: None });
            }
            Some(other) => refuse(&format!("no credential is called `{other}`"), self.usage),
        };
        say("credential", what);
        let chain = chain?;
        Ok(Credential { tokens: chain.clone(), chain: Some(chain) })
    }
}

/// Where tokens come from.
pub(crate) struct Credential {
    pub(crate) tokens: Arc<dyn TokenCredential>,
    chain: Option<Arc<ChainedTokenCredential>>,
}

impl Credential {
    /// What the stand-in takes, and nobody else.
    pub(crate) fn of(fake_server: &FakeServer) -> Self {
        say("credential", "the stand-in's own (no Azure account is used, and nothing leaves this machine)");
        Self { tokens: fake_server.credential(), chain: None }
    }

    /// One of the stand-in's that fails in a way that was chosen.
    pub(crate) fn from(credential: FakeCredential) -> Self {
        Self { tokens: Arc::new(credential), chain: None }
    }

    /// Which of several gave the token.
    pub(crate) fn selected(&self) -> Option<&str> {
        self.chain.as_ref()?.selected()
    }
}

/// Whether a URL is a DICOM service's. A host of one's own does not tell: there, the last segment of the path does.
pub(crate) fn is_dicom(url: &str) -> bool {
    let url = url.trim_end_matches('/');
    url.contains(".dicom.azurehealthcareapis.") || url.ends_with("/v1") || url.ends_with("/v2")
}

/// Ends the program with status 2, after a wrong call.
pub(crate) fn refuse(why: &str, usage: &str) -> ! {
    eprintln!("{why}\n\n{usage}\n{CREDENTIALS}");
    exit(2)
}

/// Gets a token and says what for, who gave it, and how long it lives.
pub(crate) async fn announce<A: Audience>(auth: &Authenticator<A>, credential: &Credential) -> Result<()> {
    let audience = auth.audience();
    say("service", &format!("{} at {audience}", audience.service()));
    say("audience", audience.resource());
    let started = Instant::now();
    auth.authorization().await?;
    if let Some(name) = credential.selected() {
        say("answered by", name);
    }
    let left =
        auth.expires_on().and_then(|end| end.duration_since(SystemTime::now()).ok()).unwrap_or_default();
    say("token", &format!("received in {}, ends in {}", words(started.elapsed()), words(left)));
    Ok(())
}

/// Says how a request went that was sent at `started`.
#[cfg(feature = "client")]
pub(crate) fn print_response(request: &str, response: &azure_healthcare_auth::Response, started: Instant) {
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
