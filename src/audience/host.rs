//! The kinds of hosts: loopback, and those in the domains of Azure Health Data Services.

use url::{Host, Url};

use super::cloud::Cloud;

/// Returns `true` if the host is `localhost`, in `127.0.0.0/8`, or `[::1]`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The kind of a host in a domain of Azure Health Data Services.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HostKind<'a> {
    /// `{workspace}-{service}.fhir.…`, with the label before `.fhir`.
    Fhir(&'a str),
    /// `{workspace}-{service}.dicom.…`, with the label before `.dicom`.
    Dicom(&'a str),
    /// `{account}.…`, an account of Azure API for FHIR.
    Account(&'a str),
    /// The domain itself.
    Domain,
    /// Any other host in the domain.
    Unknown,
}

/// Returns the cloud and the kind of a host, or `None` if the host is in no domain of Azure Health Data Services.
pub(crate) fn host_kind(host: &str) -> Option<(Cloud, HostKind<'_>)> {
    Cloud::ALL.iter().find_map(|&cloud| {
        let below = host.strip_suffix(cloud.domain())?;
        if below.is_empty() {
            return Some((cloud, HostKind::Domain));
        }
        let labels = below.strip_suffix('.')?;
        let kind = match labels.split_once('.') {
            None if labels == "fhir" || labels == "dicom" => HostKind::Unknown,
            None => HostKind::Account(labels),
            Some((label, "fhir")) => HostKind::Fhir(label),
            Some((label, "dicom")) => HostKind::Dicom(label),
            Some(_) => HostKind::Unknown,
        };
        Some((cloud, kind))
    })
}
