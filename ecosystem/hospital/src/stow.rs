//! [`store`]: stores instances in the DICOM service (STOW-RS).

use axum::http::StatusCode;
use azure_healthcare_auth::{DicomAudience, HealthcareClient};
use bytes::Bytes;
use serde_json::Value;
use uuid::Uuid;

use crate::failure::{Failure, Result};

/// The sequence of the instances that were not stored, in the DICOM JSON model.
const FAILED_SOP_SEQUENCE: &str = "00081198";
const FAILURE_REASON: &str = "00081197";
/// The reason for an instance that the service has already.
const ALREADY_STORED: u16 = 45070;

/// Stores files with one request, and returns how many of them the service rejected.
///
/// A file whose UIDs the service has already counts as stored, so that an upload can be sent again.
pub async fn store(dicom: &HealthcareClient<DicomAudience>, files: &[Bytes]) -> Result<usize> {
    let boundary = Uuid::new_v4().simple().to_string();
    let content_type = format!("multipart/related; type=\"application/dicom\"; boundary={boundary}");
    let body = multipart(&boundary, files);
    let response = dicom.post("studies").header("content-type", content_type).body(body).send().await?;
    match response.status() {
        StatusCode::OK => Ok(0),
        // Some files failed or have warnings, or all failed.
        StatusCode::ACCEPTED | StatusCode::CONFLICT => {
            let body: Value = serde_json::from_slice(response.bytes()).unwrap_or_default();
            let failed = body[FAILED_SOP_SEQUENCE]["Value"].as_array().map_or(&[][..], Vec::as_slice);
            if failed.is_empty() && response.status() == StatusCode::CONFLICT {
                return Err(Failure::Unexpected("the DICOM service did not explain a conflict"));
            }
            Ok(failed.iter().filter(|file| file[FAILURE_REASON]["Value"][0] != ALREADY_STORED).count())
        }
        StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_MEDIA_TYPE => Ok(files.len()),
        _ => {
            response.error_for_status()?;
            Err(Failure::Unexpected("the DICOM service sent an unknown status for a store request"))
        }
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
