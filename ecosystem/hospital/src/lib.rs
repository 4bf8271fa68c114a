//! A hospital's service: its Patients are in a FHIR service, and its images are in a DICOM service.
//!
//! [`hospital`] creates its two halves. The [`Router`] lists and admits Patients, changes their addresses, exports
//! everything, and accepts images. The [`Worker`] uploads these images, and keeps a copy of all images in a folder.

mod api;
mod archive;
mod change_feed;
mod exports;
mod failure;
mod instance;
mod operation;
mod outbox;
mod pages;
mod partial_file;
mod patients;
mod storage;
mod stow;
mod worker;

use std::{path::PathBuf, time::Duration};

use axum::Router;
use azure_healthcare_auth::{DicomAudience, FhirAudience, HealthcareClient};
use tokio::sync::watch;

use self::{archive::Archive, exports::Exports, outbox::Outbox, patients::Patients};
pub use self::{
    failure::Failure,
    storage::Storage,
    worker::{Worker, WorkerStatus},
};

/// The services that this one uses.
#[derive(Clone)]
pub struct Services {
    pub fhir: HealthcareClient<FhirAudience>,
    pub dicom: HealthcareClient<DicomAudience>,
    pub storage: Storage,
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// Contains all files of this service.
    pub folder: PathBuf,
    /// The time between two requests for something new, unless a service asks for another one.
    pub interval: Duration,
    /// The longest time from the timestamp of a change in the DICOM service until it is visible.
    pub settle: Duration,
    /// The number of changes that are read at once, at most 200.
    pub page_size: usize,
}

impl Settings {
    /// Returns the settings for production.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, interval: Duration::from_secs(10), settle: Duration::from_secs(30), page_size: 200 }
    }
}

/// Creates the service.
pub fn hospital(services: Services, settings: Settings) -> (Router, Worker) {
    let Services { fhir, dicom, storage } = services;
    let Settings { folder, interval, settle, page_size } = settings;
    let exports = Exports::new(fhir.clone(), storage, folder.join("exports"), interval);
    let outbox = Outbox::new(&folder);
    let archive = Archive::new(folder.join("archive"));
    let status = watch::Sender::default();
    let worker = status.subscribe();
    let api = api::Api { patients: Patients::new(fhir), exports, outbox: outbox.clone(), worker };
    (api.router(), Worker { dicom, outbox, archive, settle, page_size, interval, status })
}
