//! The paths of the fake DICOM service (`dicom-server KnownRoutes.cs`).

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request},
    middleware::{self, Next},
    response::IntoResponse,
    routing::{any, get, post},
};
use http::{Method, StatusCode};

use super::{changefeed, partitions, reply, search, service::DicomService, stow, wado};

const STUDY: &str = "/studies/{study}";
const SERIES: &str = "/studies/{study}/series/{series}";
const INSTANCE: &str = "/studies/{study}/series/{series}/instances/{instance}";

pub(crate) fn router(service: Arc<DicomService>) -> Router {
    let mut router = changefeed::routes();
    for version in ["/v1", "/v2"] {
        router = router.route(&format!("{version}/partitions"), get(partitions::list));
        for (path, feature) in [
            ("/operations/{*path}", "the status of operations"),
            ("/extendedquerytags", "extended query tags"),
            ("/extendedquerytags/{*path}", "extended query tags"),
            ("/export", "exports"),
        ] {
            let unsupported = any(async move || reply::unsupported(feature));
            router = router.route(&format!("{version}{path}"), unsupported);
        }
        for prefix in [version.to_owned(), format!("{version}/partitions/{{partition}}")] {
            router = add_data_routes(router, &prefix);
        }
    }
    router
        // `axum` sends HEAD to the handler of GET. The real server has no HEAD (`dicom-server QueryController.cs`).
        .route_layer(middleware::from_fn(async |request: Request, next: Next| match *request.method() {
            Method::HEAD => StatusCode::METHOD_NOT_ALLOWED.into_response(),
            _ => next.run(request).await,
        }))
        .fallback(async || reply::unsupported("this path"))
        .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
        // The pipeline limits the length of bodies, and `axum` must not limit them to 2 MB.
        .layer(DefaultBodyLimit::disable())
        .with_state(service)
}

/// Adds the paths that exist with and without a data partition.
fn add_data_routes(router: Router<Arc<DicomService>>, prefix: &str) -> Router<Arc<DicomService>> {
    let mut router = router
        .route(&format!("{prefix}/studies"), get(search::studies).post(stow::store))
        .route(&format!("{prefix}/series"), get(search::series))
        .route(&format!("{prefix}/instances"), get(search::instances))
        .route(&format!("{prefix}{STUDY}"), get(wado::retrieve).post(stow::store).delete(wado::delete))
        .route(&format!("{prefix}{STUDY}/metadata"), get(wado::metadata))
        .route(&format!("{prefix}{STUDY}/series"), get(search::series))
        .route(&format!("{prefix}{STUDY}/instances"), get(search::instances))
        .route(&format!("{prefix}{SERIES}"), get(wado::retrieve).delete(wado::delete))
        .route(&format!("{prefix}{SERIES}/metadata"), get(wado::metadata))
        .route(&format!("{prefix}{SERIES}/instances"), get(search::instances))
        .route(&format!("{prefix}{INSTANCE}"), get(wado::retrieve).delete(wado::delete))
        .route(&format!("{prefix}{INSTANCE}/metadata"), get(wado::metadata))
        .route(&format!("{prefix}{INSTANCE}/frames/{{frames}}"), get(wado::frames));
    for (path, feature) in [
        (format!("{INSTANCE}/rendered"), "rendered instances"),
        (format!("{INSTANCE}/frames/{{frame}}/rendered"), "rendered frames"),
        (format!("{STUDY}/rendered"), "rendered studies"),
        (format!("{SERIES}/rendered"), "rendered series"),
        (format!("{STUDY}/thumbnail"), "thumbnails"),
        (format!("{SERIES}/thumbnail"), "thumbnails"),
        (format!("{INSTANCE}/thumbnail"), "thumbnails"),
        (format!("{INSTANCE}/bulkdata/{{*path}}"), "bulk data"),
        ("/workitems".to_owned(), "worklists"),
        ("/workitems/{*path}".to_owned(), "worklists"),
    ] {
        let unsupported = any(async move || reply::unsupported(feature));
        router = router.route(&format!("{prefix}{path}"), unsupported);
    }
    let bulk_update = post(async || reply::unsupported("bulk updates"));
    router.route(&format!("{prefix}/studies/$bulkUpdate"), bulk_update)
}
