//! Create, update and delete.

use std::str;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header};

use super::{
    call::Call,
    conditional,
    outcome::Outcome,
    reference, reply,
    resource::{Draft, Resource},
    store::{Change, Store, new_id},
};

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");
const PROVENANCE: HeaderName = HeaderName::from_static("x-provenance");
const PROFILE_VALIDATION: HeaderName = HeaderName::from_static("x-ms-profile-validation");

/// `POST /{type}` (`fhir-server FhirController.cs`, `CreateResourceHandler.cs`).
pub(super) fn create(call: &Call) -> Result<Response, Outcome> {
    reject_unsupported(call)?;
    let draft = resource_of_path(call)?;
    match call.header(&IF_NONE_EXIST) {
        Some(criteria) => conditional::create(call, draft, criteria),
        None => {
            let resource = create_in(&mut call.service.store(), call, draft)?;
            Ok(saved(call, &resource, Change::Created))
        }
    }
}

/// Creates a resource with a new id. The id that the client has sent has no effect.
pub(super) fn create_in(store: &mut Store, call: &Call, draft: Draft) -> Result<Resource, Outcome> {
    let id = call.assigned_id.clone().unwrap_or_else(new_id);
    save(store, call, draft, &id, None).map(|(resource, _)| resource)
}

/// `PUT /{type}/{id}` (`fhir-server FhirController.cs`, `ValidateResourceIdFilterAttribute.cs`).
pub(super) fn update(call: &Call) -> Result<Response, Outcome> {
    reject_unsupported(call)?;
    let draft = resource_of_path(call)?;
    let expected = if_match(call)?;
    let path_is_correct = match draft.id() {
        Some(id) if id == call.resource_id() => Ok(()),
        Some(_) => Err("The ids in the URL and in the resource differ."),
        None => Err("The resource needs the id that is in the URL."),
    };
    path_is_correct
        .map_err(|reason| Outcome::invalid(reason).about(format!("{}.id", draft.resource_type())))?;
    let mut store = call.service.store();
    let (resource, change) = save(&mut store, call, draft, call.resource_id(), expected.as_ref())?;
    Ok(saved(call, &resource, change))
}

/// Writes a resource if the expected version is the latest one (`fhir-server SqlServerFhirDataStore.cs`).
///
/// An update without `If-Match` always succeeds, because the service keeps versions without requiring the header
/// (`fhir-server appsettings.json`: `versioned`).
pub(super) fn save(
    store: &mut Store,
    call: &Call,
    mut draft: Draft,
    id: &str,
    expected: Option<&Version>,
) -> Result<(Resource, Change), Outcome> {
    if let Some(expected) = expected {
        match store.versions(draft.resource_type(), id).last() {
            Some(latest) if !expected.is(latest) => return Err(version_conflict()),
            Some(_) => {}
            None => {
                return Err(Outcome::not_found(
                    "There is no resource with this id and the version in `If-Match`.",
                ));
            }
        }
    }
    reference::resolve_criteria(store, &call.service.origin, draft.fields_mut())?;
    Ok(store.write(&draft, id, &call.method, call.now()))
}

pub(super) fn version_conflict() -> Outcome {
    Outcome::precondition_failed("The version in `If-Match` is not the latest one.")
}

/// Returns the response to a create or update (`fhir-server FhirController.cs`). `Prefer` has no effect.
pub(super) fn saved(call: &Call, resource: &Resource, change: Change) -> Response {
    match change {
        Change::Created => {
            let mut response = reply::resource(StatusCode::CREATED, resource);
            let location = reply::version_url(&call.service.origin, resource);
            reply::set(&mut response, header::LOCATION, &location);
            response
        }
        Change::Updated => reply::resource(StatusCode::OK, resource),
    }
}

/// `DELETE /{type}/{id}` (`fhir-server DeletionService.cs`). `If-Match` has no effect.
pub(super) fn delete(call: &Call) -> Result<Response, Outcome> {
    let hard = is_hard_delete(call)?;
    let mut store = call.service.store();
    Ok(deleted(delete_in(&mut store, call, call.resource_id(), hard).as_ref()))
}

/// Deletes a resource and returns the version that marks it as deleted, if there is one.
pub(super) fn delete_in(store: &mut Store, call: &Call, id: &str, hard: bool) -> Option<Resource> {
    if hard {
        store.hard_delete(call.resource_type(), id);
        return None;
    }
    store.mark_deleted(call.resource_type(), id, call.now())
}

