//! The bulk export: `$export`, its jobs and their files.

mod job;
mod jobs;
mod request;
mod resources;

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

pub(crate) use self::jobs::Exports;
use self::{
    job::{Job, Poll},
    request::{ExportRequest, Level},
};
use super::{call::Call, outcome::Outcome, reply, types::is_resource_type};

/// `GET /$export`.
pub(super) fn export_all(call: &Call) -> Result<Response, Outcome> {
    start(call, Level::All)
}

/// `GET /{type}/$export`, for Patients only (`fhir-server ExportController.cs`).
pub(super) fn export_type(call: &Call) -> Result<Response, Outcome> {
    if call.resource_type() != "Patient" {
        return Err(unsupported_type(call));
    }
    start(call, Level::Patients)
}

/// `GET /{type}/{id}/$export`, for Groups only (`fhir-server ExportController.cs`).
pub(super) fn export_instance(call: &Call) -> Result<Response, Outcome> {
    if call.resource_type() != "Group" {
        return Err(unsupported_type(call));
    }
    start(call, Level::Group(call.resource_id().to_owned()))
}

fn unsupported_type(call: &Call) -> Outcome {
    if is_resource_type(call.resource_type()) {
        Outcome::invalid(format!("The service cannot export resources of the type {}.", call.resource_type()))
    } else {
        Outcome::unknown_path()
    }
}

/// Starts a job. Its data is that of the moment when it starts (`fhir-server SqlExportOrchestratorJob.cs`).
fn start(call: &Call, level: Level) -> Result<Response, Outcome> {
    let request = ExportRequest::parse(&call.headers, &call.parameters(), level)?;
    let store = call.service.store().clone();
    let exports = &call.service.exports;
    let mut state = exports.state();
    state.last_id += 1;
    let id = state.last_id;
    let target =
        if call.query.is_empty() { call.path.clone() } else { format!("{}?{}", call.path, call.query) };
    let url = format!("{}{target}", call.service.origin);
    let job = Job::new(&request, &store, url, &call.service.origin, call.now(), exports.polls)?;
    state.jobs.insert(id, job);
    let mut response = StatusCode::ACCEPTED.into_response();
    let location = format!("{}/_operations/export/{id}", call.service.origin);
    reply::set(&mut response, header::CONTENT_LOCATION, &location);
    Ok(response)
}

/// `GET /_operations/export/{id}` (`fhir-server GetExportRequestHandler.cs`).
///
/// `X-Progress` is optional in the specification (FHIR Bulk Data Access, *Bulk Data Status Request*). The source of the real
/// server sends it only for bulk deletes and updates, with this text (`fhir-server BulkDeleteController.cs`).
pub(super) fn status(call: &Call) -> Result<Response, Outcome> {
    let exports = &call.service.exports;
    let mut state = exports.state();
    let job = job_id(call).and_then(|id| state.jobs.get_mut(&id)).ok_or_else(unknown_job)?;
    match job.poll(exports.storage(), &call.service.storage_origin) {
        Poll::InProgress => Ok((StatusCode::ACCEPTED, [("x-progress", "in progress")]).into_response()),
        Poll::Complete(manifest) => {
            // The content type of a manifest is not that of a resource (`fhir-server OperationsConstants.cs`).
            Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], manifest).into_response())
        }
        Poll::Failed(outcome) => Err(outcome),
    }
}

/// `DELETE /_operations/export/{id}`, also of a complete job. The job is unknown afterward, and its files stay
/// (`fhir-server CancelExportRequestHandler.cs`, `FhirOperationDataStoreBase.cs`).
pub(super) fn cancel(call: &Call) -> Result<Response, Outcome> {
    let removed = job_id(call).and_then(|id| call.service.exports.state().jobs.remove(&id));
    removed.map(|_| StatusCode::ACCEPTED.into_response()).ok_or_else(unknown_job)
}

/// Job ids are numbers (`fhir-server FhirOperationDataStoreBase.cs`).
fn job_id(call: &Call) -> Option<u64> {
    call.resource_id().parse().ok()
}

fn unknown_job() -> Outcome {
    Outcome::not_found("There is no export job with this id.")
}
