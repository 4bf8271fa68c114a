//! Pure functions that determine the cause of a denial. The wording is in `explanation`.

use super::{
    candidate::CandidateCause,
    cause::DenialCause,
    context::{AudienceMatch, DenialContext},
};

/// The result of the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub(super) cause: DenialCause,
    /// For a 401: `true` if the token does not confirm the cause that the response reports. Always `false` for a 403.
    pub(super) unconfirmed: bool,
    /// The two most likely causes, if `cause` is unknown.
    pub(super) candidates: Option<[CandidateCause; 2]>,
}

impl Diagnosis {
    fn known(cause: DenialCause, unconfirmed: bool) -> Self {
        Self { cause, unconfirmed, candidates: None }
    }

    fn unknown(candidates: [CandidateCause; 2]) -> Self {
        Self { cause: DenialCause::Unknown, unconfirmed: false, candidates: Some(candidates) }
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
        // A failed export or import returns the status of the dependency that failed, such as a 403 from the storage
        // account.
        Some(outcome) if outcome.has("processing") => {
            Diagnosis::unknown([CandidateCause::ServiceSpecific, CandidateCause::StorageRole])
        }
        // The service uses only codes of its own, whose meaning is unknown.
        Some(_) if context.known_code().is_none() => {
            Diagnosis::unknown([CandidateCause::Role, CandidateCause::ServiceSpecific])
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
    // Check the signature last of all hints, because an authority that does not know the issuer also reports an unknown
    // key.
    if hints.signature_invalid {
        let unconfirmed = context.compare(context.requested) != AudienceMatch::Different;
        return Diagnosis::known(DenialCause::InvalidSignature, unconfirmed);
    }
    // A service that received no token has not checked it.
    if context.reports_no_token() {
        return Diagnosis::unknown(most_likely_causes(context));
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
        Diagnosis::unknown(most_likely_causes(context))
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

/// Returns the two most likely causes of a 401 whose cause the evidence does not determine.
///
/// Anything unusual about the response or the token comes first, then the most frequent causes.
fn most_likely_causes(context: &DenialContext<'_>) -> [CandidateCause; 2] {
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
    // The last two entries always apply.
    let first = candidates.next().unwrap_or(CandidateCause::Signature);
    [first, candidates.next().unwrap_or(CandidateCause::Clock)]
}
