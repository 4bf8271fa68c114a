//! Runs the service with the credential of its environment.
//!
//! Reads `FHIR_URL`, `DICOM_URL`, `STORAGE_URL` and `FOLDER`.

use std::{env, error::Error};

use azure_healthcare_auth::{DicomAudience, FhirAudience, HealthcareClient, credentials::from_env};
use hospital::{Services, Settings, Storage, hospital};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().init();
    let setting = |name: &str| env::var(name).map_err(|_| format!("set the environment variable {name}"));
    let credential = from_env()?;
    let fhir = HealthcareClient::new(setting("FHIR_URL")?.parse::<FhirAudience>()?, credential.clone());
    let dicom = fhir.for_audience(setting("DICOM_URL")?.parse::<DicomAudience>()?)?;
    let storage = Storage::new(setting("STORAGE_URL")?.parse()?, credential)?;

    let (api, worker) = hospital(Services { fhir, dicom, storage }, Settings::new(setting("FOLDER")?.into()));
    tokio::spawn(async move { worker.run().await });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    Ok(axum::serve(listener, api).await?)
}
