//! The wording for a token whose audience the service rejects.

use super::{
    context::{AudienceMatch, DenialContext},
    phrases::{audience, configured_as},
};
use crate::{
    audience::{cloud::PUBLIC_DICOM, service_kind::ServiceKind},
    text::{MAX_RESOURCE_LEN, printable},
};

/// Returns the reason for [`DenialCause::WrongAudience`](super::DenialCause::WrongAudience).
pub(super) fn wrong_audience(context: &DenialContext<'_>) -> String {
    let audience = audience(context);
    if let Some(expected) = context.expected {
        let same = context.compare(expected) == AudienceMatch::Same;
        let expected = printable(expected, MAX_RESOURCE_LEN);
        return if same {
            format!(
                "the service reports an invalid audience, although the token is for {expected}, which the service \
                 expects"
            )
        } else {
            format!("the token is for {audience}, but the service expects {expected}")
        };
    }
    if context.compare(context.requested) == AudienceMatch::Different {
        let requested = printable(context.requested, MAX_RESOURCE_LEN);
        format!(
            "the token is for {audience}, although {requested} was requested, and the service reports an invalid \
             audience"
        )
    } else if context.first_audience().is_none() {
        "the token's audience cannot be read, and the service rejects it".to_owned()
    } else {
        format!(
            "the token is for {audience}, and the service rejects this audience without naming the one that it \
             expects"
        )
    }
}

/// Returns the reason for [`DenialCause::TrailingSlash`](super::DenialCause::TrailingSlash).
pub(super) fn trailing_slash(context: &DenialContext<'_>) -> String {
    let audience = audience(context);
    let difference = "they differ only in the trailing slash";
    if let Some(expected) = context.expected {
        let expected = printable(expected, MAX_RESOURCE_LEN);
        format!("the token is for {audience}, but the service expects {expected}: {difference}")
    } else if context.compare(context.requested) == AudienceMatch::TrailingSlash {
        let requested = printable(context.requested, MAX_RESOURCE_LEN);
        format!(
            "the token is for {audience}, although {requested} was requested: {difference}, and the service reports \
             an invalid audience"
        )
    } else {
        format!(
            "the token is for {audience}, and the service rejects this audience: the usual audience of such a \
             service has no trailing slash"
        )
    }
}

/// Returns the help for both causes.
pub(super) fn help(context: &DenialContext<'_>) -> String {
    match context.expected {
        Some(_) if context.expects_unrelated_audience() => {
            "check the endpoint: no health service has that audience, so do not request a token for it"
                .to_owned()
        }
        Some(expected) if expected != context.requested => build_with(expected),
        Some(expected) if context.compare(expected) == AudienceMatch::Same => help_from_owner(context),
        Some(_) => help_with_credential(context),
        None => match context.compare(context.requested) {
            AudienceMatch::Different | AudienceMatch::TrailingSlash | AudienceMatch::ApplicationId => {
                help_with_credential(context)
            }
            AudienceMatch::Same | AudienceMatch::Unknown => help_with_usual_audience(context),
        },
    }
}

/// Returns the help if the requested resource is right but the credential returned a token for another one.
pub(super) fn help_with_credential(context: &DenialContext<'_>) -> String {
    if context.compare(context.requested) == AudienceMatch::ApplicationId {
        return "the app registration of the requested resource issues v2 tokens, whose audience is its application id: \
                set its `requestedAccessTokenVersion` to 1, or configure the service to accept that id"
            .to_owned();
    }
    format!(
        "use a credential that returns a token for the requested resource, {}; if the token is static, replace it",
        printable(context.requested, MAX_RESOURCE_LEN)
    )
}

/// Returns the help if the response does not name the expected audience: the usual one is the most likely.
fn help_with_usual_audience(context: &DenialContext<'_>) -> String {
    if let Some(usual) = context.usual_audience_without_slash() {
        build_with(usual)
    } else if !context.has_commonly_mistaken_audience() {
        help_from_owner(context)
    } else if context.service == ServiceKind::Dicom {
        format!("{}, the audience of all DICOM services in the public cloud", build_with(PUBLIC_DICOM))
    } else {
        "build the audience without `.resource(…)`: a FHIR service's audience is its own URL, unless its owner has \
         configured another one"
            .to_owned()
    }
}

fn help_from_owner(context: &DenialContext<'_>) -> String {
    let property = if context.service == ServiceKind::Dicom { "audiences" } else { "audience" };
    format!("build the audience with `.resource(…)` and the configured audience, {}", configured_as(property))
}

fn build_with(resource: &str) -> String {
    format!("build the audience with `.resource(\"{}\")`", printable(resource, MAX_RESOURCE_LEN))
}
