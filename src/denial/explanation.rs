//! The wording of a denial: the reason, the help and the possible causes.

use std::time::{Duration, SystemTime};

use super::{
    audience_mismatch,
    candidate::CandidateCause,
    cause::DenialCause,
    context::{AudienceMatch, DenialContext},
    diagnosis::Diagnosis,
    duration::format_duration,
    evidence::RefreshAttempt,
    phrases::{audience, configured_as, issuer, principal},
};
use crate::{
    audience::service_kind::ServiceKind,
    claims::UnverifiedClaims,
    text::{MAX_ID_LEN, MAX_RESOURCE_LEN, printable},
};

/// Returns the cause, the evidence for it, and what the client tried.
pub(super) fn reason(
    context: &DenialContext<'_>,
    diagnosis: &Diagnosis,
    possible_causes: &[String],
    refresh: RefreshAttempt,
) -> String {
    let reason = cause_reason(context, diagnosis.cause) + note(context, diagnosis, refresh);
    if possible_causes.is_empty() {
        return reason;
    }
    // The list comes after the note, because a note after the list would seem to belong to the last cause.
    let list: Vec<_> = possible_causes.iter().zip(1..).map(|(cause, n)| format!("({n}) {cause}")).collect();
    format!("{reason}; possible causes: {}", list.join("; "))
}

/// Returns the wording of the candidates, most likely first. Empty if the cause is known.
pub(super) fn possible_causes(context: &DenialContext<'_>, diagnosis: &Diagnosis) -> Vec<String> {
    diagnosis.candidates.iter().flatten().map(|candidate| candidate_reason(context, *candidate)).collect()
}

/// Returns what to do, as one sentence without a final period.
pub(super) fn help(context: &DenialContext<'_>, cause: DenialCause) -> String {
    let help = match cause {
        DenialCause::WrongAudience | DenialCause::TrailingSlash => return audience_mismatch::help(context),
        // Only the intended service can verify such a token. Tokens for Microsoft Graph are the best-known example.
        DenialCause::InvalidSignature if context.compare(context.requested) == AudienceMatch::Different => {
            return audience_mismatch::help_with_credential(context);
        }
        DenialCause::WrongTenant if !context.has_trusted_tenant() => return tenant_help(context),
        DenialCause::WrongTenant => {
            "check which token version the service's authority expects, because v1 and v2 tokens of the same tenant \
             have different issuers"
        }
        DenialCause::InvalidSignature => {
            "configure the credential to sign in to the cloud and the tenant that the service belongs to"
        }
        DenialCause::Expired if !is_unexpired(context) => {
            "use a credential that refreshes its token; if the token is static, replace it"
        }
        DenialCause::Expired | DenialCause::NotYetValid => {
            "synchronize this machine's clock with NTP, and compare it with the service's clock (the `Date` header \
             of the response)"
        }
        DenialCause::MissingRole if context.service == ServiceKind::Dicom => {
            "assign the principal the role \"DICOM Data Reader\", or \"DICOM Data Owner\" to write; a new assignment \
             can take minutes to take effect"
        }
        DenialCause::MissingRole => {
            "assign the principal the role \"FHIR Data Reader\", or a \"FHIR Data\" role that allows more than \
             reading; a new assignment can take minutes to take effect"
        }
        DenialCause::NotRoleRelated => {
            "do not change the roles; the service's explanation is in `Denial::body()`"
        }
        DenialCause::Unknown => {
            "check the possible causes in order; the full response is in `Denial::headers()` and `Denial::body()`"
        }
    };
    help.to_owned()
}

