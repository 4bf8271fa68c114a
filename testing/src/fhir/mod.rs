//! The fake FHIR service.

mod bundle;
mod call;
mod capability;
mod conditional;
mod criteria;
mod export;
mod format;
mod history;
mod input;
mod instant;
mod interaction;
mod json;
mod outcome;
mod patch;
mod read;
mod reference;
mod reply;
mod resource;
mod save;
mod search;
mod service;
mod store;
#[cfg(test)]
mod tests;
mod types;
mod unsupported;
mod write;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    routing::{delete, get, post},
};
use http::Method;
use tower::ServiceExt;

use self::{
    call::{on, on_operation},
    outcome::Outcome,
};
pub(crate) use self::{export::Exports, outcome::error_response, resource::Draft, service::FhirService};

/// Returns `true` if a request needs no token (`fhir-server FhirController.cs`, `OperationDefinitionController.cs`,
/// `KnownRoutes.cs`).
pub(crate) fn needs_no_token(method: &Method, path: &str) -> bool {
    const PUBLIC: [&str; 4] = ["metadata", ".well-known/smart-configuration", "health/check", "$versions"];
    let path = path.trim_matches('/');
    method == Method::GET && (PUBLIC.contains(&path) || path.starts_with("OperationDefinition/"))
}

pub(crate) fn router(service: Arc<FhirService>) -> Router {
    let router = Router::new()
        .route("/", get(on(search::search_all)).post(on(|call| bundle::bundle(call, router))))
        .route("/metadata", get(on(capability::statement)))
        .route("/.well-known/smart-configuration", get(on(capability::smart_configuration)))
        .route("/$versions", get(on(capability::versions)))
        .route("/health/check", get(on(capability::health)))
        .route("/_history", get(on(history::history)))
        .route(
            "/{type}",
            get(on(search::search))
                .post(on(write::create))
                .put(on(conditional::update))
                .patch(on(conditional::patch))
                .delete(on(conditional::delete)),
        )
        .route("/{type}/_search", post(on(search::search)))
        .route(
            "/{type}/{id}",
            get(on(read::read)).put(on(write::update)).patch(on(patch::patch)).delete(on(write::delete)),
        )
        .route("/{type}/{id}/$purge-history", delete(on(write::purge_history)))
        .route("/{type}/_history", get(on(history::history)))
        .route("/{type}/{id}/_history", get(on(history::history)))
        .route("/{type}/{id}/_history/{version}", get(on(read::read_version)))
        .route("/_search", post(on(search::search_all)))
        .route("/$export", get(on_operation(export::export_all)))
        .route("/{type}/$export", get(on_operation(export::export_type)))
        .route("/{type}/{id}/$export", get(on_operation(export::export_instance)))
        .route(
            "/_operations/export/{id}",
            get(on_operation(export::status)).delete(on_operation(export::cancel)),
        )
        .merge(unsupported::routes())
        .fallback(on(|_| Err(Outcome::unknown_path())))
        .method_not_allowed_fallback(on(|_| Err(Outcome::method_not_allowed())))
        .with_state(service);
    // The real server ignores a trailing slash.
    Router::new().fallback_service(router.map_request(without_trailing_slash))
}

fn without_trailing_slash(mut request: Request) -> Request {
    let uri = request.uri();
    let path = uri.path();
    if path.len() > 1 && path.ends_with('/') {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        if let Ok(uri) = format!("{}{query}", path.trim_end_matches('/')).parse() {
            *request.uri_mut() = uri;
        }
    }
    request
}
