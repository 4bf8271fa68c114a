//! [`matching`]: the resources that match the criteria of a conditional request.

use url::form_urlencoded;

use super::{call::Call, outcome::Outcome, resource::Resource, search, store::Store};

/// Returns the only resource that matches, or 412 if there are several (`fhir-server ConditionalResourceHandler.cs`).
pub(super) fn only_match(
    store: &Store,
    call: &Call,
    resource_type: &str,
    criteria: &str,
) -> Result<Option<Resource>, Outcome> {
    match matching(store, resource_type, criteria, &call.service.origin)?.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some((*only).clone())),
        _ => Err(not_selective()),
    }
}

/// Returns the resources that match the criteria.
///
/// Parameters that do not restrict the result are left out. Without others, the response is 412 (`fhir-server
/// SearchServiceExtensions.cs`).
pub(super) fn matching<'a>(
    store: &'a Store,
    resource_type: &str,
    criteria: &str,
    origin: &str,
) -> Result<Vec<&'a Resource>, Outcome> {
    const NOT_RESTRICTIVE: [&str; 9] = [
        "_count",
        "_summary",
        "_total",
        "ct",
        "harddelete",
        "_harddelete",
        "_meta-history",
        "_format",
        "_pretty",
    ];
    let is_restrictive = |parameter: &&str| {
        let name = form_urlencoded::parse(parameter.as_bytes()).next();
        name.is_some_and(|(name, _)| !NOT_RESTRICTIVE.contains(&name.to_ascii_lowercase().as_str()))
    };
    let criteria: Vec<_> = criteria.split('&').filter(is_restrictive).collect();
    if criteria.is_empty() {
        return Err(not_selective());
    }
    search::matching(store, resource_type, &criteria.join("&"), origin)
}

/// Rejects an empty query (`fhir-server ConditionalUpsertResourceValidator.cs` and the like).
pub(super) fn require_parameters(query: &str) -> Result<(), Outcome> {
    if form_urlencoded::parse(query.as_bytes()).next().is_none() {
        return Err(Outcome::invalid("A conditional request needs search parameters."));
    }
    Ok(())
}

fn not_selective() -> Outcome {
    Outcome::precondition_failed("The search parameters do not select a single resource.")
}
