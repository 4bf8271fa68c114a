//! [`EnvVars`]: reads environment variables, and the names of those that matter here.

use std::ffi::OsString;

use crate::{Error, ErrorKind, Result};

pub(super) const TOKEN_CREDENTIALS: &str = "AZURE_TOKEN_CREDENTIALS";
pub(super) const AUTHORITY_HOST: &str = "AZURE_AUTHORITY_HOST";
pub(super) const TENANT_ID: &str = "AZURE_TENANT_ID";
pub(super) const CLIENT_ID: &str = "AZURE_CLIENT_ID";
pub(super) const CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
pub(super) const CERTIFICATE_PATH: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
pub(super) const CERTIFICATE_PASSWORD: &str = "AZURE_CLIENT_CERTIFICATE_PASSWORD";
pub(super) const FEDERATED_TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
pub(super) const IDENTITY_ENDPOINT: &str = "IDENTITY_ENDPOINT";
pub(super) const IDENTITY_HEADER: &str = "IDENTITY_HEADER";
pub(super) const IMDS_ENDPOINT: &str = "IMDS_ENDPOINT";
pub(super) const MSI_ENDPOINT: &str = "MSI_ENDPOINT";

/// The variables by which `azure_identity` recognizes the kind of managed identity.
///
/// `azure_identity` reads them itself, and treats an empty one as set.
pub(super) const MANAGED_IDENTITY_VARS: [&str; 6] = [
    IDENTITY_ENDPOINT,
    IDENTITY_HEADER,
    "IDENTITY_SERVER_THUMBPRINT",
    IMDS_ENDPOINT,
    MSI_ENDPOINT,
    "MSI_SECRET",
];

const OTHER_VARS: [&str; 8] = [
    TOKEN_CREDENTIALS,
    TENANT_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    CERTIFICATE_PATH,
    CERTIFICATE_PASSWORD,
    FEDERATED_TOKEN_FILE,
    AUTHORITY_HOST,
];

/// A reader of environment variables.
pub(super) struct EnvVars<'a>(&'a dyn Fn(&str) -> Option<String>);

impl<'a> EnvVars<'a> {
    pub(super) fn new(read: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(read)
    }

    /// Returns the value without surrounding whitespace, or `None` if it is empty or unset.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.raw(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Returns the value verbatim.
    pub(super) fn raw(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// Returns an error if a variable is not valid Unicode.
///
/// Treating such a variable as unset could select a different identity.
pub(super) fn check_unicode(read: impl Fn(&str) -> Option<OsString>) -> Result<()> {
    let mut names = OTHER_VARS.iter().chain(&MANAGED_IDENTITY_VARS);
    match names.find(|name| read(name).is_some_and(|value| value.to_str().is_none())) {
        Some(name) => Err(env_error(format!("{name} is not valid Unicode"))),
        None => Ok(()),
    }
}

/// An error about the environment, which never includes a value.
pub(super) fn env_error(message: String) -> Error {
    Error::new(ErrorKind::Credential, message)
}
