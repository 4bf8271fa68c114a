//! Reads and writes files in the format of PS3.10.

use bytes::Bytes;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{DefaultDicomObject, InMemDicomObject, OpenFileOptions, meta::FileMetaTableBuilder};
use memchr::memmem;
use serde::Serialize;

use super::json::{self, DataSet};

pub(super) const EXPLICIT_LITTLE_ENDIAN: &str = uids::EXPLICIT_VR_LITTLE_ENDIAN;
pub(super) const IMPLICIT_LITTLE_ENDIAN: &str = uids::IMPLICIT_VR_LITTLE_ENDIAN;

const PREAMBLE: usize = 128;
const MAGIC: &[u8] = b"DICM";
/// The depth up to which sequences of sequences are read. Deeper ones could overflow the stack, which ends the process.
const MAX_DEPTH: usize = 100;

/// A file that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable;

/// A parsed file.
pub(super) struct DicomFile(DefaultDicomObject);

impl DicomFile {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        if depth(bytes) > MAX_DEPTH {
            return Err(Unreadable);
        }
        OpenFileOptions::new().from_reader(bytes).map(Self).map_err(|_| Unreadable)
    }

    pub(super) fn data_set(&self) -> &InMemDicomObject {
        &self.0
    }

    /// Returns the UID of the transfer syntax.
    pub(super) fn transfer_syntax(&self) -> &str {
        self.0.meta().transfer_syntax().trim_end_matches(['\0', ' '])
    }

    /// Writes the file with explicit VR little endian. Returns `None` if the file has another syntax than implicit VR.
    pub(super) fn to_explicit_little_endian(&self) -> Option<Bytes> {
        if self.transfer_syntax() != IMPLICIT_LITTLE_ENDIAN {
            return None;
        }
        let mut file = self.0.clone();
        file.update_meta(|meta| EXPLICIT_LITTLE_ENDIAN.clone_into(&mut meta.transfer_syntax));
        let mut bytes = Vec::new();
        file.write_all(&mut bytes).ok()?;
        Some(bytes.into())
    }

    /// Returns the attributes without bulk data in the DICOM JSON model.
    pub(super) fn metadata(&self) -> DataSet {
        json::to_json(&self.0)
    }
}

/// Returns how many items of sequences are inside each other, in either byte order.
///
/// Bytes of a value that look like the start of an item count too, but hardly any do.
fn depth(bytes: &[u8]) -> usize {
    let little = depth_of(bytes, [0xfe, 0xff, 0x00, 0xe0], [0xfe, 0xff, 0x0d, 0xe0], u32::from_le_bytes);
    let big = depth_of(bytes, [0xff, 0xfe, 0xe0, 0x00], [0xff, 0xfe, 0xe0, 0x0d], u32::from_be_bytes);
    little.max(big)
}

/// Returns how many items with these tags at their start and end are inside each other.
fn depth_of(bytes: &[u8], start: [u8; 4], end: [u8; 4], number: fn([u8; 4]) -> u32) -> usize {
    // The ends of the open items, as far as their lengths are defined.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut deepest = 0;
    for position in memmem::find_iter(bytes, &start[..2]) {
        let Some((tag, rest)) = bytes.get(position..).and_then(|rest| rest.split_first_chunk::<4>()) else {
            continue;
        };
        while open.last().copied().flatten().is_some_and(|end| end <= position) {
            open.pop();
        }
        if *tag == end {
            open.pop();
        } else if *tag == start
            && let Some(length) = rest.first_chunk::<4>().map(|length| number(*length))
        {
            let end = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(position + 8);
            open.push((length != u32::MAX).then_some(end));
            deepest = deepest.max(open.len());
        }
    }
    deepest
}

/// Replaces the preamble of a file with zeros (Azure documentation `dicom-services-conformance-statement-v2.md`).
pub(super) fn clear_preamble(bytes: Bytes) -> Bytes {
    match bytes.split_at_checked(PREAMBLE) {
        Some((preamble, rest)) if rest.starts_with(MAGIC) && preamble.iter().any(|byte| *byte != 0) => {
            [&[0; PREAMBLE], rest].concat().into()
        }
        _ => bytes,
    }
}

