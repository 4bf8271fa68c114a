//! The rules: from what is known to the cause of a refusal. Pure, and apart from the words in which it is told.

use std::time::SystemTime;

use super::cause::DenialCause;
use super::likely::Likely;
use super::outcome::Outcome;
use super::said::Said;
use crate::audience::{HostKind, PUBLIC_DICOM, host_kind};
use crate::claims::UnverifiedClaims;
use crate::text::{LONG, is_guid, printable};
use crate::{Cloud, ServiceKind};

/// Everything that the rules look at.
pub(crate) struct Facts<'a> {
    pub(crate) service: ServiceKind,
    /// The resource that the token was asked for.
    pub(crate) asked: &'a str,
    /// Whether the answer was 403 and not 401.
    pub(crate) forbidden: bool,
    /// What the answer says in words.
    pub(crate) said: Said,
    /// The `error` of the Bearer challenge (RFC 6750 §3.1).
    pub(crate) error: Option<&'a str>,
    /// The audience that the challenge names.
    pub(crate) wanted: Option<&'a str>,
    /// The tenant of the authority that the challenge names.
    pub(crate) trusted: Option<&'a str>,
    pub(crate) claims: Option<&'a UnverifiedClaims>,
    pub(crate) outcome: Option<&'a Outcome>,
    /// Whether the body is the DICOM service's plain "Authorization failed."
    pub(crate) plainly_forbidden: bool,
    pub(crate) now: SystemTime,
}

/// What the rules found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) cause: DenialCause,
    /// Whether nothing but the service's word decides: the token itself bears no trace of the fault.
    pub(crate) alone: bool,
    /// The two possible_causes causes where the evidence does not decide.
    pub(crate) likely: Option<[Likely; 2]>,
}

/// What the token's audiences have to do with one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Same,
    /// An application's id where its address is looked for: what a v2 token names. Services compare letter by letter.
    Alias,
    Slash,
    Other,
    Unknown,
}

