//! Read and version read.

use axum::response::Response;
use http::StatusCode;

use super::{call::Call, outcome::Outcome, reply, resource::Resource};

/// The operations whose definitions the real server returns without a token (`fhir-server OperationsConstants.cs`).
const DEFINED_OPERATIONS: [&str; 18] = [
    "anonymized-export",
    "bulk-delete",
    "bulk-delete-soft-deleted",
    "bulk-update",
    "convert-data",
    "docref",
    "export",
    "group-export",
    "import",
    "includes",
    "member-match",
    "patient-export",
    "purge-history",
    "reindex",
    "resource-reindex",
    "resource-type-bulk-delete",
    "search-parameter-status",
    "valueset-expand",
];

/// `GET /{type}/{id}` (`fhir-server GetResourceHandler.cs`).
///
/// `If-None-Match` and `If-Modified-Since` have no effect, as in the real server, which does not read them.
pub(super) fn read(call: &Call) -> Result<Response, Outcome> {
    let store = call.service.store();
    respond(call, store.versions(call.resource_type(), call.resource_id()).last())
}

/// `GET /{type}/{id}/_history/{version}`.
pub(super) fn read_version(call: &Call) -> Result<Response, Outcome> {
    let store = call.service.store();
    let mut versions = store.versions(call.resource_type(), call.resource_id()).iter();
    respond(call, versions.find(|resource| resource.version().to_string() == call.version_id()))
}

fn respond(call: &Call, resource: Option<&Resource>) -> Result<Response, Outcome> {
    // `_elements` and `_summary` apply to every resource in a response (`fhir-server FhirJsonOutputFormatter.cs`).
    if call.parameter("_elements").is_some() {
        return Err(Outcome::unsupported("`_elements` when reading a resource"));
    }
    if call.parameter("_summary").is_some_and(|summary| !summary.eq_ignore_ascii_case("false")) {
        return Err(Outcome::unsupported("`_summary` when reading a resource"));
    }
    match resource {
        None if call.resource_type() == "OperationDefinition"
            && DEFINED_OPERATIONS.contains(&call.resource_id()) =>
        {
            Err(Outcome::unsupported("definitions of operations"))
        }
        None => {
            Err(Outcome::not_found(format!("There is no {} with this id and version.", call.resource_type())))
        }
        Some(resource) if resource.is_deleted() => Err(Outcome::gone(resource.etag())),
        Some(resource) => Ok(reply::resource(StatusCode::OK, resource)),
    }
}
