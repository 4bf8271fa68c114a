//! Searches.

use axum::response::Response;

use super::{call::Call, outcome::Outcome, resource::Resource, store::Store};

/// `GET /{type}` and `POST /{type}/_search`.
pub(crate) fn search(_call: &Call) -> Result<Response, Outcome> {
    Err(Outcome::unsupported("searches"))
}

/// Returns the resources that match a query such as `identifier=a|b`, at most those that a search returns.
pub(crate) fn matching<'a>(
    store: &'a Store,
    resource_type: &str,
    query: &str,
    _origin: &str,
) -> Result<Vec<&'a Resource>, Outcome> {
    let id = |value: &str| value.strip_prefix("_id=").map(str::to_owned);
    let Some(id) = id(query) else { return Err(Outcome::unsupported("this search")) };
    Ok(store.current(resource_type).filter(|resource| resource.id() == id).collect())
}

/// Returns the search parameters of a resource type, by name and type, for the capability statement.
pub(crate) fn parameters(_resource_type: &str) -> Vec<(&'static str, &'static str)> {
    Vec::new()
}
