//! [`save`], [`delete`]: changes of the store, and the responses to them.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use super::{
    call::Call,
    input::Version,
    outcome::Outcome,
    reference, reply,
    resource::{Draft, Resource},
    store::{Change, Store, new_id},
};

/// Creates a resource with a new id. The id that the client has sent has no effect.
pub(super) fn create(store: &mut Store, call: &Call, draft: Draft) -> Result<Resource, Outcome> {
    let id = call.assigned_id.clone().unwrap_or_else(new_id);
    save(store, call, draft, &id, None).map(|(resource, _)| resource)
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

/// Deletes a resource and returns the version that marks it as deleted, if there is one.
pub(super) fn delete(store: &mut Store, call: &Call, id: &str, hard: bool) -> Option<Resource> {
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
