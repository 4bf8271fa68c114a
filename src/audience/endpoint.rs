//! Rules that both services share for names, service URLs and resources.

use std::fmt;

use url::Url;

use super::{
    boundary,
    cloud::Cloud,
    host::is_loopback,
    invalid::{Field, InvalidAudience},
};
use crate::scope::{self, DEFAULT};

/// An endpoint and the scope of its tokens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    endpoint: Url,
    scope: String,
}

impl Target {
    pub(super) fn new(endpoint: Url, resource: &str) -> Result<Self, InvalidAudience> {
        check_resource(resource)?;
        Ok(Self { endpoint, scope: format!("{resource}{DEFAULT}") })
    }

    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    pub(super) fn resource(&self) -> &str {
        scope::resource(&self.scope).unwrap_or(&self.scope)
    }
}

fn check_resource(resource: &str) -> Result<(), InvalidAudience> {
    if resource.is_empty() {
        return Err(InvalidAudience::Empty(Field::Resource));
    }
    if !resource.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
        return Err(InvalidAudience::ResourceCharacters);
    }
    if resource.trim_end_matches('/').ends_with(DEFAULT) {
        return Err(InvalidAudience::Scope);
    }
    Ok(())
}

/// The endpoint as it was given to a builder.
#[derive(Clone)]
pub(super) enum EndpointSpec {
    Workspace { workspace: String, service: String },
    Account(String),
    Url(String),
}

impl EndpointSpec {
    /// Returns the endpoint. `service_domain` is `fhir` or `dicom`.
    pub(super) fn url(&self, service_domain: &str, cloud: Cloud) -> Result<Url, InvalidAudience> {
        let domain = cloud.domain();
        match self {
            Self::Workspace { workspace, service } => {
                check_name(Field::Workspace, workspace)?;
                check_name(Field::Service, service)?;
                parse_endpoint(&format!("https://{workspace}-{service}.{service_domain}.{domain}"))
            }
            Self::Account(account) => {
                check_name(Field::Account, account)?;
                parse_endpoint(&format!("https://{account}.{domain}"))
            }
            Self::Url(given) => parse_endpoint(given),
        }
    }
}

// Shows only the variant, because the text may be a URL with a password.
impl fmt::Debug for EndpointSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Workspace { .. } => "Workspace(..)",
            Self::Account(_) => "Account(..)",
            Self::Url(_) => "Url(..)",
        })
    }
}

/// Checks a name that is part of a host.
pub(super) fn check_name(field: Field, given: &str) -> Result<(), InvalidAudience> {
    let hyphens = field != Field::Workspace;
    if given.is_empty() {
        return Err(InvalidAudience::Empty(field));
    }
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let valid = given.bytes().all(|byte| byte.is_ascii_alphanumeric() || hyphens && byte == b'-');
    if !valid || !edge(given.as_bytes().first()) || !edge(given.as_bytes().last()) {
        let rule = match hyphens {
            true => "use letters a to z, digits and `-`, with a letter or digit at both ends",
            false => "use letters a to z and digits, and no `-`",
        };
        return Err(InvalidAudience::Letters { field, rule });
    }
    let length = given.len();
    if !(3..=24).contains(&length) {
        return Err(InvalidAudience::Length { field, length });
    }
    if given.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let lower = given.to_ascii_lowercase();
        return Err(InvalidAudience::UpperCase { field, given: given.into(), lower });
    }
    Ok(())
}

/// Checks a host label of the form `{workspace}-{service}`.
pub(super) fn check_label(label: &str) -> Result<(), InvalidAudience> {
    let (workspace, service) = label.split_once('-').unwrap_or((label, ""));
    check_name(Field::Workspace, workspace)?;
    check_name(Field::Service, service)
}

/// Parses a service URL that comes from code, an environment variable or a configuration file.
fn parse_endpoint(given: &str) -> Result<Url, InvalidAudience> {
    if given.is_empty() {
        return Err(InvalidAudience::Empty(Field::Endpoint));
    }
    if given.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(InvalidAudience::Characters);
    }
    let (scheme, rest) = given.split_once("://").ok_or(InvalidAudience::NotAUrl)?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "https" && scheme != "http" {
        // Truncated, because the text before `://` may be anything.
        return Err(InvalidAudience::Scheme { given: scheme.chars().take(16).collect() });
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.is_empty() {
        return Err(InvalidAudience::NotAUrl);
    }
    if authority.contains('@') {
        return Err(InvalidAudience::UserInfo);
    }
    let mut url = Url::parse(given).map_err(|_| InvalidAudience::NotAUrl)?;
    let sent = url.host_str().ok_or(InvalidAudience::NotAUrl)?;
    if !is_spelled_as_sent(authority, sent) {
        return Err(InvalidAudience::Spelling { sent: sent.into() });
    }
    if sent.ends_with('.') {
        return Err(InvalidAudience::TrailingDot { host: sent.into() });
    }
    if scheme == "http" && !is_loopback(&url) {
        return Err(InvalidAudience::PlainHttp { host: sent.into() });
    }
    if url.query().is_some() {
        return Err(InvalidAudience::Query);
    }
    if url.fragment().is_some() {
        return Err(InvalidAudience::Fragment);
    }
    boundary::check_path(path).map_err(|what| InvalidAudience::Path { what })?;
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Returns `true` if the host of `authority` equals the host that will be sent, ignoring case.
///
/// Any other spelling (another alphabet, percent-encoding, octal numbers) can look like a different host.
fn is_spelled_as_sent(authority: &str, sent: &str) -> bool {
    let authority = authority.to_ascii_lowercase();
    match authority.strip_prefix(sent) {
        Some(rest) => rest.is_empty() || rest.starts_with(':'),
        None => false,
    }
}

/// Checks that a URL in a domain of Azure Health Data Services has no explicit port, and that its cloud matches the one
/// that was set.
pub(super) fn check_azure_url(url: &Url, found: Cloud, set: Option<Cloud>) -> Result<(), InvalidAudience> {
    let host = url.host_str().unwrap_or_default().to_owned();
    if let Some(port) = url.port() {
        return Err(InvalidAudience::Port { host, port });
    }
    match set {
        Some(set) if set != found => Err(InvalidAudience::OtherCloud { host, found, set }),
        _ => Ok(()),
    }
}