impl Facts<'_> {
    /// Why the request was refused.
    pub(crate) fn judge(&self) -> Verdict {
        if self.forbidden { self.judge_forbidden() } else { self.judge_unauthorized() }
    }

    fn judge_forbidden(&self) -> Verdict {
        let known = self.outcome.filter(|outcome| !outcome.codes.is_empty());
        // RFC 6750 §3.1: the token is good, and the request needs more than it allows.
        let refused = self.plainly_forbidden || self.error == Some("insufficient_scope");
        match known {
            Some(outcome) if outcome.has("forbidden") => found(DenialCause::MissingRole, false),
            // These speak of who the caller is, so a role or a token may well be what is missing.
            Some(outcome)
                if ["login", "security", "unknown", "expired"].iter().any(|code| outcome.has(code)) =>
            {
                unknown([Likely::Role, Likely::NotAccepted])
            }
            // An export or import that failed, told with the status of what it failed at: a storage account's 403, too.
            Some(outcome) if outcome.has("processing") => unknown([Likely::OtherReason, Likely::StorageRole]),
            // Nobody knows what a code of the server's own means.
            Some(_) if self.known_code().is_none() => unknown([Likely::Role, Likely::OtherReason]),
            Some(_) => found(DenialCause::NotRoleRelated, false),
            None if refused => found(DenialCause::MissingRole, false),
            None => unknown([Likely::Role, Likely::InBetween]),
        }
    }

    fn judge_unauthorized(&self) -> Verdict {
        let said = self.said;
        if said.ended {
            return found(DenialCause::Expired, !self.has_ended());
        }
        if said.early {
            return found(DenialCause::NotYetValid, !self.is_early());
        }
        match (said.audience, said.issuer) {
            // A service with several authorities reports them all: which one should have taken the token is not told.
            (true, true) => return unknown([Likely::Audience, Likely::Tenant]),
            (true, false) => return self.judge_audience(),
            (false, true) => return found(DenialCause::WrongTenant, !self.is_from_elsewhere()),
            (false, false) => {}
        }
        // After the others: an authority that does not know the token's issuer at all complains of the key first.
        if said.signature {
            return found(DenialCause::InvalidSignature, self.compare(self.asked) != Match::Other);
        }
        // A service which never saw the token has not judged it.
        if self.never_arrived() {
            return self.guess();
        }
        if self.has_ended() {
            return found(DenialCause::Expired, false);
        }
        match self.wanted.map(|wanted| self.compare(wanted)) {
            Some(Match::Slash) => return found(DenialCause::TrailingSlash, false),
            Some(Match::Other | Match::Alias) => return found(DenialCause::WrongAudience, false),
            _ => {}
        }
        if self.is_from_elsewhere() { found(DenialCause::WrongTenant, false) } else { self.guess() }
    }

    /// The service has said that the audience is invalid.
    fn judge_audience(&self) -> Verdict {
        if let Some(wanted) = self.wanted {
            return match self.compare(wanted) {
                Match::Slash => found(DenialCause::TrailingSlash, false),
                Match::Other | Match::Alias => found(DenialCause::WrongAudience, false),
                Match::Same | Match::Unknown => found(DenialCause::WrongAudience, true),
            };
        }
        match self.compare(self.asked) {
            Match::Slash => found(DenialCause::TrailingSlash, false),
            Match::Other | Match::Alias => found(DenialCause::WrongAudience, false),
            Match::Same if self.slashed_preset().is_some() => found(DenialCause::TrailingSlash, false),
            Match::Same => found(DenialCause::WrongAudience, !self.is_a_known_mistake()),
            Match::Unknown => found(DenialCause::WrongAudience, true),
        }
    }

    /// What the token's audiences have to do with `resource`.
    pub(crate) fn compare(&self, resource: &str) -> Match {
        let audiences = self.claims.map_or(&[][..], UnverifiedClaims::audiences);
        // The claims are cut to what may be printed, so the other side must be.
        let resource = &printable(resource, LONG);
        let bare = |text: &str| text.strip_suffix('/').unwrap_or(text).to_owned();
        if audiences.is_empty() {
            Match::Unknown
        } else if audiences.contains(resource) {
            Match::Same
        } else if resource.starts_with("api://") && audiences.iter().any(|aud| is_guid(aud)) {
            Match::Alias
        } else if audiences.iter().any(|aud| bare(aud) == bare(resource)) {
            Match::Slash
        } else {
            Match::Other
        }
    }

    /// The usual audience of such a service, where the token's is that with a slash at its end.
    pub(crate) fn slashed_preset(&self) -> Option<&str> {
        let bare = self.first_audience()?.strip_suffix('/')?;
        let usual = if self.service == ServiceKind::Dicom {
            bare == PUBLIC_DICOM
        } else {
            host(bare).is_some_and(|host| {
                let ours = matches!(host_kind(&host), Some((_, HostKind::Fhir(_) | HostKind::Account(_))));
                ours && bare == format!("https://{host}")
            })
        };
        usual.then_some(bare)
    }

    /// Whether the audience is one of those that are often taken for the service's, and never are.
    pub(crate) fn is_a_known_mistake(&self) -> bool {
        let Some(audience) = self.first_audience() else { return false };
        let host = host(audience).unwrap_or_default();
        let place = host_kind(&host);
        if self.service == ServiceKind::Dicom {
            // No audience is known for those of another cloud.
            matches!(place, Some((Cloud::Public, _)))
        } else {
            matches!(place, Some((_, HostKind::Domain)))
                || audience.strip_suffix('/').unwrap_or(audience) == PUBLIC_DICOM
        }
    }

    pub(crate) fn first_audience(&self) -> Option<&str> {
        self.claims?.audiences().first().map(String::as_str)
    }

    /// The first code of the outcome that FHIR defines.
    pub(crate) fn known_code(&self) -> Option<&'static str> {
        self.outcome?.codes.iter().find(|code| **code != "other").copied()
    }

    pub(crate) fn never_arrived(&self) -> bool {
        // RFC 6750 §3.1: `invalid_request` is about the request, and we know that ours had a token.
        self.said.unseen || self.error == Some("invalid_request")
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.claims.and_then(UnverifiedClaims::expires_on).is_some_and(|end| end <= self.now)
    }

    pub(crate) fn is_early(&self) -> bool {
        self.claims.and_then(UnverifiedClaims::not_before).is_some_and(|begin| begin > self.now)
    }

    /// Whether the token is from a tenant that the service does not trust, as far as both are known.
    fn is_from_elsewhere(&self) -> bool {
        self.tenants().is_some_and(|(tenant, trusted)| !tenant.eq_ignore_ascii_case(trusted))
    }

    /// Whether the token is from the tenant that the service trusts.
    pub(crate) fn is_from_home(&self) -> bool {
        self.tenants().is_some_and(|(tenant, trusted)| tenant.eq_ignore_ascii_case(trusted))
    }

    fn tenants(&self) -> Option<(&str, &str)> {
        self.claims.and_then(UnverifiedClaims::tenant_id).filter(|tenant| is_guid(tenant)).zip(self.trusted)
    }

    /// Whether the service wants an audience that no health service has. Whoever answers so may be after a token.
    pub(crate) fn wants_a_foreign_token(&self) -> bool {
        const FOREIGN: [&str; 11] = [
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
        let Some(wanted) = self.wanted else { return false };
        let host = host(wanted).unwrap_or_default();
        is_of_microsoft(wanted)
            || FOREIGN.iter().any(|end| {
                host.strip_suffix(end).is_some_and(|start| start.is_empty() || start.ends_with('.'))
            })
    }
}

/// Whether a resource is, or is written with, the application id of one of Microsoft's own services.
fn is_of_microsoft(resource: &str) -> bool {
    const IDS: [&str; 3] = [
        "797f4846-ba00-4fd7-ba43-dac1f8f63013", // Azure Resource Manager
        "cfa8b339-82a2-471a-a3c9-0fc0be7a4093", // Azure Key Vault
        "e406a681-f3d4-42a8-90b6-c2b029497af1", // Azure Storage
    ];
    let resource = resource.strip_suffix('/').unwrap_or(resource).to_ascii_lowercase();
    let id = resource.rsplit(['/', ':']).next().unwrap_or_default();
    // The older ones, Microsoft Graph among them, all end so.
    IDS.contains(&id) || (is_guid(id) && id.ends_with("-0000-0000-c000-000000000000"))
}

fn found(cause: DenialCause, alone: bool) -> Verdict {
    Verdict { cause, alone, likely: None }
}

pub(crate) fn unknown(likely: [Likely; 2]) -> Verdict {
    Verdict { cause: DenialCause::Unknown, alone: false, likely: Some(likely) }
}

fn host(address: &str) -> Option<String> {
    url::Url::parse(address).ok()?.host_str().map(str::to_owned)
}
