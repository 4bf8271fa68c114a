//! [`Seeds`]: the resources and instances that a test adds to the synthetic ones.

use serde::Serialize;
use serde_json::{Value, json};

use crate::fhir::store::CHANGED;

/// The data that a test adds.
#[derive(Clone, Default)]
pub(crate) struct Seeds {
    pub(crate) resources: Vec<Value>,
    pub(crate) instances: Vec<Instance>,
}

/// The reason why a resource or instance cannot be served.
pub(crate) type InvalidSeed = String;

/// Converts a FHIR resource to JSON and checks its id. Adds `meta` if it is missing, as the service does.
pub(crate) fn resource(resource: &impl Serialize) -> Result<Value, InvalidSeed> {
    let mut value = serde_json::to_value(resource).map_err(|error| format!("it is not JSON: {error}"))?;
    let Some(fields) = value.as_object_mut().filter(|fields| fields.contains_key("resourceType")) else {
        return Err("it needs a `resourceType`".to_owned());
    };
    let id = fields.get("id").and_then(Value::as_str).unwrap_or_default();
    if !is_id(id) {
        return Err("it needs an `id`: 1 to 64 letters, digits, `-` and `.`".to_owned());
    }
    fields.entry("meta").or_insert_with(|| json!({"versionId": "1", "lastUpdated": CHANGED}));
    Ok(value)
}

/// Returns `true` if the text is a valid FHIR id (FHIR R4, data type `id`).
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

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
    use super::*;

    #[test]
    fn resource_is_unchanged_except_for_missing_meta() {
        let given =
            json!({"resourceType": "Patient", "id": "a-1.B", "meta": {"versionId": "7"}, "active": true});
        assert_eq!(resource(&given), Ok(given));
        let added = resource(&json!({"resourceType": "Patient", "id": "x"})).unwrap();
        assert_eq!(added["meta"], json!({"versionId": "1", "lastUpdated": CHANGED}));
    }

    #[test]
    fn invalid_resources_are_rejected_with_a_reason() {
        for (given, expected) in [
            (json!([]), "needs a `resourceType`"),
            (json!("{}"), "needs a `resourceType`"),
            (json!({"resourceType": "Patient"}), "needs an `id`"),
            (json!({"resourceType": "Patient", "id": "a/b"}), "needs an `id`"),
            (json!({"resourceType": "Patient", "id": "x".repeat(65)}), "needs an `id`"),
        ] {
            let reason = resource(&given).unwrap_err();
            assert!(reason.contains(expected), "{reason}");
        }
    }

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
