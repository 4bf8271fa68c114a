//! [`plan`]: which credentials the environment chooses. It reads variables and nothing else.

use std::ffi::OsString;

use azure_core::credentials::Secret;

use super::authority::{self, Authority};
use crate::{Error, ErrorKind, Result};

/// The environment: what a variable holds, without white space around it. An empty one counts as unset.
pub(super) struct Env<'a>(pub(super) &'a dyn Fn(&str) -> Option<String>);

impl Env<'_> {
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.0)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// A credential that was chosen, with all it needs. No secret is in its `Debug`.
#[derive(Debug)]
pub(super) enum Member {
    ClientSecret {
        app: App,
        secret: Secret,
    },
    #[cfg(feature = "client-certificate")]
    ClientCertificate {
        app: App,
        path: String,
        password: Option<Secret>,
    },
    WorkloadIdentity {
        app: App,
        file: String,
    },
    ManagedIdentity {
        client: Option<String>,
        imds: bool,
    },
    AzureCli,
    AzurePowerShell,
    AzureDeveloperCli,
}

/// An application that is registered with Entra.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) tenant: String,
    pub(super) client: String,
    pub(super) authority: Authority,
}

/// What `AZURE_TOKEN_CREDENTIALS` can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Environment,
    WorkloadIdentity,
    ManagedIdentity,
    AzureCli,
    AzurePowerShell,
    AzureDeveloperCli,
}

/// In the order in which they are tried, by the names that the other Azure SDKs gave them.
const KINDS: [(&str, Kind); 6] = [
    ("EnvironmentCredential", Kind::Environment),
    ("WorkloadIdentityCredential", Kind::WorkloadIdentity),
    ("ManagedIdentityCredential", Kind::ManagedIdentity),
    ("AzureCliCredential", Kind::AzureCli),
    ("AzurePowerShellCredential", Kind::AzurePowerShell),
    ("AzureDeveloperCliCredential", Kind::AzureDeveloperCli),
];
/// So many of them are for a deployed service, the rest for a developer's machine.
const DEPLOYED: usize = 3;

const CHOICE: &str = "AZURE_TOKEN_CREDENTIALS";
const TENANT: &str = "AZURE_TENANT_ID";
const CLIENT: &str = "AZURE_CLIENT_ID";
const SECRET: &str = "AZURE_CLIENT_SECRET";
const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
const PASSWORD: &str = "AZURE_CLIENT_CERTIFICATE_PASSWORD";
const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const HEADER: &str = "IDENTITY_HEADER";
/// By which `azure_identity` tells one kind of managed identity from another. It reads them itself, and an empty one
/// counts as set.
const MACHINE: [&str; 6] =
    [ENDPOINT, HEADER, "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET"];

/// An error where a variable that is read here is not Unicode: counted as unset, it would let another identity answer.
pub(super) fn check(get: impl Fn(&str) -> Option<OsString>) -> Result<()> {
    let ours = [CHOICE, TENANT, CLIENT, SECRET, CERTIFICATE, PASSWORD, TOKEN_FILE, authority::NAME];
    match ours.iter().chain(&MACHINE).find(|name| get(name).is_some_and(|value| value.to_str().is_none())) {
        Some(name) => Err(wrong(format!("{name} is set to what is not Unicode"))),
        None => Ok(()),
    }
}

/// The credentials to try, in their order: at least one. A choice takes the place of `AZURE_TOKEN_CREDENTIALS`.
pub(super) fn plan(env: &Env<'_>, choice: Option<&str>) -> Result<Vec<Member>> {
    // In the code an empty one is none that could be meant.
    let choice = choice.map(|choice| choice.trim().to_owned()).or_else(|| env.get(CHOICE));
    let kinds = chosen(choice.as_deref())?;
    let mut members = Vec::new();
    for kind in &kinds {
        let member = match kind {
            Kind::Environment => environment(env)?,
            Kind::WorkloadIdentity => workload_identity(env)?,
            Kind::ManagedIdentity => Some(managed_identity(env)?),
            Kind::AzureCli => Some(Member::AzureCli),
            Kind::AzurePowerShell => Some(Member::AzurePowerShell),
            Kind::AzureDeveloperCli => Some(Member::AzureDeveloperCli),
        };
        members.extend(member);
    }
    match (members.is_empty(), kinds.first()) {
        (true, Some(Kind::WorkloadIdentity)) => Err(unset(&[TOKEN_FILE])),
        (true, _) => Err(unset(&[SECRET, CERTIFICATE])),
        (false, _) => Ok(members),
    }
}

