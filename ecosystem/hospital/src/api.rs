//! The HTTP interface of this service. Authentication of its callers is not shown.

use std::time::Duration;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    exports::{Exports, Status},
    failure::{Failure, Result},
    outbox::Outbox,
    patients::{Address, Admission, Patient, Patients},
    worker::WorkerStatus,
};

/// The largest image that can be sent with one request, in bytes.
const MAX_IMAGE: usize = 64 * 1024 * 1024;

/// The longest time that a request for the status of an export takes.
const MAX_WAIT: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Api {
    pub patients: Patients,
    pub exports: Exports,
    pub outbox: Outbox,
    pub worker: watch::Receiver<WorkerStatus>,
}

/// A body that a caller sends.
type Received<T> = Result<Json<T>, JsonRejection>;

impl Api {
    pub fn router(self) -> Router {
        Router::new()
            .route("/patients", get(list).post(admit))
            .route("/patients/{id}/address", put(change_address))
            .route("/exports", post(start_export))
            .route("/exports/{id}", get(export_status).delete(cancel_export))
            .route("/images", post(add_image).layer(DefaultBodyLimit::max(MAX_IMAGE)))
            .route("/worker", get(worker_status))
            .with_state(self)
    }
}

async fn list(State(api): State<Api>) -> Result<Json<Vec<Patient>>> {
    Ok(Json(api.patients.list().await?))
}

async fn admit(State(api): State<Api>, admission: Received<Admission>) -> Result<Response> {
    let (patient, is_new) = api.patients.admit(&admission?.0).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(patient)).into_response())
}

async fn change_address(
    State(api): State<Api>,
    Path(id): Path<String>,
    address: Received<Address>,
) -> Result<StatusCode> {
    api.patients.change_address(&id, &address?.0).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn start_export(State(api): State<Api>) -> Result<Response> {
    let location = format!("/exports/{}", api.exports.start().await?);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)]).into_response())
}

/// `Prefer: wait=30` delays the response until the export is no longer in progress, for at most 30 seconds (RFC 7240
/// section 4.3).
async fn export_status(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let wait =
        headers.get("prefer").and_then(|value| value.to_str().ok()?.strip_prefix("wait=")?.parse().ok());
    let wait = Duration::from_secs(wait.unwrap_or_default()).min(MAX_WAIT);
    let status = api.exports.status(export_id(&id)?, wait).await?;
    Ok(match &status {
        Status::InProgress { next_poll } => {
            let wait = next_poll.as_secs().to_string();
            (StatusCode::ACCEPTED, [(header::RETRY_AFTER, wait)], Json(status)).into_response()
        }
        _ => Json(status).into_response(),
    })
}

async fn cancel_export(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode> {
    api.exports.cancel(export_id(&id)?).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Accepts an image, which the worker uploads later.
async fn add_image(State(api): State<Api>, image: Bytes) -> Result<StatusCode> {
    api.outbox.add(&image).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn worker_status(State(api): State<Api>) -> Json<WorkerStatus> {
    Json(api.worker.borrow().clone())
}

fn export_id(id: &str) -> Result<Uuid> {
    id.parse().map_err(|_| Failure::NotFound("export"))
}
