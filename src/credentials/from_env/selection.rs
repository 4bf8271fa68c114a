//! [`select`]: decides which credentials the environment selects. Reads only environment variables.

use azure_core::credentials::Secret;

use super::{
    authority::Authority,
    env::{
        CERTIFICATE_PASSWORD, CERTIFICATE_PATH, CLIENT_ID, CLIENT_SECRET, EnvVars, FEDERATED_TOKEN_FILE,
        IDENTITY_ENDPOINT, IDENTITY_HEADER, IMDS_ENDPOINT, MANAGED_IDENTITY_VARS, MSI_ENDPOINT, TENANT_ID,
        TOKEN_CREDENTIALS, env_error,
    },
};
use crate::{Error, Result};

/// A selected credential with its configuration. Its `Debug` output contains no secret.
#[derive(Debug)]
pub(super) enum CredentialConfig {
    ClientSecret {
        app: AppRegistration,
        secret: Secret,
    },
    #[cfg(feature = "client-certificate")]
    ClientCertificate {
        app: AppRegistration,
        path: String,
        password: Option<Secret>,
    },
    WorkloadIdentity {
        app: AppRegistration,
        token_file: String,
    },
    ManagedIdentity {
        client_id: Option<String>,
        uses_imds: bool,
    },
    AzureCli,
    AzurePowerShell,
    AzureDeveloperCli,
}

/// An application that is registered with Entra.
#[derive(Clone, Debug)]
pub(super) struct AppRegistration {
    pub(super) tenant_id: String,
    pub(super) client_id: String,
    pub(super) authority: Authority,
}

/// A credential that `AZURE_TOKEN_CREDENTIALS` can select.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CredentialKind {
    Environment,
    WorkloadIdentity,
    ManagedIdentity,
    AzureCli,
    AzurePowerShell,
    AzureDeveloperCli,
}

/// All kinds in the order in which they are tried, with their names in the other Azure SDKs.
const KINDS: [(&str, CredentialKind); 6] = [
    ("EnvironmentCredential", CredentialKind::Environment),
    ("WorkloadIdentityCredential", CredentialKind::WorkloadIdentity),
    ("ManagedIdentityCredential", CredentialKind::ManagedIdentity),
    ("AzureCliCredential", CredentialKind::AzureCli),
    ("AzurePowerShellCredential", CredentialKind::AzurePowerShell),
    ("AzureDeveloperCliCredential", CredentialKind::AzureDeveloperCli),
];
/// `prod` selects this many kinds from the start of [`KINDS`], `dev` the rest.
const PROD_KINDS: usize = 3;

/// Returns at least one credential, in the order in which they are tried.
///
/// `name` overrides `AZURE_TOKEN_CREDENTIALS`.
pub(super) fn select(env: &EnvVars<'_>, name: Option<&str>) -> Result<Vec<CredentialConfig>> {
    let kinds = match name {
        // An empty name in code is an error, unlike an empty variable.
        Some(name) => kinds_of(Some(name.trim()), "")?,
        None => kinds_of(env.get(TOKEN_CREDENTIALS).as_deref(), " in AZURE_TOKEN_CREDENTIALS")?,
    };
    let mut configs = Vec::new();
    for kind in &kinds {
        let config = match kind {
            CredentialKind::Environment => environment(env)?,
            CredentialKind::WorkloadIdentity => workload_identity(env)?,
            CredentialKind::ManagedIdentity => Some(managed_identity(env)?),
            CredentialKind::AzureCli => Some(CredentialConfig::AzureCli),
            CredentialKind::AzurePowerShell => Some(CredentialConfig::AzurePowerShell),
            CredentialKind::AzureDeveloperCli => Some(CredentialConfig::AzureDeveloperCli),
        };
        configs.extend(config);
    }
    match (configs.is_empty(), kinds.first()) {
        (true, Some(CredentialKind::WorkloadIdentity)) => {
            Err(missing(&format!("{FEDERATED_TOKEN_FILE}, which is not set")))
        }
        (true, _) => Err(missing(&format!("{CLIENT_SECRET} or {CERTIFICATE_PATH}, but neither is set"))),
        (false, _) => Ok(configs),
    }
}

