//! [`Instance`]: the UIDs of a DICOM instance, which become parts of URLs and file names.

use std::path::PathBuf;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    study_instance_uid: Uid,
    series_instance_uid: Uid,
    sop_instance_uid: Uid,
}

/// Digits and single dots.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Uid(String);

impl TryFrom<String> for Uid {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if text.len() <= 64 && text.split('.').all(is_number) { Ok(Self(text)) } else { Err("invalid UID") }
    }
}

impl Instance {
    /// Returns the path of the instance in the DICOM service.
    pub fn url_path(&self) -> String {
        let [study, series, sop] = self.uids();
        format!("studies/{study}/series/{series}/instances/{sop}")
    }

    /// Returns the path of the instance in an archive.
    pub fn file_path(&self) -> PathBuf {
        let [study, series, sop] = self.uids();
        [study, series, &format!("{sop}.dcm")].iter().collect()
    }

    fn uids(&self) -> [&str; 3] {
        [&self.study_instance_uid, &self.series_instance_uid, &self.sop_instance_uid]
            .map(|uid| uid.0.as_str())
    }
}
