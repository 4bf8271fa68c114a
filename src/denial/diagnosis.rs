//! The rules that determine the cause of a denial. They are pure and contain no wording.

use super::{
    candidate::CandidateCause,
    cause::DenialCause,
    context::{AudienceMatch, DenialContext},
};

/// The result of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub(super) cause: DenialCause,
    /// `true` if only the response indicates the cause, and nothing in the token does.
    pub(super) response_only: bool,
    /// The two most likely causes, if `cause` is unknown.
    pub(super) candidates: Option<[CandidateCause; 2]>,
}

impl Diagnosis {
    fn known(cause: DenialCause, response_only: bool) -> Self {
        Self { cause, response_only, candidates: None }
    }

    fn unknown(candidates: [CandidateCause; 2]) -> Self {
        Self { cause: DenialCause::Unknown, response_only: false, candidates: Some(candidates) }
    }
}

/// Determines the cause of a denial.
pub(super) fn diagnose(context: &DenialContext<'_>) -> Diagnosis {
    if context.forbidden { diagnose_forbidden(context) } else { diagnose_unauthorized(context) }
}

fn diagnose_forbidden(context: &DenialContext<'_>) -> Diagnosis {
    let outcome = context.outcome.filter(|outcome| !outcome.codes.is_empty());
    // RFC 6750 §3.1: with `insufficient_scope`, the token is valid but does not allow the request.
    let authorization_failed = context.plain_text_forbidden || context.error == Some("insufficient_scope");
    match outcome {
        Some(outcome) if outcome.has("forbidden") => Diagnosis::known(DenialCause::MissingRole, false),
        // These codes are about the caller's identity, so either a role or a valid token can be missing.
        Some(outcome) if ["login", "security", "unknown", "expired"].iter().any(|code| outcome.has(code)) => {
            Diagnosis::unknown([CandidateCause::Role, CandidateCause::TokenRejected])
        }
        // A failed export or import reports the status of what failed, which can be a storage account's 403.
        Some(outcome) if outcome.has("processing") => {
            Diagnosis::unknown([CandidateCause::ServerSpecific, CandidateCause::StorageRole])
        }
        // The server uses only codes of its own, whose meaning is unknown.
        Some(_) if context.known_code().is_none() => {
            Diagnosis::unknown([CandidateCause::Role, CandidateCause::ServerSpecific])
        }
        Some(_) => Diagnosis::known(DenialCause::NotRoleRelated, false),
        None if authorization_failed => Diagnosis::known(DenialCause::MissingRole, false),
        None => Diagnosis::unknown([CandidateCause::Role, CandidateCause::Gateway]),
    }
}

fn diagnose_unauthorized(context: &DenialContext<'_>) -> Diagnosis {
    let hints = context.hints;
    if hints.expired {
        return Diagnosis::known(DenialCause::Expired, !context.has_expired());
    }
    if hints.not_yet_valid {
        return Diagnosis::known(DenialCause::NotYetValid, !context.is_not_yet_valid());
    }
    match (hints.audience_invalid, hints.issuer_invalid) {
        // A service with several authorities reports the failure of each, but not which one should have accepted the
        // token.
        (true, true) => return Diagnosis::unknown([CandidateCause::Audience, CandidateCause::Tenant]),
        (true, false) => return diagnose_invalid_audience(context),
        (false, true) => {
            return Diagnosis::known(DenialCause::WrongTenant, !context.has_untrusted_tenant());
        }
        (false, false) => {}
    }
    // The signature comes after the audience and the issuer, because an authority that does not know the issuer at all
    // reports an unknown key first.
    if hints.signature_invalid {
        let response_only = context.compare(context.requested) != AudienceMatch::Different;
        return Diagnosis::known(DenialCause::InvalidSignature, response_only);
    }
    // A service that received no token has not checked it.
    if context.reports_no_token() {
        return guess(context);
    }
    if context.has_expired() {
        return Diagnosis::known(DenialCause::Expired, false);
    }
    match context.expected.map(|expected| context.compare(expected)) {
        Some(AudienceMatch::TrailingSlash) => return Diagnosis::known(DenialCause::TrailingSlash, false),
        Some(AudienceMatch::Different | AudienceMatch::ApplicationId) => {
            return Diagnosis::known(DenialCause::WrongAudience, false);
        }
        _ => {}
    }
    if context.has_untrusted_tenant() {
        Diagnosis::known(DenialCause::WrongTenant, false)
    } else {
        guess(context)
    }
}

/// Diagnoses a 401 whose response reports an invalid audience.
fn diagnose_invalid_audience(context: &DenialContext<'_>) -> Diagnosis {
    if let Some(expected) = context.expected {
        return match context.compare(expected) {
            AudienceMatch::TrailingSlash => Diagnosis::known(DenialCause::TrailingSlash, false),
            AudienceMatch::Different | AudienceMatch::ApplicationId => {
                Diagnosis::known(DenialCause::WrongAudience, false)
            }
            AudienceMatch::Same | AudienceMatch::Unknown => {
                Diagnosis::known(DenialCause::WrongAudience, true)
            }
        };
    }
    match context.compare(context.requested) {
        AudienceMatch::TrailingSlash => Diagnosis::known(DenialCause::TrailingSlash, false),
        AudienceMatch::Different | AudienceMatch::ApplicationId => {
            Diagnosis::known(DenialCause::WrongAudience, false)
        }
        AudienceMatch::Same if context.usual_audience_without_slash().is_some() => {
            Diagnosis::known(DenialCause::TrailingSlash, false)
        }
        AudienceMatch::Same => {
            Diagnosis::known(DenialCause::WrongAudience, !context.has_commonly_mistaken_audience())
        }
        AudienceMatch::Unknown => Diagnosis::known(DenialCause::WrongAudience, true),
    }
}

/// Selects the two most likely causes of a 401 whose cause the evidence does not determine.
///
/// Anything unusual about the response or the token comes first, then the most frequent causes.
fn guess(context: &DenialContext<'_>) -> Diagnosis {
    let hints = context.hints;
    // ASP.NET names an audience but no error if the request has no token.
    let no_token = context.reports_no_token() || (context.error.is_none() && context.expected.is_some());
    let not_as_requested =
        matches!(context.compare(context.requested), AudienceMatch::TrailingSlash | AudienceMatch::Different);
    let candidates = [
        (no_token, CandidateCause::HeaderRemoved),
        (context.error == Some("insufficient_claims"), CandidateCause::SignInRequired),
        (context.claims.is_none(), CandidateCause::NotJwt),
        (context.has_expired(), CandidateCause::Expired),
        (not_as_requested, CandidateCause::NotAsRequested),
        (hints.unspecified, CandidateCause::Signature),
        (hints.unspecified || context.is_not_yet_valid(), CandidateCause::Clock),
        // An audience that the challenge names and the token has is not the cause.
        (context.expected.is_none() && !not_as_requested, CandidateCause::Audience),
        (context.error == Some("insufficient_scope"), CandidateCause::Role),
        (!context.has_trusted_tenant(), CandidateCause::Tenant),
        (true, CandidateCause::Signature),
        (true, CandidateCause::Clock),
    ];
    let mut candidates =
        candidates.into_iter().filter_map(|(applies, candidate)| applies.then_some(candidate));
    let first = candidates.next().unwrap_or(CandidateCause::Signature);
    Diagnosis::unknown([first, candidates.next().unwrap_or(CandidateCause::Clock)])
}
