//! Create, update and delete.

use axum::response::Response;
use http::HeaderName;

use super::{
    call::Call,
    conditional,
    input::{if_match, is_hard_delete, reject_unsupported, resource_of_path},
    outcome::Outcome,
    save::{self, deleted, saved},
    store::Change,
};

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// `POST /{type}` (`fhir-server FhirController.cs`, `CreateResourceHandler.cs`).
pub(super) fn create(call: &Call) -> Result<Response, Outcome> {
    reject_unsupported(call)?;
    let draft = resource_of_path(call)?;
    match call.header(&IF_NONE_EXIST) {
        Some(criteria) => conditional::create(call, draft, criteria),
        None => {
            let resource = save::create(&mut call.service.store(), call, draft)?;
            Ok(saved(call, &resource, Change::Created))
        }
    }
}

/// `PUT /{type}/{id}` (`fhir-server FhirController.cs`, `ValidateResourceIdFilterAttribute.cs`). `If-None-Match` has no
/// effect.
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
    let (resource, change) = save::save(&mut store, call, draft, call.resource_id(), expected.as_ref())?;
    Ok(saved(call, &resource, change))
}

/// `DELETE /{type}/{id}` (`fhir-server DeletionService.cs`). `If-Match` has no effect.
pub(super) fn delete(call: &Call) -> Result<Response, Outcome> {
    let hard = is_hard_delete(call)?;
    let mut store = call.service.store();
    Ok(deleted(save::delete(&mut store, call, call.resource_id(), hard).as_ref()))
}

/// `DELETE /{type}/{id}/$purge-history` (`fhir-server FhirController.cs`).
pub(super) fn purge_history(call: &Call) -> Result<Response, Outcome> {
    call.service.store().purge_history(call.resource_type(), call.resource_id());
    Ok(deleted(None))
}