/// Writes a data set in the DICOM JSON model as a file with explicit VR little endian, or returns what is wrong with it.
pub(super) fn write(data_set: &DataSet) -> Result<Vec<u8>, String> {
    // The file meta information is made from the data set.
    let data_set = data_set.iter().filter(|(key, _)| !key.starts_with("0002"));
    let data_set: DataSet = data_set.map(|(key, attribute)| (key.clone(), attribute.clone())).collect();
    let class = json::text(&data_set, tags::SOP_CLASS_UID);
    let instance = json::text(&data_set, tags::SOP_INSTANCE_UID);
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(class.as_deref().unwrap_or(uids::SECONDARY_CAPTURE_IMAGE_STORAGE))
        .media_storage_sop_instance_uid(instance.as_deref().unwrap_or_default());
    let meta = meta.build().map_err(|error| error.to_string())?;
    let object = json::from_json(&data_set)?.with_exact_meta(meta);
    let mut bytes = Vec::new();
    object.write_all(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Makes a DICOM file from a data set in the DICOM JSON model (PS3.18 annex F), to send it to a service.
///
/// The file has the transfer syntax Explicit VR Little Endian. `InlineBinary` sets binary data such as pixels. The
/// data set is not checked otherwise, so that a test can make files that a service rejects. A service stores a file if
/// it has the attributes in the example.
///
/// # Panics
///
/// Panics if the value is not a data set in the DICOM JSON model.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{DicomVersion, HealthcareClient};
/// use azure_healthcare_auth_testing::{FakeServer, dicom_file};
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let file = dicom_file(&json!({
///     "00080016": { "vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"] }, // SOP Class UID
///     "00080018": { "vr": "UI", "Value": ["2.25.3"] },                    // SOP Instance UID
///     "00100020": { "vr": "LO", "Value": ["example-0001"] },              // Patient ID
///     "0020000D": { "vr": "UI", "Value": ["2.25.1"] },                    // Study Instance UID
///     "0020000E": { "vr": "UI", "Value": ["2.25.2"] },                    // Series Instance UID
/// }));
///
/// let fake_server = FakeServer::builder().changes(0).start().await;
/// let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());
/// let stored = dicom.post("studies").header("content-type", "application/dicom").body(file.clone()).send().await?;
/// assert_eq!(stored.status(), 200);
///
/// let path = "studies/2.25.1/series/2.25.2/instances/2.25.3";
/// let instance = dicom.get(path).header("accept", "application/dicom; transfer-syntax=*").send().await?;
/// assert_eq!(instance.bytes(), &file[..]);
/// # Ok(()) }
/// ```
#[must_use]
#[track_caller]
#[expect(clippy::panic, reason = "a mistake in the setup of a test must fail that test")]
pub fn dicom_file(data_set: &impl Serialize) -> Vec<u8> {
    let data_set = serde_json::to_value(data_set).and_then(serde_json::from_value::<DataSet>);
    let written = data_set.map_err(|error| error.to_string()).and_then(|data_set| write(&data_set));
    written.unwrap_or_else(|reason| panic!("this is not a DICOM data set: {reason}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn written_file_can_be_read() {
        let file = dicom_file(&json!({
            "00020010": {"vr": "UI", "Value": ["1.2.3"]},
            "00080018": {"vr": "UI", "Value": ["2.25.3"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Éxample"}]},
            "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
            "7FE00010": {"vr": "OB", "InlineBinary": "AAEC"},
        }));
        let read = DicomFile::parse(&file).unwrap();
        assert_eq!(read.transfer_syntax(), "1.2.840.10008.1.2.1");
        let pixels = read.data_set().get(tags::PIXEL_DATA).unwrap().to_bytes().unwrap();
        assert_eq!(&*pixels, [0, 1, 2, 0]);
        let expected = json!({
            "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
            "00080018": {"vr": "UI", "Value": ["2.25.3"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Éxample"}]},
        });
        assert_eq!(json!(read.metadata()), expected);
    }

    #[test]
    fn truncated_files_are_errors_or_readable() {
        let file = dicom_file(&json!({
            "00080018": {"vr": "UI", "Value": ["2.25.3"]},
            "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}]},
            "00280010": {"vr": "US", "Value": [1]},
            "7FE00010": {"vr": "OW", "InlineBinary": "AAECAw=="},
        }));
        assert!(DicomFile::parse(b"").is_err());
        for end in 0..file.len() {
            let _ = DicomFile::parse(&file[..end]).map(|file| file.metadata());
        }
    }

    #[test]
    fn deeply_nested_sequences_are_errors() {
        // A sequence and an item, and their ends. The items have an undefined or a defined length.
        let sequence = [0x40, 0, 0x30, 0xa7, b'S', b'Q', 0, 0, 0xff, 0xff, 0xff, 0xff];
        let (item, item_end) = ([0xfe, 0xff, 0, 0xe0], [0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0]);
        let sequence_end = [0xfe, 0xff, 0xdd, 0xe0, 0, 0, 0, 0];
        let nested = |depth: usize, is_defined: bool| {
            let mut inner = Vec::new();
            for _ in 0..depth {
                let length = if is_defined { u32::try_from(inner.len()).unwrap() } else { u32::MAX };
                let item_end = if is_defined { &[][..] } else { &item_end };
                inner =
                    [&sequence, &item[..], &length.to_le_bytes(), &inner, item_end, &sequence_end].concat();
            }
            [dicom_file(&json!({})), inner].concat()
        };
        for is_defined in [false, true] {
            let deepest = DicomFile::parse(&nested(MAX_DEPTH, is_defined)).unwrap();
            assert_eq!(
                serde_json::to_string(&deepest.metadata()).unwrap().matches("0040A730").count(),
                MAX_DEPTH
            );
            for depth in [MAX_DEPTH + 1, 10_000] {
                assert!(DicomFile::parse(&nested(depth, is_defined)).is_err(), "{depth} {is_defined}");
            }
        }
        // Items beside each other are not deep.
        let beside = [&item[..], &[0; 4]].concat().repeat(1_000);
        assert_eq!(depth(&beside), 1);
        assert_eq!(depth(&[0xff, 0xfe, 0xe0, 0, 0xff, 0xff, 0xff, 0xff].repeat(3)), 3);
        assert_eq!(depth(&[0xfe, 0xff, 0, 0xe0, 0xff]), 0);
    }

    #[test]
    fn only_a_preamble_is_cleared() {
        let file = dicom_file(&json!({}));
        let mut with_preamble = file.clone();
        with_preamble[..PREAMBLE].fill(b'x');
        assert_eq!(clear_preamble(with_preamble.into()), file);
        for other in [b"x".repeat(131), b"x".repeat(200)] {
            assert_eq!(clear_preamble(other.clone().into()), other);
        }
    }

    #[test]
    #[should_panic = "this is not a DICOM data set: 00100020"]
    fn value_that_is_no_data_set_panics() {
        let _ = dicom_file(&json!({"00100020": 1}));
    }
}
