//! Searches.

use axum::response::Response;
use serde_json::Value;
use url::form_urlencoded;

use super::{call::Call, outcome::Outcome, resource::Resource, store::Store};

/// `GET /{type}` and `POST /{type}/_search`.
pub(crate) fn search(_call: &Call) -> Result<Response, Outcome> {
    Err(Outcome::unsupported("searches"))
}

/// Returns the resources that match a query such as `identifier=a|b`.
pub(crate) fn matching<'a>(
    store: &'a Store,
    resource_type: &str,
    query: &str,
    _origin: &str,
) -> Result<Vec<&'a Resource>, Outcome> {
    let mut found: Vec<_> = store.current(resource_type).collect();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "_id" => found.retain(|resource| resource.id() == value),
            "identifier" => found.retain(|resource| {
                let identifiers = resource.value().get("identifier").and_then(Value::as_array);
                identifiers.into_iter().flatten().any(|identifier| {
                    let part = |name: &str| identifier.get(name).and_then(Value::as_str).unwrap_or_default();
                    format!("{}|{}", part("system"), part("value")) == value
                })
            }),
            _ => return Err(Outcome::unsupported(&format!("the search parameter `{name}`"))),
        }
    }
    Ok(found)
}

/// Returns the search parameters of a resource type, by name and type, for the capability statement.
pub(crate) fn parameters(_resource_type: &str) -> Vec<(&'static str, &'static str)> {
    Vec::new()
}