/// 204, also if there was nothing to delete.
pub(super) fn deleted(version: Option<&Resource>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if let Some(version) = version {
        reply::set(&mut response, header::ETAG, &version.etag());
    }
    response
}

/// `DELETE /{type}/{id}/$purge-history` (`fhir-server FhirController.cs`).
pub(super) fn purge_history(call: &Call) -> Result<Response, Outcome> {
    call.service.store().purge_history(call.resource_type(), call.resource_id());
    Ok(deleted(None))
}

/// Returns `true` if the history is to be deleted too (`fhir-server HardDeleteModel.cs`).
pub(super) fn is_hard_delete(call: &Call) -> Result<bool, Outcome> {
    let mut hard = false;
    for (name, value) in call.parameters() {
        if ["_harddelete", "harddelete"].contains(&name.to_ascii_lowercase().as_str()) {
            hard |= match value.to_ascii_lowercase().as_str() {
                "true" => true,
                "false" | "" => false,
                _ => {
                    return Err(Outcome::invalid(format!(
                        "The parameter `{name}` must be `true` or `false`."
                    )));
                }
            };
        }
    }
    Ok(hard)
}

/// Returns the resource in the body, which must be of the type in the path (`fhir-server
/// ValidateResourceTypeFilterAttribute.cs`).
pub(super) fn resource_of_path(call: &Call) -> Result<Draft, Outcome> {
    let draft = resource(call)?;
    if draft.resource_type() != call.resource_type() {
        let diagnostics = "The resource is not of the type that is in the URL.";
        return Err(Outcome::invalid(diagnostics).about("TypeName"));
    }
    Ok(draft)
}

/// Returns the resource in the body. The fake does not check its content.
pub(super) fn resource(call: &Call) -> Result<Draft, Outcome> {
    Draft::parse(text(call)?)
        .map_err(|reason| Outcome::invalid(format!("The body is not a FHIR resource: {reason}.")))
}

/// Returns the body, which must not be empty.
pub(super) fn text(call: &Call) -> Result<&str, Outcome> {
    let text = str::from_utf8(&call.body).map_err(|_| Outcome::invalid("The body is not UTF-8."))?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() { Err(Outcome::invalid("The request needs a body.")) } else { Ok(text) }
}

/// Rejects what would change the effect of a write, because ignoring it would hide that it has none.
pub(super) fn reject_unsupported(call: &Call) -> Result<(), Outcome> {
    if call.header(&PROVENANCE).is_some() {
        return Err(Outcome::unsupported("the header `X-Provenance`"));
    }
    if call.header(&PROFILE_VALIDATION).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(Outcome::unsupported("the header `x-ms-profile-validation`"));
    }
    if call.parameter("_meta-history").is_some_and(|value| value.eq_ignore_ascii_case("false")) {
        return Err(Outcome::unsupported("the parameter `_meta-history`"));
    }
    Ok(())
}

/// The version that a request expects.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version(String);

impl Version {
    pub(super) fn of(resource: &Resource) -> Self {
        Self(resource.version().to_string())
    }

    /// Parses a weak entity tag. Strong ones are errors (`fhir-server WeakETag.cs`).
    fn parse(text: &str) -> Option<Self> {
        let version = text.strip_prefix("W/\"")?.strip_suffix('"')?;
        (!version.is_empty()).then(|| Self(version.to_owned()))
    }

    pub(super) fn is(&self, resource: &Resource) -> bool {
        self.0 == resource.version().to_string()
    }
}

/// Returns the version in `If-Match` (`fhir-server WeakETagBinder.cs`).
pub(super) fn if_match(call: &Call) -> Result<Option<Version>, Outcome> {
    let Some(value) = call.header(&header::IF_MATCH) else { return Ok(None) };
    let invalid = || Outcome::invalid("`If-Match` must be a weak entity tag, such as `W/\"1\"`.");
    Version::parse(value).map(Some).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_weak_entity_tags_are_versions() {
        for (text, expected) in [
            ("W/\"1\"", Some("1")),
            ("W/\"abc\"", Some("abc")),
            ("\"1\"", None),
            ("1", None),
            ("*", None),
            ("W/\"\"", None),
            ("W/\"1", None),
            ("w/\"1\"", None),
        ] {
            assert_eq!(Version::parse(text), expected.map(|text| Version(text.to_owned())), "{text}");
        }
    }
}
