//! The fake DICOM service, in both API versions.

mod accept;
mod call;
mod change;
mod changefeed;
mod feed;
mod file;
mod frames;
mod instance;
mod json;
mod media_type;
mod multipart;
mod partitions;
mod reply;
mod routes;
mod search;
mod service;
mod store;
mod stow;
#[cfg(test)]
mod tests;
mod uid;
mod validate;
mod value;
mod wado;

use axum::response::IntoResponse;
use http::StatusCode;

pub(crate) use self::{
    change::DEFAULT_PARTITION, instance::Instance, routes::router, service::DicomService, store::Store,
};
pub use self::{
    change::{ChangeTiming, FakeChange},
    file::dicom_file,
};

/// Returns the response to a request that is rejected before the service processes it.
pub(crate) fn error_response(status: StatusCode) -> axum::response::Response {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => status.into_response(),
        StatusCode::FORBIDDEN => reply::text(status, "Authorization failed."),
        _ => reply::text(status, status.canonical_reason().unwrap_or("Unknown status")),
    }
}
