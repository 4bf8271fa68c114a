//! The evidence about a denial, and the conclusions that follow from it directly.

use std::time::SystemTime;

use super::{hints::ErrorHints, outcome::OperationOutcome};
use crate::{
    audience::{
        cloud::{Cloud, PUBLIC_DICOM},
        host::{HostKind, host_kind},
        service_kind::ServiceKind,
    },
    claims::UnverifiedClaims,
    text::{MAX_RESOURCE_LEN, is_guid, printable},
};

/// Everything that the rules of a diagnosis use.
pub(super) struct DenialContext<'a> {
    pub(super) service: ServiceKind,
    /// The resource that the token was requested for.
    pub(super) requested: &'a str,
    /// `true` for a 403, `false` for a 401.
    pub(super) forbidden: bool,
    /// The hints in the response's error texts.
    pub(super) hints: ErrorHints,
    /// The `error` of the Bearer challenge (RFC 6750 §3.1).
    pub(super) error: Option<&'a str>,
    /// The audience that the challenge names.
    pub(super) expected: Option<&'a str>,
    /// The tenant in the authority that the challenge names.
    pub(super) trusted_tenant: Option<&'a str>,
    pub(super) claims: Option<&'a UnverifiedClaims>,
    pub(super) outcome: Option<&'a OperationOutcome>,
    /// `true` if the body is the DICOM service's plain text "Authorization failed."
    pub(super) plain_text_forbidden: bool,
    pub(super) now: SystemTime,
}

/// The relation of the token's audiences to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AudienceMatch {
    Same,
    /// The token, a v2 token, names an application's id and the resource is an `api://` URI. Services compare the two
    /// verbatim.
    ApplicationId,
    /// They differ only in a trailing slash.
    TrailingSlash,
    Different,
    /// The token's audiences cannot be read.
    Unknown,
}

impl DenialContext<'_> {
    /// Compares the token's audiences with `resource`.
    pub(super) fn compare(&self, resource: &str) -> AudienceMatch {
        let audiences = self.claims.map_or(&[][..], UnverifiedClaims::audiences);
        // The claims contain printable text only, so the resource must be reduced in the same way.
        let resource = &printable(resource, MAX_RESOURCE_LEN);
        let without_slash = |text: &str| text.strip_suffix('/').unwrap_or(text).to_owned();
        if audiences.is_empty() {
            AudienceMatch::Unknown
        } else if audiences.contains(resource) {
            AudienceMatch::Same
        } else if resource.starts_with("api://") && audiences.iter().any(|audience| is_guid(audience)) {
            AudienceMatch::ApplicationId
        } else if audiences.iter().any(|audience| without_slash(audience) == without_slash(resource)) {
            AudienceMatch::TrailingSlash
        } else {
            AudienceMatch::Different
        }
    }

    /// Returns the usual audience of such a service, if the token's audience is this one with a trailing slash.
    pub(super) fn usual_audience_without_slash(&self) -> Option<&str> {
        let audience = self.first_audience()?.strip_suffix('/')?;
        let usual = if self.service == ServiceKind::Dicom {
            audience == PUBLIC_DICOM
        } else {
            host(audience).is_some_and(|host| {
                let fhir = matches!(host_kind(&host), Some((_, HostKind::Fhir(_) | HostKind::Account(_))));
                fhir && audience == format!("https://{host}")
            })
        };
        usual.then_some(audience)
    }

    /// Returns `true` if the audience is often mistaken for the service's and never is.
    pub(super) fn has_commonly_mistaken_audience(&self) -> bool {
        let Some(audience) = self.first_audience() else { return false };
        let host = host(audience).unwrap_or_default();
        let host_kind = host_kind(&host);
        if self.service == ServiceKind::Dicom {
            // The audience of DICOM services in other clouds is not documented.
            matches!(host_kind, Some((Cloud::Public, _)))
        } else {
            matches!(host_kind, Some((_, HostKind::Domain)))
                || audience.strip_suffix('/').unwrap_or(audience) == PUBLIC_DICOM
        }
    }

    pub(super) fn first_audience(&self) -> Option<&str> {
        self.claims?.audiences().first().map(String::as_str)
    }

    /// Returns the first issue code that FHIR defines.
    pub(super) fn known_code(&self) -> Option<&'static str> {
        self.outcome?.codes.iter().find(|code| **code != "other").copied()
    }

    /// Returns `true` if the response reports that the request had no usable `Authorization` header.
    pub(super) fn reports_no_token(&self) -> bool {
        // RFC 6750 §3.1: `invalid_request` means a malformed request, and every request of this crate has a token.
        self.hints.no_token || self.error == Some("invalid_request")
    }

    pub(super) fn has_expired(&self) -> bool {
        self.claims.and_then(UnverifiedClaims::expires_on).is_some_and(|expires_on| expires_on <= self.now)
    }

    pub(super) fn is_not_yet_valid(&self) -> bool {
        self.claims.and_then(UnverifiedClaims::not_before).is_some_and(|not_before| not_before > self.now)
    }

    /// Returns `true` if the service is known to trust a tenant other than the token's.
    pub(super) fn has_untrusted_tenant(&self) -> bool {
        self.tenants().is_some_and(|(tenant, trusted)| !tenant.eq_ignore_ascii_case(trusted))
    }

    /// Returns `true` if the service is known to trust the token's tenant.
    pub(super) fn has_trusted_tenant(&self) -> bool {
        self.tenants().is_some_and(|(tenant, trusted)| tenant.eq_ignore_ascii_case(trusted))
    }

    fn tenants(&self) -> Option<(&str, &str)> {
        let tenant = self.claims.and_then(UnverifiedClaims::tenant_id).filter(|tenant| is_guid(tenant));
        tenant.zip(self.trusted_tenant)
    }

    /// Returns `true` if the challenge names an audience that no health service has.
    ///
    /// Such a server may try to obtain a token that is valid elsewhere.
    pub(super) fn expects_unrelated_audience(&self) -> bool {
        const DOMAINS: [&str; 11] = [
            "core.windows.net",
            "database.windows.net",
            "graph.microsoft.com",
            "graph.microsoft.us",
            "graph.windows.net",
            "management.azure.com",
            "office.com",
            "office365.com",
            "storage.azure.com",
            "usgovcloudapi.net",
            "vault.azure.net",
        ];
        let Some(expected) = self.expected else { return false };
        let host = host(expected).unwrap_or_default();
        is_microsoft_application(expected)
            || DOMAINS.iter().any(|domain| {
                host.strip_suffix(domain).is_some_and(|start| start.is_empty() || start.ends_with('.'))
            })
    }
}

/// Returns `true` if a resource is, or contains as its last part, the application id of one of Microsoft's services.
fn is_microsoft_application(resource: &str) -> bool {
    const IDS: [&str; 3] = [
        "797f4846-ba00-4fd7-ba43-dac1f8f63013", // Azure Resource Manager
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093", // Azure Key Vault
        "e406a681-f3d4-42a8-90b6-c2b029497af1", // Azure Storage
    ];
    let resource = resource.strip_suffix('/').unwrap_or(resource).to_ascii_lowercase();
    let id = resource.rsplit(['/', ':']).next().unwrap_or_default();
    // The ids of older services, such as Microsoft Graph, share this suffix.
    IDS.contains(&id) || (is_guid(id) && id.ends_with("-0000-0000-c000-000000000000"))
}

fn host(url: &str) -> Option<String> {
    url::Url::parse(url).ok()?.host_str().map(str::to_owned)
}
