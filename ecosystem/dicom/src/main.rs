//! Reads the change feed and a DICOM object with `azure_healthcare_auth`, `dicom-json` and `dicom-object`.
//!
//! `GET changefeed` returns the changes, each with the instance's metadata, which `dicom-json` reads.
//! `GET studies/…/series/…/instances/…` (WADO-RS) returns the instance itself as the only part of a `multipart/related`
//! body, which `dicom-object` reads.

use azure_healthcare_auth::{DicomAudience, DicomVersion, HealthcareClient};
use azure_healthcare_auth_testing::FakeServer;
use dicom_dictionary_std::tags;
use dicom_json::DicomJson;
use dicom_object::{DefaultDicomObject, InMemDicomObject};
use serde::Deserialize;

type BoxError = Box<dyn std::error::Error>;

const ACCEPT: &str = r#"multipart/related; type="application/dicom"; transfer-syntax=*"#;

/// An entry of the change feed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    #[serde(alias = "StudyInstanceUid")] // the spelling in the documentation
    study_instance_uid: String,
    #[serde(alias = "SeriesInstanceUid")]
    series_instance_uid: String,
    #[serde(alias = "SopInstanceUid")]
    sop_instance_uid: String,
    /// Missing if the instance was deleted.
    #[serde(alias = "Metadata")]
    metadata: Option<DicomJson<InMemDicomObject>>,
}

impl Change {
    fn path(&self) -> String {
        let Self { study_instance_uid, series_instance_uid, sop_instance_uid, .. } = self;
        format!("studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}")
    }
}

/// Retrieves the instance with its file meta information. An instance above 64 MiB needs a higher body limit on the client.
async fn retrieve(
    dicom: &HealthcareClient<DicomAudience>,
    change: &Change,
) -> Result<DefaultDicomObject, BoxError> {
    let response = dicom.get(change.path()).header("accept", ACCEPT).send().await?.error_for_status()?;
    let content_type = response.headers().get("content-type").ok_or("no content type")?.to_str()?;
    let file = only_part(content_type, response.bytes()).ok_or("not one part of multipart/related")?;
    Ok(dicom_object::from_reader(file)?)
}

/// Returns the content of a `multipart/related` body with exactly one part (RFC 2046 §5.1.1), or `None` for other bodies.
fn only_part<'a>(content_type: &str, body: &'a [u8]) -> Option<&'a [u8]> {
    let (media_type, parameters) = content_type.split_once(';')?;
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let (_, boundary) = parameters.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    let delimiter = format!("--{}", boundary.trim_matches('"'));
    let (_, part) = split_once(body, delimiter.as_bytes())?;
    let (_headers, content) = split_once(part, b"\r\n\r\n")?;
    let (content, rest) = split_once(content, format!("\r\n{delimiter}").as_bytes())?;
    // The last delimiter is followed by `--`. Anything else starts another part.
    (media_type.trim().eq_ignore_ascii_case("multipart/related") && rest.starts_with(b"--"))
        .then_some(content)
}

fn split_once<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let found = bytes.windows(at.len()).position(|window| window == at)?;
    Some((&bytes[..found], &bytes[found + at.len()..]))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let fake_server = FakeServer::builder().changes(5).start().await;
    let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());

    let changes: Vec<Change> = dicom.get("changefeed").query("limit", "5").send().await?.json()?;
    let change = changes.last().ok_or("no change")?;
    let metadata = change.metadata.as_ref().ok_or("no metadata")?.inner();
    let patient = metadata.element(tags::PATIENT_ID)?.to_str()?;
    let modality = metadata.element(tags::MODALITY)?.to_str()?;
    println!("{} changes, the last for patient {patient}, modality {modality}", changes.len());
    assert_eq!((changes.len(), &*patient, &*modality), (5, "example-0001", "OT"));

    let instance = retrieve(&dicom, change).await?;
    let pixels = instance.element(tags::PIXEL_DATA)?.to_bytes()?;
    println!("instance: {} pixels, transfer syntax {}", pixels.len(), instance.meta().transfer_syntax());
    assert_eq!(instance.element(tags::SOP_INSTANCE_UID)?.to_str()?, change.sop_instance_uid);
    assert_eq!(&*pixels, [0, 85, 170, 255]);
    Ok(())
}
