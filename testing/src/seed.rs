//! [`Seeds`]: the resources and instances that a test adds to the synthetic ones.

use serde::Serialize;
use serde_json::Value;

use crate::fhir::Draft;

/// The data that a test adds.
#[derive(Clone, Default)]
pub(crate) struct Seeds {
    pub(crate) resources: Vec<Draft>,
    pub(crate) instances: Vec<Instance>,
}

/// The reason why a resource or instance cannot be served.
pub(crate) type InvalidSeed = String;

/// A DICOM instance with its metadata in the DICOM JSON model (PS3.18 annex F).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Instance {
    /// The UIDs of the study, the series and the instance.
    pub(crate) uids: [String; 3],
    pub(crate) metadata: Value,
}

impl Instance {
    pub(crate) fn new(metadata: &impl Serialize) -> Result<Self, InvalidSeed> {
        let metadata = serde_json::to_value(metadata).map_err(|error| format!("it is not JSON: {error}"))?;
        let uid = |tag: &str, name: &str| {
            let uid = metadata.pointer(&format!("/{tag}/Value/0")).and_then(Value::as_str);
            let uid = uid.filter(|uid| is_uid(uid)).map(str::to_owned);
            uid.ok_or_else(|| {
                format!("it needs a {name}: `\"{tag}\": {{\"vr\": \"UI\", \"Value\": [\"2.25.1\"]}}`")
            })
        };
        let uids = [
            uid("0020000D", "Study Instance UID")?,
            uid("0020000E", "Series Instance UID")?,
            uid("00080018", "SOP Instance UID")?,
        ];
        Ok(Self { uids, metadata })
    }
}

/// Returns `true` if the text is a valid UID (DICOM PS3.5 §9), which is also safe in a URL path.
fn is_uid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn instance_needs_valid_study_series_and_instance_uids() {
        let uid = |uid: &str| json!({"vr": "UI", "Value": [uid]});
        let good = json!({"0020000D": uid("1.2"), "0020000E": uid("1.3"), "00080018": uid("1.4")});
        assert_eq!(Instance::new(&good).unwrap().uids, ["1.2", "1.3", "1.4"]);
        for (tag, name) in
            [("0020000D", "Study Instance UID"), ("0020000E", "Series Instance UID"), ("00080018", "SOP")]
        {
            for wrong in [json!(null), uid(""), uid("1/2"), json!({"vr": "UI", "Value": []})] {
                let mut bad = good.clone();
                bad[tag] = wrong;
                assert!(Instance::new(&bad).unwrap_err().contains(name), "{bad}");
            }
        }
    }
}
