//! The commands for a DICOM service.

use std::{io, path::PathBuf};

use azure_healthcare_auth::{Body, DicomAudience, HealthcareClient};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::fs::{self, File};
use tokio_util::io::ReaderStream;

use crate::Outcome;

type Client = HealthcareClient<DicomAudience>;

pub async fn store(client: &Client, file: &str) -> Outcome {
    let file = PathBuf::from(file);
    let response = client
        .post("studies")
        .header("content-type", "multipart/related; type=\"application/dicom\"; boundary=file")
        .body_stream(move || Body::stream(multipart(file.clone())))
        .send()
        .await?;
    let stored: Value = response.json()?;
    // The Referenced SOP Sequence's Retrieve URL.
    let url = stored["00081199"]["Value"][0]["00081190"]["Value"][0]
        .as_str()
        .ok_or("the response has no retrieve URL")?;
    Ok(format!("{} {url}", response.status().as_str()))
}

/// Returns a multipart body with the file as its only part. The file is read while the body is sent.
fn multipart(file: PathBuf) -> impl Stream<Item = io::Result<Bytes>> {
    let text = |text| stream::iter([Ok(Bytes::from_static(text))]);
    let content = stream::once(File::open(file)).map_ok(ReaderStream::new).try_flatten();
    text(b"--file\r\nContent-Type: application/dicom\r\n\r\n").chain(content).chain(text(b"\r\n--file--\r\n"))
}

pub async fn retrieve(client: &Client, path: &str, file: &str) -> Outcome {
    let mut response = client
        .get(path)
        .header("accept", "multipart/related; type=\"application/dicom\"; transfer-syntax=*")
        .stream()
        .await?
        .error_for_status()?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    let media_type =
        response.headers().get("content-type").ok_or("the response has no content type")?.to_str()?;
    let part = only_part(&body, media_type).ok_or("the multipart body is incomplete")?;
    fs::write(file, part).await?;
    Ok(format!("{} bytes", part.len()))
}

/// Returns the content of a multipart body with one part.
fn only_part<'a>(body: &'a [u8], media_type: &str) -> Option<&'a [u8]> {
    let boundary = media_type.split("boundary=").nth(1)?.split(';').next()?.trim_matches('"');
    let part = body.strip_prefix(format!("--{boundary}\r\n").as_bytes())?;
    let start = part.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    part[start..].strip_suffix(format!("\r\n--{boundary}--\r\n").as_bytes())
}
