//! [`Address`]: the rules that both services share for names, service URLs and resources.

use std::fmt;

use url::{Host, Url};

use super::{Cloud, boundary, refusal::Refusal};
use crate::scope::{self, DEFAULT};

/// An endpoint and what its tokens are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    endpoint: Url,
    scope: String,
}

impl Address {
    pub(super) fn new(endpoint: Url, resource: &str) -> Result<Self, Refusal> {
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

fn check_resource(resource: &str) -> Result<(), Refusal> {
    if resource.is_empty() {
        return Err(Refusal::Empty { what: "resource" });
    }
    if !resource.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
        return Err(Refusal::ResourceCharacters);
    }
    if resource.trim_end_matches('/').ends_with(DEFAULT) {
        return Err(Refusal::Scope);
    }
    Ok(())
}

/// How a builder was told where the service is.
#[derive(Clone)]
pub(super) enum Site {
    Workspace { workspace: String, service: String },
    Account(String),
    Endpoint(String),
}

impl Site {
    /// The base URL. `kind` is the label that stands before the cloud's domain.
    pub(super) fn url(&self, kind: &str, cloud: Cloud) -> Result<Url, Refusal> {
        let domain = cloud.domain();
        match self {
            Self::Workspace { workspace, service } => {
                Name::Workspace.check(workspace)?;
                Name::Service.check(service)?;
                parse_endpoint(&format!("https://{workspace}-{service}.{kind}.{domain}"))
            }
            Self::Account(account) => {
                Name::Account.check(account)?;
                parse_endpoint(&format!("https://{account}.{domain}"))
            }
            Self::Endpoint(given) => parse_endpoint(given),
        }
    }
}

// What is given may be a URL that was pasted with a password in it: only its kind is shown.
impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Workspace { .. } => "Workspace(..)",
            Self::Account(_) => "Account(..)",
            Self::Endpoint(_) => "Endpoint(..)",
        })
    }
}

/// The names that make up a host.
#[derive(Clone, Copy)]
pub(super) enum Name {
    Workspace,
    Service,
    Account,
}

impl Name {
    /// Checks a name that stands in a host, where letters are lower case.
    pub(super) fn check(self, given: &str) -> Result<(), Refusal> {
        let (what, hyphens) = match self {
            Self::Workspace => ("workspace name", false),
            Self::Service => ("service name", true),
            Self::Account => ("account name", true),
        };
        if given.is_empty() {
            return Err(Refusal::Empty { what });
        }
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let letters = given.bytes().all(|byte| byte.is_ascii_alphanumeric() || hyphens && byte == b'-');
        if !letters || !edge(given.as_bytes().first()) || !edge(given.as_bytes().last()) {
            let rule = match hyphens {
                true => "it has letters a to z, digits and `-`, and a letter or digit at both ends",
                false => "it has letters a to z and digits, and no `-`",
            };
            return Err(Refusal::Letters { what, rule });
        }
        let length = given.len();
        if !(3..=24).contains(&length) {
            return Err(Refusal::Length { what, length });
        }
        if given.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(Refusal::UpperCase { what, given: given.into(), lower: given.to_ascii_lowercase() });
        }
        Ok(())
    }
}

/// Checks the label of a host in which the two names are joined by the first `-`.
pub(super) fn check_label(label: &str) -> Result<(), Refusal> {
    let (workspace, service) = label.split_once('-').unwrap_or((label, ""));
    Name::Workspace.check(workspace)?;
    Name::Service.check(service)
}

/// Reads a service URL that somebody wrote: into code, a variable or a configuration file.
pub(super) fn parse_endpoint(given: &str) -> Result<Url, Refusal> {
    if given.is_empty() {
        return Err(Refusal::Empty { what: "service URL" });
    }
    if given.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(Refusal::Characters);
    }
    let (scheme, rest) = given.split_once("://").ok_or(Refusal::NotAUrl)?;
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "https" && scheme != "http" {
        // Limited, because what stands before `://` may be anything.
        return Err(Refusal::Scheme { given: scheme.chars().take(16).collect() });
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.is_empty() {
        return Err(Refusal::NotAUrl);
    }
    if authority.contains('@') {
        return Err(Refusal::UserInfo);
    }
    let mut url = Url::parse(given).map_err(|_| Refusal::NotAUrl)?;
    let sent = url.host_str().ok_or(Refusal::NotAUrl)?;
    if !spells(authority, sent) {
        return Err(Refusal::Spelling { sent: sent.into() });
    }
    if sent.ends_with('.') {
        return Err(Refusal::TrailingDot { host: sent.into() });
    }
    if scheme == "http" && !is_loopback(&url) {
        return Err(Refusal::Plain { host: sent.into() });
    }
    if url.query().is_some() {
        return Err(Refusal::Query);
    }
    if url.fragment().is_some() {
        return Err(Refusal::Fragment);
    }
    boundary::check_path(path).map_err(|what| Refusal::Path { what })?;
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Whether the host of an authority is written as it will be sent, but for the case of its letters.
///
/// What differs (another alphabet, percent-encoding, numbers in octal) can look like a host that it is not.
fn spells(authority: &str, sent: &str) -> bool {
    let authority = authority.to_ascii_lowercase();
    match authority.strip_prefix(sent) {
        Some(rest) => rest.is_empty() || rest.starts_with(':'),
        None => false,
    }
}

/// Whether the URL names this machine: `localhost`, `127.0.0.0/8` or `[::1]`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What a host is to Azure Health Data Services.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place<'a> {
    /// `{workspace}-{service}.fhir.…`: the label before the domain.
    Fhir(&'a str),
    /// `{workspace}-{service}.dicom.…`: the label before the domain.
    Dicom(&'a str),
    /// `{account}.…`, of Azure API for FHIR.
    Account(&'a str),
    /// The domain itself.
    Domain,
    /// Below the domain, and none of the above.
    Unknown,
}

/// The cloud whose domain a host is in, and what it is there. `None` for a host of one's own.
pub(crate) fn place(host: &str) -> Option<(Cloud, Place<'_>)> {
    Cloud::ALL.into_iter().find_map(|cloud| {
        let below = host.strip_suffix(cloud.domain())?;
        if below.is_empty() {
            return Some((cloud, Place::Domain));
        }
        let labels = below.strip_suffix('.')?;
        let place = match labels.split_once('.') {
            None if labels == "fhir" || labels == "dicom" => Place::Unknown,
            None => Place::Account(labels),
            Some((label, "fhir")) => Place::Fhir(label),
            Some((label, "dicom")) => Place::Dicom(label),
            Some(_) => Place::Unknown,
        };
        Some((cloud, place))
    })
}

/// What every service URL in Azure's own domains keeps to.
pub(super) fn check_azure(url: &Url, found: Cloud, told: Option<Cloud>) -> Result<(), Refusal> {
    let host = url.host_str().unwrap_or_default().to_owned();
    if let Some(port) = url.port() {
        return Err(Refusal::Port { host, port });
    }
    match told {
        Some(told) if told != found => Err(Refusal::OtherCloud { host, found, told }),
        _ => Ok(()),
    }
}
