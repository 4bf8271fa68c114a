//! Shared parts of the examples: the command line, the choice of a credential, and output.
//!
//! Data goes to standard output, so that it can be piped. Everything else goes to standard error.

// Each example is a separate program that uses only some of these items.
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
};
use azure_healthcare_auth_testing::{FakeCredential, FakeServer};

/// The arguments of the command line: the URL of a service, switches, and options with a value.
pub(crate) struct Options {
    pub(crate) url: Option<String>,
    options: HashMap<String, String>,
    usage: &'static str,
}

/// The last part of every usage text.
const CREDENTIALS: &str =
    "    --credential NAME     get tokens from NAME instead of the first developer tool that is signed in:
                          cli                Azure CLI (`az login`)
                          powershell         Azure PowerShell (`Connect-AzAccount`)
                          azd                Azure Developer CLI (`azd auth login`)
                          env                the AZURE_… variables of the other Azure SDKs
                          managed-identity   this machine's identity; AZURE_CLIENT_ID selects a user-assigned one
                          static             the token in the variable AZURE_HEALTHCARE_TOKEN";

impl Options {
    /// Reads the command line. Exits with status 2 if it is invalid.
    pub(crate) fn read(usage: &'static str, switches: &[&str], with_value: &[&str]) -> Self {
        let (mut url, mut options) = (None, HashMap::new());
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => {
                    print(format_args!("{usage}\n{CREDENTIALS}"));
                    exit(0);
                }
                name if switches.contains(&name) => {
                    options.insert(argument, String::new());
                }
                name if name == "--credential" || with_value.contains(&name) => match arguments.next() {
                    Some(value) => {
                        options.insert(argument, value);
                    }
                    None => exit_with_usage(&format!("{name} needs a value"), usage),
                },
                other if !other.starts_with('-') && url.is_none() => url = Some(argument),
                other => exit_with_usage(&format!("unexpected argument `{other}`"), usage),
            }
        }
        for option in ["--resource", "--credential"] {
            if url.is_none() && options.contains_key(option) {
                exit_with_usage(&format!("{option} needs the URL of a service"), usage);
            }
        }
        Self { url, options, usage }
    }

    pub(crate) fn has(&self, switch: &str) -> bool {
        self.options.contains_key(switch)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Returns the audience of the FHIR service at `url`.
    pub(crate) fn fhir(&self, url: &str) -> Result<FhirAudience> {
        match self.value("--resource") {
            Some(resource) => FhirAudience::from_endpoint(url).resource(resource).build(),
            None => url.parse(),
        }
    }

    /// Returns the audience of the DICOM service at `url`.
    pub(crate) fn dicom(&self, url: &str) -> Result<DicomAudience> {
        match self.value("--resource") {
            Some(resource) => DicomAudience::from_endpoint(url).resource(resource).build(),
            None => url.parse(),
        }
    }

    /// Returns the credential that `--credential` selects.
    pub(crate) fn credential(&self) -> Result<Credential> {
        let (chain, description) = match self.value("--credential") {
            None => (
                developer_tools(),
                "the first of Azure CLI, Azure PowerShell and Azure Developer CLI that is signed in",
            ),
            Some("cli") => (by_name("AzureCliCredential"), "Azure CLI, the account of `az login`"),
            Some("powershell") => {
                (by_name("AzurePowerShellCredential"), "Azure PowerShell, the account of `Connect-AzAccount`")
            }
            Some("azd") => (
                by_name("AzureDeveloperCliCredential"),
                "Azure Developer CLI, the account of `azd auth login`",
            ),
            Some("env") => (from_env(), "selected by environment variables"),
            Some("managed-identity") => (by_name("ManagedIdentityCredential"), "this machine's identity"),
            Some("static") => {
                log("credential", "the token in AZURE_HEALTHCARE_TOKEN");
                let Ok(token) = std::env::var("AZURE_HEALTHCARE_TOKEN") else {
                    exit_with_usage("AZURE_HEALTHCARE_TOKEN is not set", self.usage)
                };
                return Ok(Credential { inner: Arc::new(StaticTokenCredential::new(&token)?), chain: None });
            }
            Some(other) => exit_with_usage(&format!("unknown credential `{other}`"), self.usage),
        };
        log("credential", description);
        let chain = chain?;
        Ok(Credential { inner: chain.clone(), chain: Some(chain) })
    }
}

