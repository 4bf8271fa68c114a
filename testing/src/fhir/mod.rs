//! The fake FHIR service.

mod bundle;
mod call;
mod capability;
mod conditional;
mod export;
mod format;
mod history;
mod instant;
mod json;
mod outcome;
mod patch;
mod read;
mod reference;
mod reply;
mod resource;
mod search;
mod store;
#[cfg(test)]
mod tests;
mod types;
mod unsupported;
mod write;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Router,
    extract::Request,
    routing::{delete, get, post},
};
use azure_core::time::OffsetDateTime;
use http::Method;
use tower::ServiceExt;

use self::{
    call::{on, on_operation},
    outcome::Outcome,
};
pub(crate) use self::{export::Exports, outcome::error_response, resource::Draft, store::Store};
use crate::{clock::Clock, fault::Faults};

/// Returns `true` if a request needs no token (`fhir-server FhirController.cs`, `OperationDefinitionController.cs`,
/// `KnownRoutes.cs`).
pub(crate) fn needs_no_token(method: &Method, path: &str) -> bool {
    const PUBLIC: [&str; 4] = ["metadata", ".well-known/smart-configuration", "health/check", "$versions"];
    let path = path.trim_matches('/');
    method == Method::GET && (PUBLIC.contains(&path) || path.starts_with("OperationDefinition/"))
}

/// The fake FHIR service.
#[derive(Clone)]
pub(crate) struct FhirService {
    /// The origin of the service, without a trailing slash.
    pub(crate) origin: String,
    /// The origin of the storage that contains the files of an export, without a trailing slash.
    pub(crate) storage_origin: String,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<Mutex<Store>>,
    pub(crate) faults: Arc<Mutex<Faults>>,
    pub(crate) exports: Arc<Exports>,
}

impl FhirService {
    /// Creates a service with synthetic Patients and the resources of a test. The origins have no trailing slash.
    pub(crate) fn new(
        origin: &str,
        storage_origin: &str,
        clock: Clock,
        faults: Arc<Mutex<Faults>>,
        patients: usize,
        resources: &[Draft],
    ) -> Self {
        let now = instant::from_system_time(clock.now());
        let mut store = Store::new(patients, now);
        resources.iter().for_each(|resource| drop(store.put(resource.clone(), now)));
        let (origin, storage_origin) = (origin.to_owned(), storage_origin.to_owned());
        Self {
            origin,
            storage_origin,
            clock,
            store: Arc::new(Mutex::new(store)),
            faults,
            exports: Arc::default(),
        }
    }

    /// Returns the time of the service, with the precision of the store.
    pub(crate) fn now(&self) -> OffsetDateTime {
        instant::from_system_time(self.clock.now())
    }

    /// Returns a service that differs only in its store and in its clock, which stands still.
    fn with_store(&self, store: Store, now: OffsetDateTime) -> Self {
        let clock = Clock::of(move || now.into());
        Self { clock, store: Arc::new(Mutex::new(store)), ..self.clone() }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        // A panic in another thread cannot leave the store inconsistent, because nothing in a change can panic.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn router(service: Arc<FhirService>) -> Router {
    let router = Router::new()
        .route("/", get(on(search::search_all)).post(on(bundle::bundle)))
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
