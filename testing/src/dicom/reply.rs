//! Responses of the fake DICOM service.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Serialize;

use crate::context::Unsupported;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json; charset=utf-8";
const DICOM_JSON: &str = "application/dicom+json; charset=utf-8";

/// Returns a text, as the real service does for errors.
pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Response {
    (status, [(header::CONTENT_TYPE, TEXT)], text.into()).into_response()
}

/// Returns a value as plain JSON.
pub(super) fn json(value: &impl Serialize) -> Response {
    with_json(StatusCode::OK, JSON, value)
}

/// Returns data sets in the DICOM JSON model.
pub(super) fn dicom_json(status: StatusCode, value: &impl Serialize) -> Response {
    with_json(status, DICOM_JSON, value)
}

fn with_json(status: StatusCode, content_type: &str, value: &impl Serialize) -> Response {
    // The values consist of maps with text keys, so the conversion cannot fail.
    let body = serde_json::to_vec(value).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// Returns the response to a request that the fake does not support. A test's fallback handler can replace it.
pub(super) fn unsupported(feature: &str) -> Response {
    let text = text(StatusCode::NOT_IMPLEMENTED, format!("The fake server does not support {feature}."));
    (axum::Extension(Unsupported), text).into_response()
}