/// A credential and, if it is a chain, access to the credential that the chain selected.
pub(crate) struct Credential {
    pub(crate) inner: Arc<dyn TokenCredential>,
    chain: Option<Arc<ChainedTokenCredential>>,
}

impl Credential {
    /// Returns the credential of the fake server. No real service accepts its tokens.
    pub(crate) fn of_fake_server(fake_server: &FakeServer) -> Self {
        log("credential", "the fake server's (no Azure account is used, and nothing leaves this machine)");
        Self { inner: fake_server.credential(), chain: None }
    }

    /// Wraps a fake credential whose tokens have a chosen defect.
    pub(crate) fn from_fake(credential: FakeCredential) -> Self {
        Self { inner: Arc::new(credential), chain: None }
    }

    /// Returns the name of the credential in a chain that returned the token.
    pub(crate) fn selected(&self) -> Option<&str> {
        self.chain.as_ref()?.selected()
    }
}

/// Returns `true` if the URL is that of a DICOM service. For a custom host, the last path segment decides.
pub(crate) fn is_dicom(url: &str) -> bool {
    let url = url.trim_end_matches('/');
    url.contains(".dicom.azurehealthcareapis.") || url.ends_with("/v1") || url.ends_with("/v2")
}

/// Prints an error and the usage, and exits with status 2.
pub(crate) fn exit_with_usage(error: &str, usage: &str) -> ! {
    eprintln!("{error}\n\n{usage}\n{CREDENTIALS}");
    exit(2)
}

/// Fetches a token and logs its resource, the credential that returned it, and its remaining lifetime.
pub(crate) async fn fetch_token<A: Audience>(auth: &Authenticator<A>, credential: &Credential) -> Result<()> {
    let audience = auth.audience();
    log("service", &format!("{} at {audience}", audience.service().as_str().to_uppercase()));
    log("resource", audience.resource());
    let started = Instant::now();
    auth.authorization().await?;
    if let Some(name) = credential.selected() {
        log("token from", name);
    }
    let remaining = auth
        .expires_on()
        .and_then(|expires_on| expires_on.duration_since(SystemTime::now()).ok())
        .unwrap_or_default();
    let (elapsed, remaining) = (format_duration(started.elapsed()), format_duration(remaining));
    log("token", &format!("received in {elapsed}, expires in {remaining}"));
    Ok(())
}

/// Logs the status of a response, the time since `started`, and the number of attempts if there were several.
#[cfg(feature = "client")]
pub(crate) fn log_response(request: &str, response: &azure_healthcare_auth::Response, started: Instant) {
    let attempts = match response.attempts() {
        1 => String::new(),
        attempts => format!(" after {attempts} attempts"),
    };
    log(request, &format!("{} in {}{attempts}", response.status(), format_duration(started.elapsed())));
}

/// Prints data to standard output. Ignores errors, because a reader such as `head` may close the pipe early.
pub(crate) fn print(data: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{data}");
}

/// Prints a label and a text to standard error.
pub(crate) fn log(label: &str, text: &str) {
    eprintln!("{label:<15} {text}");
}

/// Prints the error and exits with status 1 if `result` is an error.
pub(crate) fn exit_on_error(result: Result<()>) {
    if let Err(error) = result {
        log("error", &error.to_string());
        exit(1);
    }
}

/// Formats a duration with one rounded-down unit, such as `45 min`.
pub(crate) fn format_duration(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{} ms", duration.as_millis()),
        seconds @ 1..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}
