//! [`routes`]: what the real server supports and the fake does not.

use std::sync::Arc;

use axum::{
    Router,
    response::Response,
    routing::{any, get},
};

use super::{
    call::{Call, on},
    outcome::Outcome,
    service::FhirService,
    types::is_resource_type,
};

/// The operations of the whole service, of a type and of a resource (`fhir-server KnownRoutes.cs`).
const OF_SERVICE: [&str; 6] =
    ["$bulk-delete", "$bulk-delete-soft-deleted", "$bulk-update", "$convert-data", "$import", "$reindex"];
const OF_TYPE: [&str; 9] = [
    "$bulk-delete",
    "$bulk-delete-soft-deleted",
    "$bulk-update",
    "$docref",
    "$expand",
    "$includes",
    "$member-match",
    "$status",
    "$validate",
];
const OF_RESOURCE: [&str; 5] = ["$everything", "$expand", "$reindex", "$status", "$validate"];

/// The types whose compartments can be searched (`fhir-server CompartmentTypesRouteConstraint.cs`).
const COMPARTMENTS: [&str; 5] = ["Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"];

/// Returns the routes that respond with 501.
pub(super) fn routes() -> Router<Arc<FhirService>> {
    let add = |router: Router<Arc<FhirService>>, path: String| router.route(&path, any(on(operation)));
    let of_service = OF_SERVICE.iter().map(|name| format!("/{name}"));
    let of_type = OF_TYPE.iter().map(|name| format!("/{{type}}/{name}"));
    let of_resource = OF_RESOURCE.iter().map(|name| format!("/{{type}}/{{id}}/{name}"));
    of_service
        .chain(of_type)
        .chain(of_resource)
        .fold(Router::new(), add)
        .route("/_operations/{job}/{id}", any(on(job)))
        .route("/{type}/{id}/{compartment}", get(on(compartment)))
}

fn operation(call: &Call) -> Result<Response, Outcome> {
    let name = call.path.rsplit('/').next().unwrap_or_default();
    Err(Outcome::unsupported(&format!("the operation `{name}`")))
}

fn job(_call: &Call) -> Result<Response, Outcome> {
    Err(Outcome::unsupported("this asynchronous operation"))
}

fn compartment(call: &Call) -> Result<Response, Outcome> {
    let last = call.path.rsplit('/').next().unwrap_or_default();
    if COMPARTMENTS.contains(&call.resource_type()) && (last == "*" || is_resource_type(last)) {
        return Err(Outcome::unsupported("searches of a compartment"));
    }
    Err(Outcome::unknown_path())
}
