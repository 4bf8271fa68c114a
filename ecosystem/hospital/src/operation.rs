//! [`Operation`]: a request that the FHIR service processes in the background.

use std::time::Duration;

use axum::http::{StatusCode, header};
use azure_healthcare_auth::{FhirAudience, HealthcareClient, Response};

use crate::failure::{Failure, Result};

/// An operation in progress, such as an export.
pub struct Operation {
    fhir: HealthcareClient<FhirAudience>,
    /// The URL of its status.
    url: String,
}

/// The status of an operation.
pub enum Poll {
    /// With the time after which the service wants to be asked again, if it sent one.
    InProgress(Option<Duration>),
    Complete(Response),
}

impl Operation {
    /// Starts an operation. The client does not retry this request, because that could start another one.
    pub async fn start(fhir: &HealthcareClient<FhirAudience>, path: &str) -> Result<Self> {
        let response = fhir.get(path).header("prefer", "respond-async").send().await?.error_for_status()?;
        let url = response.headers().get(header::CONTENT_LOCATION).and_then(|url| url.to_str().ok());
        match url {
            Some(url) if response.status() == StatusCode::ACCEPTED => {
                Ok(Self { fhir: fhir.clone(), url: url.to_owned() })
            }
            _ => Err(Failure::Unexpected("the FHIR service did not start the operation")),
        }
    }

    /// Requests the status once.
    pub async fn poll(&self) -> Result<Poll> {
        let response = self.fhir.get(&self.url).send().await.and_then(Response::error_for_status);
        match response {
            Ok(response) if response.status() == StatusCode::ACCEPTED => {
                Ok(Poll::InProgress(response.retry_after()))
            }
            Ok(response) => Ok(Poll::Complete(response)),
            // The status is temporarily unavailable, which says nothing about the operation.
            Err(error) if error.is_transient() => Ok(Poll::InProgress(error.retry_after())),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                Err(Failure::NotFound("operation"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Cancels the operation, or does nothing if the service does not know it any more.
    pub async fn cancel(&self) -> Result<()> {
        let response = self.fhir.delete(&self.url).send().await?;
        if response.status() != StatusCode::NOT_FOUND {
            response.error_for_status()?;
        }
        Ok(())
    }
}
