//! Create, update, patch and delete of the resource that matches a search.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header};
use serde_json::json;

use super::{
    call::Call,
    criteria::{matching, only_match, require_parameters},
    input::{self, Version},
    outcome::Outcome,
    patch::Patch,
    reply,
    resource::Draft,
    save,
    store::Change,
};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const ITEMS_DELETED: HeaderName = HeaderName::from_static("items-deleted");

/// The highest number of resources that a conditional delete deletes (Azure documentation
/// `rest-api-capabilities.md`).
const MAX_DELETE_COUNT: usize = 100;

/// `POST /{type}` with `If-None-Exist` (`fhir-server ConditionalCreateResourceHandler.cs`).
pub(super) fn create(call: &Call, draft: Draft, criteria: &str) -> Result<Response, Outcome> {
    let preference = Preference::of(call)?;
    let criteria = criteria.trim().trim_start_matches('?');
    require_parameters(criteria)?;
    let mut store = call.service.store();
    let found = only_match(&store, call, call.resource_type(), criteria)?;
    let (resource, status) = match found {
        Some(resource) => (resource, StatusCode::OK),
        None => (save::create(&mut store, call, draft)?, StatusCode::CREATED),
    };
    let mut response = preference.apply(reply::resource(status, &resource), status);
    reply::set(&mut response, header::LOCATION, &reply::version_url(&call.service.origin, &resource));
    Ok(response)
}

/// `PUT /{type}?…` (`fhir-server ConditionalUpsertResourceHandler.cs`). `If-Match` has no effect.
pub(super) fn update(call: &Call) -> Result<Response, Outcome> {
    input::reject_unsupported(call)?;
    let draft = input::resource_of_path(call)?;
    require_parameters(&call.query)?;
    let mut store = call.service.store();
    let found = only_match(&store, call, call.resource_type(), &call.query)?;
    let id = draft.id().map(str::to_owned);
    let (resource, change) = match (found, id) {
        (Some(found), Some(id)) if found.id() != id => {
            return Err(Outcome::invalid(
                "The resource that matches has another id than the one in the body.",
            ));
        }
        (Some(found), _) => save::save(&mut store, call, draft, found.id(), Some(&Version::of(&found)))?,
        // As for a normal update, the id may be that of an existing resource that does not match.
        (None, Some(id)) => save::save(&mut store, call, draft, &id, None)?,
        (None, None) => (save::create(&mut store, call, draft)?, Change::Created),
    };
    Ok(save::saved(call, &resource, change))
}

/// `PATCH /{type}?…` (`fhir-server ConditionalPatchResourceHandler.cs`).
pub(super) fn patch(call: &Call) -> Result<Response, Outcome> {
    input::reject_unsupported(call)?;
    let patch = Patch::of(call)?;
    let expected = input::if_match(call)?;
    let mut store = call.service.store();
    let found = only_match(&store, call, call.resource_type(), &call.query)?;
    let found = found.ok_or_else(|| Outcome::not_found("No resource matches."))?;
    patch.save(&mut store, call, &found, expected.as_ref())
}

/// `DELETE /{type}?…` (`fhir-server ConditionalDeleteResourceHandler.cs`).
pub(super) fn delete(call: &Call) -> Result<Response, Outcome> {
    let hard = input::is_hard_delete(call)?;
    let count = match call.parameter("_count") {
        None => None,
        Some(count) => match count.parse() {
            Ok(count) if (1..=MAX_DELETE_COUNT).contains(&count) => Some(count),
            _ => {
                let diagnostics = format!("`_count` must be a number from 1 to {MAX_DELETE_COUNT}.");
                return Err(Outcome::invalid(diagnostics));
            }
        },
    };
    require_parameters(&call.query)?;
    let mut store = call.service.store();
    let (mut response, deleted) = match count {
        Some(count) if count > 1 => {
            let found = matching(&store, call.resource_type(), &call.query, &call.service.origin)?;
            let ids: Vec<_> =
                found.into_iter().take(count).map(|resource| resource.id().to_owned()).collect();
            ids.iter().for_each(|id| drop(save::delete(&mut store, call, id, hard)));
            (save::deleted(None), ids.len())
        }
        _ => match only_match(&store, call, call.resource_type(), &call.query)? {
            None => (save::deleted(None), 0),
            Some(found) => (save::deleted(save::delete(&mut store, call, found.id(), hard).as_ref()), 1),
        },
    };
    if count.is_some() {
        reply::set(&mut response, ITEMS_DELETED, &deleted.to_string());
    }
    Ok(response)
}

/// The requested content of the response to a conditional create. Other requests ignore it (`fhir-server FhirController.cs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preference {
    Minimal,
    Representation,
    OperationOutcome,
}

impl Preference {
    /// Reads `Prefer: return=…` (`fhir-server PreferHeaderExtensions.cs`).
    fn of(call: &Call) -> Result<Self, Outcome> {
        let values = call.headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
        Self::parse(values)
    }

    fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Result<Self, Outcome> {
        let mut preferences =
            values.flat_map(|value| value.split(',')).map(str::trim).map(str::to_ascii_lowercase);
        let preference = preferences.find_map(|value| value.strip_prefix("return=").map(str::to_owned));
        match preference.as_deref() {
            Some("minimal") => Ok(Self::Minimal),
            None | Some("representation") => Ok(Self::Representation),
            Some("operationoutcome") => Ok(Self::OperationOutcome),
            Some(_) => Err(Outcome::invalid(
                "`Prefer: return=` must be `minimal`, `representation` or `OperationOutcome`.",
            )),
        }
    }

    fn apply(self, response: Response, status: StatusCode) -> Response {
        let mut other = match self {
            Self::Representation => return response,
            Self::Minimal => status.into_response(),
            Self::OperationOutcome => {
                let text = match status {
                    StatusCode::CREATED => "The resource was created.",
                    _ => "A resource matches already.",
                };
                let issue =
                    json!({"severity": "information", "diagnostics": text, "details": {"text": text}});
                let outcome = json!({"resourceType": "OperationOutcome", "issue": [issue]});
                reply::json(status, outcome.to_string())
            }
        };
        for name in [header::ETAG, header::LAST_MODIFIED] {
            if let Some(value) = response.headers().get(&name) {
                other.headers_mut().insert(name, value.clone());
            }
        }
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefer_header_is_a_list_and_ignores_case() {
        for (values, expected) in [
            (&[][..], Ok(Preference::Representation)),
            (&["handling=strict"], Ok(Preference::Representation)),
            (&["handling=strict, Return=Minimal"], Ok(Preference::Minimal)),
            (&["respond-async", "return=OperationOutcome"], Ok(Preference::OperationOutcome)),
            (&["return="], Err(400)),
            (&["return=nothing"], Err(400)),
        ] {
            let preference = Preference::parse(values.iter().copied());
            assert_eq!(preference.map_err(|outcome| outcome.status().as_u16()), expected, "{values:?}");
        }
    }
}
