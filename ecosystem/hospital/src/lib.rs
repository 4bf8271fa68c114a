//! A hospital's service: its Patients are in a FHIR service, and its images are in a DICOM service.
//!
//! [`hospital`] makes its two halves. The [`Router`] lists and admits Patients, changes their addresses and exports
//! everything. The [`Worker`] keeps a copy of all images in a folder.

mod api;
mod exports;
mod failure;
mod operation;
mod pages;
mod patients;
mod storage;

use std::{path::PathBuf, time::Duration};

use axum::Router;
use azure_healthcare_auth::{DicomAudience, FhirAudience, HealthcareClient};

use self::{exports::Exports, patients::Patients};
pub use self::{failure::Failure, storage::Storage};

/// The services that this one uses.
#[derive(Clone)]
pub struct Services {
    pub fhir: HealthcareClient<FhirAudience>,
    pub dicom: HealthcareClient<DicomAudience>,
    pub storage: Storage,
}

#[derive(Clone)]
pub struct Settings {
    /// Contains all files of this service.
    pub folder: PathBuf,
    /// The time between two requests for something new, unless a service asks for another one.
    pub interval: Duration,
}

/// Creates the service.
pub fn hospital(services: Services, settings: &Settings) -> Router {
    let Services { fhir, storage, .. } = services;
    let exports = Exports::new(fhir.clone(), storage, settings.folder.join("exports"), settings.interval);
    api::Api { patients: Patients::new(fhir), exports }.router()
}
