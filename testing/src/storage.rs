//! The fake blob storage that contains the files of an export.

use std::sync::Arc;

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use http::StatusCode;

/// The content of the storage.
#[derive(Debug, Default)]
pub(crate) struct Storage;

pub(crate) fn router(_storage: Arc<Storage>) -> Router {
    Router::new().fallback(async || error_response(StatusCode::NOT_FOUND))
}

/// Returns the response to a request that is rejected before the storage processes it.
pub(crate) fn error_response(status: StatusCode) -> Response {
    status.into_response()
}