/// What a name stands for; without one, everything.
fn chosen(name: Option<&str>) -> Result<Vec<Kind>> {
    let is = |other: &str| name.is_none_or(|name| name.eq_ignore_ascii_case(other));
    let kinds = KINDS
        .iter()
        .enumerate()
        .filter(|(place, (full, _))| is(full) || is(if *place < DEPLOYED { "prod" } else { "dev" }));
    let kinds: Vec<_> = kinds.map(|(_, (_, kind))| *kind).collect();
    if kinds.is_empty() {
        let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
        let message = format!("what {CHOICE} chooses can be prod, dev, or one of {}", names.join(", "));
        return Err(wrong(message));
    }
    Ok(kinds)
}

fn environment(env: &Env<'_>) -> Result<Option<Member>> {
    if let Some(secret) = env.get(SECRET) {
        return Ok(Some(Member::ClientSecret { app: app(env, SECRET)?, secret: secret.into() }));
    }
    match env.get(CERTIFICATE) {
        #[cfg(feature = "client-certificate")]
        Some(path) => Ok(Some(Member::ClientCertificate {
            app: app(env, CERTIFICATE)?,
            path,
            // As it is: white space can be a part of it.
            password: (env.0)(PASSWORD).filter(|password| !password.is_empty()).map(Secret::from),
        })),
        #[cfg(not(feature = "client-certificate"))]
        Some(_) => Err(wrong(format!(
            "{CERTIFICATE} is set: build `azure_healthcare_auth` with its feature `client-certificate`"
        ))),
        None if env.has(PASSWORD) => Err(half_set(PASSWORD, CERTIFICATE)),
        None => Ok(None),
    }
}

fn workload_identity(env: &Env<'_>) -> Result<Option<Member>> {
    let Some(file) = env.get(TOKEN_FILE) else { return Ok(None) };
    Ok(Some(Member::WorkloadIdentity { app: app(env, TOKEN_FILE)?, file }))
}

fn managed_identity(env: &Env<'_>) -> Result<Member> {
    if let Some(empty) = MACHINE.iter().find(|name| (env.0)(name).is_some() && !env.has(name)) {
        return Err(wrong(format!("{empty} is set and empty: give it a value, or unset it")));
    }
    match (env.has(ENDPOINT), env.has(HEADER)) {
        (false, true) => return Err(half_set(HEADER, ENDPOINT)),
        // With it and without a header it is Azure Arc.
        (true, false) if !env.has("IMDS_ENDPOINT") => return Err(half_set(ENDPOINT, HEADER)),
        _ => {}
    }
    let imds = !env.has(ENDPOINT) && !env.has("MSI_ENDPOINT");
    Ok(Member::ManagedIdentity { client: env.get(CLIENT), imds })
}

/// The application that goes with what proves to be it, which is set.
fn app(env: &Env<'_>, proof: &'static str) -> Result<App> {
    let get = |name| env.get(name).ok_or_else(|| half_set(proof, name));
    Ok(App { tenant: get(TENANT)?, client: get(CLIENT)?, authority: Authority::read(env)? })
}

fn half_set(set: &str, missing: &str) -> Error {
    wrong(format!("{set} is set and {missing} is not: set both, or neither"))
}

fn unset(names: &[&str]) -> Error {
    wrong(format!("a credential is chosen for which {} is not set", names.join(" or ")))
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Credential, message)
}
