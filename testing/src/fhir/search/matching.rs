//! [`matching`]: the resources that match all parameters of a query.

use super::{
    criterion::{Context, Criterion},
    query::Query,
};
use crate::fhir::{outcome::Outcome, resource::Resource, store::Store};

/// Returns the resources that match a query such as `identifier=a|b`, in the order of their last change.
pub(crate) fn matching<'a>(
    store: &'a Store,
    resource_type: &str,
    query: &str,
    origin: &str,
) -> Result<Vec<&'a Resource>, Outcome> {
    let context = Context { resource_type, origin, now: None };
    let criteria = Query::parse(query.as_bytes())
        .iter()
        .map(|(name, value)| criterion(context, name, value))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(store.current(resource_type).filter(|resource| matches_all(&criteria, resource)).collect())
}

pub(super) fn criterion(context: Context<'_>, name: &str, value: &str) -> Result<Criterion, Outcome> {
    // The real service ignores the parameter and adds a warning to the response (`fhir-server SearchOptionsFactory.cs`).
    if name.trim().is_empty() || value.trim().is_empty() {
        return Err(Outcome::unsupported(&format!("the search parameter `{name}` without a value")));
    }
    Criterion::parse(context, name, value)
}

pub(super) fn matches_all(criteria: &[Criterion], resource: &Resource) -> bool {
    criteria.iter().all(|criterion| criterion.matches(resource))
}
