//! Parts of sentences that several messages share.

use super::context::DenialContext;
use crate::claims::UnverifiedClaims;

/// Names the token's audiences.
pub(super) fn audience(context: &DenialContext<'_>) -> String {
    match context.claims.map_or(&[][..], UnverifiedClaims::audiences) {
        [] => "an unknown audience".to_owned(),
        [one] => one.clone(),
        [one, more @ ..] => format!("{one} (and {} more)", more.len()),
    }
}

/// Names the tenant that issued the token, or the issuer if it is not a tenant.
pub(super) fn issuer(context: &DenialContext<'_>) -> String {
    let tenant = context.claims.and_then(|claims| Some(format!("tenant {}", claims.tenant_id()?)));
    let issuer = || context.claims.and_then(|claims| Some(claims.issuer()?.to_owned()));
    tenant.or_else(issuer).unwrap_or_else(|| "an unknown issuer".to_owned())
}

/// Names the principal that the token was issued to.
pub(super) fn principal(context: &DenialContext<'_>) -> String {
    let Some((claims, object_id)) = context.claims.and_then(|claims| Some((claims, claims.object_id()?)))
    else {
        return "the token's principal".to_owned();
    };
    let kind = match claims.principal_type() {
        Some("app") => "service principal",
        Some("user") => "user",
        _ => "principal",
    };
    let application = claims.app_id().map(|id| format!(" (application {id})")).unwrap_or_default();
    format!("{kind} {object_id}{application}")
}

/// Describes where a service's configuration can be read. `property` is a property of the Azure resource.
pub(super) fn configured_as(property: &str) -> String {
    format!(
        "which the service's owner can find as `authenticationConfiguration.{property}` in the JSON view of the Azure \
         portal"
    )
}