/// Returns the kinds that a name selects, or all kinds if `name` is `None`.
///
/// `place` describes in the error where the name is.
fn kinds_of(name: Option<&str>, place: &str) -> Result<Vec<CredentialKind>> {
    let matches_name = |other: &str| name.is_none_or(|name| name.eq_ignore_ascii_case(other));
    let selected = KINDS.iter().enumerate().filter(|(index, (kind_name, _))| {
        let group = if *index < PROD_KINDS { "prod" } else { "dev" };
        matches_name(kind_name) || matches_name(group)
    });
    let kinds: Vec<_> = selected.map(|(_, (_, kind))| *kind).collect();
    if kinds.is_empty() {
        let names: Vec<_> = KINDS.iter().map(|(name, _)| *name).collect();
        let message =
            format!("unknown credential name{place} (use prod, dev, or one of {})", names.join(", "));
        return Err(env_error(message));
    }
    Ok(kinds)
}

fn environment(env: &EnvVars<'_>) -> Result<Option<CredentialConfig>> {
    if let Some(secret) = env.get(CLIENT_SECRET) {
        let app = app_registration(env, CLIENT_SECRET)?;
        return Ok(Some(CredentialConfig::ClientSecret { app, secret: secret.into() }));
    }
    match env.get(CERTIFICATE_PATH) {
        #[cfg(feature = "client-certificate")]
        Some(path) => Ok(Some(CredentialConfig::ClientCertificate {
            app: app_registration(env, CERTIFICATE_PATH)?,
            path,
            // Verbatim, because whitespace can be part of a password.
            password: env.raw(CERTIFICATE_PASSWORD).filter(|password| !password.is_empty()).map(Secret::from),
        })),
        #[cfg(not(feature = "client-certificate"))]
        Some(_) => Err(env_error(format!(
            "{CERTIFICATE_PATH} requires the feature `client-certificate` of `azure_healthcare_auth`"
        ))),
        None if env.is_set(CERTIFICATE_PASSWORD) => Err(incomplete(CERTIFICATE_PASSWORD, CERTIFICATE_PATH)),
        None => Ok(None),
    }
}

fn workload_identity(env: &EnvVars<'_>) -> Result<Option<CredentialConfig>> {
    let Some(token_file) = env.get(FEDERATED_TOKEN_FILE) else { return Ok(None) };
    let app = app_registration(env, FEDERATED_TOKEN_FILE)?;
    Ok(Some(CredentialConfig::WorkloadIdentity { app, token_file }))
}

fn managed_identity(env: &EnvVars<'_>) -> Result<CredentialConfig> {
    let is_empty = |name: &str| env.raw(name).is_some() && !env.is_set(name);
    if let Some(name) = MANAGED_IDENTITY_VARS.iter().find(|name| is_empty(name)) {
        return Err(env_error(format!("{name} is set but empty: give it a value or unset it")));
    }
    match (env.is_set(IDENTITY_ENDPOINT), env.is_set(IDENTITY_HEADER)) {
        (false, true) => return Err(incomplete(IDENTITY_HEADER, IDENTITY_ENDPOINT)),
        // `IMDS_ENDPOINT` and no header: Azure Arc.
        (true, false) if !env.is_set(IMDS_ENDPOINT) => {
            return Err(incomplete(IDENTITY_ENDPOINT, IDENTITY_HEADER));
        }
        _ => {}
    }
    let uses_imds = !env.is_set(IDENTITY_ENDPOINT) && !env.is_set(MSI_ENDPOINT);
    Ok(CredentialConfig::ManagedIdentity { client_id: env.get(CLIENT_ID), uses_imds })
}

/// Reads the application that belongs to `credential_var`, a variable that is set.
fn app_registration(env: &EnvVars<'_>, credential_var: &'static str) -> Result<AppRegistration> {
    let get = |name| env.get(name).ok_or_else(|| incomplete(credential_var, name));
    Ok(AppRegistration {
        tenant_id: get(TENANT_ID)?,
        client_id: get(CLIENT_ID)?,
        authority: Authority::from_env(env)?,
    })
}

fn incomplete(set: &str, unset: &str) -> Error {
    env_error(format!("{set} is set but {unset} is not: set both or neither"))
}

fn missing(requirement: &str) -> Error {
    env_error(format!("the selected credential requires {requirement}"))
}
