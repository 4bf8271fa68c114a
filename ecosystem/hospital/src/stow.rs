//! [`store`]: stores instances in the DICOM service (STOW-RS).

use axum::http::StatusCode;
use azure_healthcare_auth::{DicomAudience, HealthcareClient};
use bytes::Bytes;
use serde::Deserialize;
use uuid::Uuid;

use crate::failure::{Failure, Result};

/// The reason for an instance that the service has already.
const ALREADY_STORED: u16 = 45070;

/// The response, in the DICOM JSON model.
#[derive(Deserialize)]
struct StoreResponse {
    #[serde(rename = "00081198", default)]
    failed: Attribute<FailedInstance>,
}

#[derive(Deserialize)]
struct FailedInstance {
    #[serde(rename = "00081197", default)]
    reason: Attribute<u16>,
}

#[derive(Deserialize)]
struct Attribute<T> {
    #[serde(rename = "Value", default = "Vec::new")]
    value: Vec<T>,
}

impl<T> Default for Attribute<T> {
    fn default() -> Self {
        Self { value: Vec::new() }
    }
}

/// Stores files with one request, and returns how many of them the service rejected.
///
/// A file whose UIDs the service has already counts as stored, so that an upload can be sent again.
pub async fn store(dicom: &HealthcareClient<DicomAudience>, files: &[Bytes]) -> Result<usize> {
    let boundary = Uuid::new_v4().simple().to_string();
    let content_type = format!("multipart/related; type=\"application/dicom\"; boundary={boundary}");
    let body = multipart(&boundary, files);
    let response = dicom.post("studies").header("content-type", content_type).body(body).send().await?;
    match response.status() {
        // All were stored, some with a warning.
        StatusCode::OK => Ok(0),
        // Some were stored with a warning or not at all, or none was stored.
        StatusCode::ACCEPTED | StatusCode::CONFLICT => {
            let response: StoreResponse = serde_json::from_slice(response.bytes())
                .map_err(|_| Failure::Unexpected("the DICOM service sent an invalid store response"))?;
            let failed = response.failed.value.iter();
            Ok(failed.filter(|instance| instance.reason.value != [ALREADY_STORED]).count())
        }
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => Ok(files.len()),
        _ => Err(response.error_for_status().err().map_or(
            Failure::Unexpected("the DICOM service sent an unknown status for a store request"),
            Failure::from,
        )),
    }
}

fn multipart(boundary: &str, files: &[Bytes]) -> Vec<u8> {
    let mut body = Vec::new();
    for file in files {
        body.extend_from_slice(format!("--{boundary}\r\nContent-Type: application/dicom\r\n\r\n").as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    body
}