fn note(context: &DenialContext<'_>, diagnosis: &Diagnosis, refresh: RefreshAttempt) -> &'static str {
    match (diagnosis.unconfirmed, refresh) {
        // A 403 is not about the token, so a refresh is irrelevant.
        _ if context.forbidden => "",
        (true, RefreshAttempt::NotTried) => "; the token does not confirm this",
        (true, RefreshAttempt::NoOtherToken) => {
            "; the token does not confirm this, and no other token was available"
        }
        (true, RefreshAttempt::Replayed) => {
            "; the token does not confirm this, and another token was rejected as well"
        }
        (false, RefreshAttempt::NotTried) => "",
        (false, RefreshAttempt::NoOtherToken) => "; no other token was available",
        (false, RefreshAttempt::Replayed) => "; another token was rejected as well",
    }
}

fn cause_reason(context: &DenialContext<'_>, cause: DenialCause) -> String {
    match cause {
        DenialCause::WrongAudience => audience_mismatch::wrong_audience(context),
        DenialCause::TrailingSlash => audience_mismatch::trailing_slash(context),
        DenialCause::Expired => expired(context),
        DenialCause::NotYetValid => not_yet_valid(context),
        DenialCause::WrongTenant => wrong_tenant(context),
        DenialCause::InvalidSignature => {
            let token = match context.claims {
                Some(_) => format!(", which {} issued for {}", issuer(context), audience(context)),
                None => String::new(),
            };
            format!("the service rejects the signature of the token{token}")
        }
        DenialCause::MissingRole => missing_role(context),
        DenialCause::NotRoleRelated => match context.known_code() {
            Some("not-supported") => {
                "not related to roles: the service does not support this request".to_owned()
            }
            code => {
                format!("not related to roles: the service reports issue code {}", code.unwrap_or("other"))
            }
        },
        DenialCause::Unknown => "the response does not identify the cause".to_owned(),
    }
}

fn candidate_reason(context: &DenialContext<'_>, candidate: CandidateCause) -> String {
    let reason = match candidate {
        CandidateCause::NotAsRequested => {
            let requested = printable(context.requested, MAX_RESOURCE_LEN);
            return format!("the token is for {}, although {requested} was requested", audience(context));
        }
        CandidateCause::Expired => return expired(context),
        CandidateCause::Signature => {
            return format!(
                "the service rejects the signature of the token, which {} issued",
                issuer(context)
            );
        }
        CandidateCause::Audience if context.first_audience().is_some() => {
            return format!("the service is configured with an audience other than {}", audience(context));
        }
        CandidateCause::Tenant => return format!("the service does not trust {}", issuer(context)),
        CandidateCause::Role => return missing_role(context),
        CandidateCause::Clock => match elapsed_since(context, UnverifiedClaims::not_before) {
            Some(Err(left)) => {
                return format!(
                    "a clock is wrong: according to this machine's clock, the token becomes valid in {}",
                    format_duration(left)
                );
            }
            _ => "the clock of this machine or of the service is wrong",
        },
        CandidateCause::HeaderRemoved => {
            "the Authorization header did not reach the service, for example because a proxy removed it"
        }
        CandidateCause::NotJwt => "the token is not a JWT, and the service accepts only JWTs",
        CandidateCause::Audience => "the token is not for the audience that the service is configured with",
        CandidateCause::SignInRequired => {
            "the token was revoked, or a policy of the tenant requires a new sign-in"
        }
        CandidateCause::StorageRole => {
            "in an export or import, the service's own identity has no role on the storage account"
        }
        CandidateCause::Gateway => {
            "a gateway, firewall or network rule in front of the service denied the request"
        }
        CandidateCause::ServiceSpecific => {
            "the service has another reason, which the response body may explain"
        }
        CandidateCause::TokenRejected => "the service rejects the token with 403 instead of the usual 401",
    };
    reason.to_owned()
}

fn expired(context: &DenialContext<'_>) -> String {
    match elapsed_since(context, UnverifiedClaims::expires_on) {
        Some(Ok(ago)) => {
            format!("the token expired {} ago according to this machine's clock", format_duration(ago))
        }
        Some(Err(left)) => format!(
            "the service reports that the token has expired, but according to this machine's clock it expires in {}",
            format_duration(left)
        ),
        None => "the service reports that the token has expired (its expiry time cannot be read)".to_owned(),
    }
}

fn not_yet_valid(context: &DenialContext<'_>) -> String {
    let report = "the service reports that the token is not valid yet";
    match elapsed_since(context, UnverifiedClaims::not_before) {
        Some(Ok(ago)) => format!(
            "{report}, but according to this machine's clock it became valid {} ago",
            format_duration(ago)
        ),
        Some(Err(left)) => format!(
            "{report}, and according to this machine's clock it becomes valid in {}",
            format_duration(left)
        ),
        None => format!("{report} (its start time cannot be read)"),
    }
}

/// Returns the time since a claim's point in time, or as `Err` the time until then.
fn elapsed_since(
    context: &DenialContext<'_>,
    claim: fn(&UnverifiedClaims) -> Option<SystemTime>,
) -> Option<Result<Duration, Duration>> {
    let time = context.claims.and_then(claim)?;
    Some(context.now.duration_since(time).map_err(|error| error.duration()))
}

fn is_unexpired(context: &DenialContext<'_>) -> bool {
    matches!(elapsed_since(context, UnverifiedClaims::expires_on), Some(Err(_)))
}

fn wrong_tenant(context: &DenialContext<'_>) -> String {
    let tenant = issuer(context);
    match context.trusted_tenant {
        Some(_) if context.has_trusted_tenant() => match context.claims.and_then(UnverifiedClaims::issuer) {
            Some(issuer) => {
                format!("the service trusts {tenant}, but rejects the token's issuer {issuer}")
            }
            None => format!("the service trusts {tenant}, but rejects the token, which names no issuer"),
        },
        Some(trusted) => {
            let trusted = printable(trusted, MAX_ID_LEN);
            format!("the token was issued by {tenant}, but the service trusts tenant {trusted}")
        }
        None => format!("the token was issued by {tenant}, and the service reports an invalid issuer"),
    }
}

fn tenant_help(context: &DenialContext<'_>) -> String {
    match context.trusted_tenant {
        Some(trusted) => {
            format!("configure the credential to sign in to tenant {}", printable(trusted, MAX_ID_LEN))
        }
        None => format!(
            "configure the credential to sign in to the service's tenant, {}",
            configured_as("authority")
        ),
    }
}

fn missing_role(context: &DenialContext<'_>) -> String {
    let scopes = context.claims.map_or(&[][..], UnverifiedClaims::scopes);
    // Tokens for Azure services have the scope `user_impersonation`. Other scopes are those of SMART on FHIR.
    let has_smart_scope = scopes.iter().any(|scope| scope != "user_impersonation");
    let scope = if has_smart_scope { ", or the token lacks a required scope" } else { "" };
    format!("{} has no role that allows this request{scope}", principal(context))
}
