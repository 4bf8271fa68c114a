//! [`Failure`]: an error of this service, what its log contains, and what its callers see.

use std::time::Duration;

use axum::{
    extract::rejection::JsonRejection,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use azure_healthcare_auth::{Error, ErrorKind};

/// An error of this service. No message contains a token or patient data.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The caller sent an invalid request.
    #[error("{0}")]
    Invalid(&'static str),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The request contradicts the data of the service.
    #[error("{0}")]
    Conflict(&'static str),
    /// A request to the FHIR or DICOM service failed.
    #[error(transparent)]
    Service(#[from] Error),
    /// A service sent something that this service does not understand.
    #[error("{0}")]
    Unexpected(&'static str),
    /// The folder of this service cannot be read or written.
    #[error("the folder cannot be used: {0}")]
    Folder(#[from] std::io::Error),
}

pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl Failure {
    /// Returns the time after which a retry may succeed, or `None` if someone has to fix the cause.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::Service(error) = self else { return None };
        let is_temporary = error.is_transient() || error.kind() == ErrorKind::Credential;
        is_temporary.then(|| error.retry_after().unwrap_or(Duration::from_secs(5)))
    }
}

/// `axum`'s own message quotes the body, which is about a patient.
impl From<JsonRejection> for Failure {
    fn from(_: JsonRejection) -> Self {
        Self::Invalid("the body is not the expected JSON")
    }
}

/// The log gets the error, and the caller gets no more than it needs.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        if let Some(wait) = self.retry_after() {
            tracing::warn!(error = %self, "a service is temporarily unavailable");
            let wait = wait.as_secs().max(1).to_string();
            let message = "a service is temporarily unavailable";
            return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, wait)], message).into_response();
        }
        let status = match &self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Service(_) | Self::Unexpected(_) => StatusCode::BAD_GATEWAY,
            Self::Folder(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if !status.is_server_error() {
            return (status, self.to_string()).into_response();
        }
        tracing::error!(error = %self, "the request failed");
        let denied = matches!(&self, Self::Service(error) if error.kind() == ErrorKind::Denied);
        let message = if denied {
            "this service lacks a role or has an invalid token, see its log"
        } else {
            "the request failed, see the log"
        };
        (status, message).into_response()
    }
}
