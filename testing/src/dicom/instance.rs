//! [`Instance`]: a DICOM instance, as a file and as metadata.

use bytes::Bytes;
use dicom_dictionary_std::tags;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    file::{self, DicomFile},
    json::{self, DataSet},
    uid,
};

/// A DICOM instance.
#[derive(Clone)]
pub(crate) struct Instance {
    /// The UIDs of the study, the series and the instance.
    pub(super) uids: [String; 3],
    /// The attributes without bulk data.
    pub(super) metadata: DataSet,
    pub(super) file: Bytes,
    /// The UID of the file's transfer syntax.
    pub(super) transfer_syntax: String,
}

impl Instance {
    /// Creates an instance with this data set, from which a file is made, or returns why it cannot be served.
    pub(crate) fn from_data_set(data_set: &impl Serialize) -> Result<Self, String> {
        let data_set: DataSet = match serde_json::to_value(data_set) {
            Ok(Value::Object(data_set)) => data_set,
            Ok(_) => return Err("it is not an object in the DICOM JSON model".to_owned()),
            Err(error) => return Err(format!("it is not JSON: {error}")),
        };
        let uids = uids(&data_set)?;
        let file = file::write(&data_set)?.into();
        let transfer_syntax = file::EXPLICIT_LITTLE_ENDIAN.to_owned();
        Ok(Self { uids, metadata: json::without_bulk_data(&data_set), file, transfer_syntax })
    }

    /// Creates an instance from a file, or returns why it cannot be served.
    pub(crate) fn from_file(bytes: impl Into<Bytes>) -> Result<Self, String> {
        let bytes = bytes.into();
        let file = DicomFile::parse(&bytes).map_err(|_| "it is not a DICOM file".to_owned())?;
        Self::new(&file, bytes, file.metadata())
    }

    /// Creates an instance from a parsed file, its bytes and its metadata.
    pub(super) fn new(file: &DicomFile, bytes: Bytes, metadata: DataSet) -> Result<Self, String> {
        let transfer_syntax = file.transfer_syntax().to_owned();
        Ok(Self { uids: uids(&metadata)?, metadata, file: file::clear_preamble(bytes), transfer_syntax })
    }

    /// Returns the synthetic instance with a number. A series has three instances, and a study two series.
    pub(super) fn synthetic(number: usize) -> Option<Self> {
        let [study, series, sop] = synthetic_uids(number);
        let attribute = |vr: &str, value: Value| json!({"vr": vr, "Value": [value]});
        let data_set = json!({
            "00080016": attribute("UI", json!("1.2.840.10008.5.1.4.1.1.7")),
            "00080018": attribute("UI", json!(sop)),
            "00080060": attribute("CS", json!("OT")),
            "00100010": attribute("PN", json!({"Alphabetic": "Testperson^Example"})),
            "00100020": attribute("LO", json!(format!("example-{:04}", number / 6 + 1))),
            "0020000D": attribute("UI", json!(study)),
            "0020000E": attribute("UI", json!(series)),
            "00280002": attribute("US", json!(1)),
            "00280004": attribute("CS", json!("MONOCHROME2")),
            "00280010": attribute("US", json!(2)),
            "00280011": attribute("US", json!(2)),
            "00280100": attribute("US", json!(8)),
            "00280101": attribute("US", json!(8)),
            "00280102": attribute("US", json!(7)),
            "00280103": attribute("US", json!(0)),
            // The pixels are black, dark gray, light gray and white.
            "7FE00010": {"vr": "OB", "InlineBinary": "AFWq/w=="},
        });
        Self::from_data_set(&data_set).ok()
    }
}

/// Returns the UIDs of the synthetic instance with a number.
pub(super) fn synthetic_uids(number: usize) -> [String; 3] {
    [(1, number / 6), (2, number / 3), (3, number)].map(|(level, number)| format!("2.25.{level}{number:06}"))
}

fn uids(data_set: &DataSet) -> Result<[String; 3], String> {
    let uid = |tag, name: &str| {
        json::text(data_set, tag).filter(|uid| uid::is_valid(uid)).ok_or_else(|| {
            let key = json::key(tag);
            format!("it needs a {name}: `\"{key}\": {{\"vr\": \"UI\", \"Value\": [\"2.25.1\"]}}`")
        })
    };
    Ok([
        uid(tags::STUDY_INSTANCE_UID, "Study Instance UID")?,
        uid(tags::SERIES_INSTANCE_UID, "Series Instance UID")?,
        uid(tags::SOP_INSTANCE_UID, "SOP Instance UID")?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(uid: &str) -> Value {
        json!({"vr": "UI", "Value": [uid]})
    }

    #[test]
    fn instance_needs_valid_study_series_and_instance_uids() {
        let good = json!({"0020000D": uid("1.2"), "0020000E": uid("1.3"), "00080018": uid("1.4")});
        assert_eq!(Instance::from_data_set(&good).unwrap().uids, ["1.2", "1.3", "1.4"]);
        for (tag, name) in
            [("0020000D", "Study Instance UID"), ("0020000E", "Series Instance UID"), ("00080018", "SOP")]
        {
            for wrong in [uid(""), uid("1/2"), json!({"vr": "UI", "Value": []})] {
                let mut bad = good.clone();
                bad[tag] = wrong;
                assert!(Instance::from_data_set(&bad).err().unwrap().contains(name), "{bad}");
                assert!(Instance::from_file(file::dicom_file(&bad)).is_err(), "{bad}");
            }
        }
        assert_eq!(Instance::from_file("x").err().unwrap(), "it is not a DICOM file");
        assert!(Instance::from_data_set(&json!([])).is_err());
    }

    #[test]
    fn data_set_and_its_file_are_the_same_instance() {
        let added = Instance::synthetic(7).unwrap();
        let stored = Instance::from_file(added.file.clone()).unwrap();
        assert_eq!(stored.uids, ["2.25.1000001", "2.25.2000002", "2.25.3000007"]);
        assert_eq!((added.uids, added.metadata), (stored.uids, stored.metadata));
        assert_eq!((added.file, added.transfer_syntax), (stored.file, stored.transfer_syntax));
    }
}
