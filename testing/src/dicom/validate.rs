//! Checks the attributes of an instance before it is stored (`dicom-server StoreDatasetValidator.cs`).

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use serde_json::Value;

use super::{
    json::{self, DataSet},
    search::is_searchable,
    value::value_problem,
};

/// An attribute whose value is missing or invalid.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) tag: Tag,
    /// Set if the instance cannot be stored. Otherwise, it is stored without the attribute in its metadata.
    pub(super) is_fatal: bool,
    pub(super) comment: String,
}

/// Returns the problems of an instance.
pub(super) fn problems(data_set: &DataSet, version: u8) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |tag: Tag, is_fatal, reason: &str| {
        let Tag(group, element) = tag;
        let comment = format!("DICOM100: ({group:04x},{element:04x}) - {reason}");
        problems.push(Problem { tag, is_fatal, comment });
    };
    let required = [
        tags::SOP_CLASS_UID,
        tags::STUDY_INSTANCE_UID,
        tags::SERIES_INSTANCE_UID,
        tags::SOP_INSTANCE_UID,
        tags::PATIENT_ID,
    ];
    for tag in required {
        let is_present = match json::text(data_set, tag) {
            Some(value) => {
                let vr = if tag == tags::PATIENT_ID { VR::LO } else { VR::UI };
                if let Some(reason) = value_problem(vr, &value) {
                    add(tag, true, reason);
                }
                true
            }
            // `v2` accepts an empty Patient ID.
            None => tag == tags::PATIENT_ID && version >= 2 && data_set.contains_key(&json::key(tag)),
        };
        if !is_present {
            add(tag, true, "The required attribute is missing.");
        }
    }
    for (key, attribute) in data_set {
        let Some(tag) = json::tag(key).filter(|tag| !required.contains(tag)) else { continue };
        let is_checked = version >= 2 || is_searchable(tag);
        if let Some(reason) = attribute_problem(attribute).filter(|_| is_checked) {
            add(tag, version < 2, reason);
        }
    }
    problems
}

/// Returns what is wrong with the first invalid value of an attribute.
fn attribute_problem(attribute: &Value) -> Option<&'static str> {
    let vr = attribute.get("vr")?.as_str()?.parse().ok()?;
    let values = attribute.get("Value")?.as_array()?;
    values.iter().find_map(|value| match value {
        Value::String(text) => value_problem(vr, text),
        Value::Object(name) => {
            name.values().filter_map(Value::as_str).find_map(|group| value_problem(vr, group))
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn data_set(changes: &[(&str, Value)]) -> DataSet {
        let mut data_set = json!({
            "00080016": {"vr": "UI", "Value": ["1.2"]},
            "00080018": {"vr": "UI", "Value": ["1.3"]},
            "00100020": {"vr": "LO", "Value": ["p"]},
            "0020000D": {"vr": "UI", "Value": ["1.4"]},
            "0020000E": {"vr": "UI", "Value": ["1.5"]},
        });
        for (key, attribute) in changes {
            data_set[key] = attribute.clone();
        }
        serde_json::from_value(data_set).unwrap()
    }

    /// Returns the names of the attributes with a problem, with `!` if it is fatal.
    fn found(data_set: &DataSet, version: u8) -> Vec<String> {
        let name = |problem: Problem| json::key(problem.tag) + if problem.is_fatal { "!" } else { "" };
        problems(data_set, version).into_iter().map(name).collect()
    }

    #[test]
    fn required_attributes_need_a_valid_value() {
        assert_eq!((found(&data_set(&[]), 1).len(), found(&data_set(&[]), 2).len()), (0, 0));
        for key in ["00080016", "00080018", "0020000D", "0020000E", "00100020"] {
            let expected = [format!("{key}!")];
            for version in [1, 2] {
                let mut missing = data_set(&[]);
                missing.remove(key);
                assert_eq!(found(&missing, version), expected);
                let long = "1".repeat(65);
                assert_eq!(
                    found(&data_set(&[(key, json!({"vr": "UI", "Value": [long]}))]), version),
                    expected
                );
            }
            let empty = data_set(&[(key, json!({"vr": "UI"}))]);
            assert_eq!(found(&empty, 1), expected);
            assert_eq!(found(&empty, 2).is_empty(), key == "00100020");
        }
    }

    #[test]
    fn invalid_attribute_is_fatal_in_v1_if_searches_can_use_it_and_never_in_v2() {
        let invalid = data_set(&[
            ("00080020", json!({"vr": "DA", "Value": ["2024-01-31"]})),
            ("00080030", json!({"vr": "TM", "Value": ["25"]})),
        ]);
        assert_eq!(found(&invalid, 1), ["00080020!"]);
        assert_eq!(found(&invalid, 2), ["00080020", "00080030"]);
        let comment = &problems(&invalid, 2)[0].comment;
        assert_eq!(comment, "DICOM100: (0008,0020) - The value is not a date such as 20240131.");
    }

    #[test]
    fn every_value_and_every_group_of_a_name_is_checked() {
        let long = "a".repeat(65);
        for (vr, values, valid) in [
            ("DA", json!(["20240131", "20240230"]), false),
            ("IS", json!([7, 8]), true),
            ("IS", json!([7, "seven"]), false),
            ("PN", json!([{"Alphabetic": "A^B"}]), true),
            ("PN", json!([{"Alphabetic": "A^B", "Ideographic": long}]), false),
            ("LT", json!([long]), true),
            ("SQ", json!([{"00080020": {"vr": "DA"}}]), true),
        ] {
            let data_set = data_set(&[("00090010", json!({"vr": vr, "Value": values}))]);
            assert_eq!(found(&data_set, 2).is_empty(), valid, "{vr} {values}");
        }
    }
}
