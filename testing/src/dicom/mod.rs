//! The fake DICOM service, in both API versions.

mod change;
mod changefeed;
mod feed;
mod file;
mod json;
mod service;

use std::sync::Arc;

use axum::{Router, response::IntoResponse};
use http::{StatusCode, header};

pub use self::change::{ChangeTiming, FakeChange};
pub(crate) use self::service::{DicomService, Store};
use crate::context::Unsupported;

const TEXT: &str = "text/plain; charset=utf-8";

pub(crate) fn router(service: Arc<DicomService>) -> Router {
    let unsupported = async || {
        let text = "The fake server does not support this path.";
        (StatusCode::NOT_IMPLEMENTED, axum::Extension(Unsupported), [(header::CONTENT_TYPE, TEXT)], text)
    };
    Router::new()
        .merge(changefeed::routes())
        .fallback(unsupported)
        .method_not_allowed_fallback(async || StatusCode::METHOD_NOT_ALLOWED)
        .with_state(service)
}

/// Returns the response to a request that is rejected before the service processes it.
pub(crate) fn error_response(status: StatusCode) -> axum::response::Response {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => status.into_response(),
        StatusCode::FORBIDDEN => {
            (status, [(header::CONTENT_TYPE, TEXT)], "Authorization failed.").into_response()
        }
        _ => {
            let text = status.canonical_reason().unwrap_or("Unknown status");
            (status, [(header::CONTENT_TYPE, TEXT)], text).into_response()
        }
    }
}
