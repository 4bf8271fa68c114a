//! Checks the attributes of an instance before it is stored (`dicom-server StoreDatasetValidator.cs`).

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use serde_json::Value;

use super::{
    json::{self, DataSet},
    uid,
};

/// The attributes whose values `v1` checks: those that searches can use (`dicom-server QueryLimit.cs`).
const INDEXED: &[Tag] = &[
    tags::STUDY_DATE,
    tags::STUDY_INSTANCE_UID,
    tags::STUDY_DESCRIPTION,
    tags::ACCESSION_NUMBER,
    tags::PATIENT_ID,
    tags::PATIENT_NAME,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::PATIENT_BIRTH_DATE,
    tags::SERIES_INSTANCE_UID,
    tags::MODALITY,
    tags::PERFORMED_PROCEDURE_STEP_START_DATE,
    tags::MANUFACTURER_MODEL_NAME,
    tags::SOP_INSTANCE_UID,
];

/// An attribute whose value is missing or invalid.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) tag: Tag,
    /// Whether the instance cannot be stored. Otherwise, it is stored without the attribute in its metadata.
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
                if let Some(reason) = tag_problem(tag, &value) {
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
        let is_checked = version >= 2 || INDEXED.contains(&tag);
        if let Some(reason) = attribute_problem(attribute).filter(|_| is_checked) {
            add(tag, version < 2, reason);
        }
    }
    problems
}

fn tag_problem(tag: Tag, value: &str) -> Option<&'static str> {
    let vr = if tag == tags::PATIENT_ID { VR::LO } else { VR::UI };
    value_problem(vr, value)
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

/// Returns what is wrong with a value (PS3.5 §6.2). Values that are not text are always valid.
fn value_problem(vr: VR, value: &str) -> Option<&'static str> {
    let value = value.trim_end_matches([' ', '\0']);
    let (is_valid, reason) = match vr {
        VR::DA => (value.is_empty() || is_date(value), "The value is not a date such as 20240131."),
        VR::TM => (value.is_empty() || is_time(value), "The value is not a time such as 235959.999999."),
        VR::UI => (value.is_empty() || uid::is_valid(value), "The value is not a UID."),
        VR::CS => (
            value.len() <= 16
                && value.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b" _".contains(&b)),
            "The value is not a code of at most 16 uppercase letters, digits, spaces and underscores.",
        ),
        // The converter to JSON turns valid numbers into numbers.
        VR::IS | VR::DS => (value.is_empty(), "The value is not a number."),
        VR::SH => (value.chars().count() <= 16, "The value has more than 16 characters."),
        VR::LO | VR::PN => (value.chars().count() <= 64, "The value has more than 64 characters."),
        _ => (true, ""),
    };
    (!is_valid).then_some(reason)
}

/// Returns `true` for a date in the format `YYYYMMDD`.
pub(super) fn is_date(text: &str) -> bool {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<u16>().ok());
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let days = match (number(0..4), number(4..6)) {
        (_, Some(4 | 6 | 9 | 11)) => 30,
        (Some(year), Some(2)) if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        (_, Some(2)) => 28,
        (_, Some(1..=12)) => 31,
        _ => return false,
    };
    number(6..8).is_some_and(|day| (1..=days).contains(&day))
}

/// Returns `true` for a time in the format `HH[MM[SS[.F{1,6}]]]`.
fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let number = |range| whole.get(range).and_then(|digits: &str| digits.parse::<u8>().ok());
    let is_below = |range, end| number(range).is_some_and(|number| number < end);
    let has_seconds = whole.len() == 6;
    (whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()))
        && (1..=6).contains(&fraction.len())
        && (has_seconds || !text.contains('.'))
        && matches!(whole.len(), 2 | 4 | 6)
        && is_below(0..2, 24)
        && (whole.len() < 4 || is_below(2..4, 60))
        && (!has_seconds || is_below(4..6, 61))
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
    fn values_are_checked_by_their_value_representation() {
        let long = "a".repeat(65);
        for (vr, value, valid) in [
            ("DA", json!("20240229"), true),
            ("DA", json!("20230229"), false),
            ("DA", json!("19000229"), false),
            ("DA", json!("20000229"), true),
            ("DA", json!("20241301"), false),
            ("DA", json!("20240100"), false),
            ("DA", json!("2024013"), false),
            ("TM", json!("235960.999999"), true),
            ("TM", json!("23"), true),
            ("TM", json!("2360"), false),
            ("TM", json!("2359.1"), false),
            ("UI", json!("1.2 "), true),
            ("UI", json!("1.2a"), false),
            ("CS", json!("MR_1 A"), true),
            ("CS", json!("mr"), false),
            ("IS", json!(7), true),
            ("IS", json!("seven"), false),
            ("SH", json!("aaaaaaaaaaaaaaaa"), true),
            ("SH", json!("aaaaaaaaaaaaaaaaa"), false),
            ("LO", json!(long), false),
            ("PN", json!({"Alphabetic": "A^B"}), true),
            ("PN", json!({"Ideographic": long}), false),
            ("LT", json!(long), true),
        ] {
            let data_set = data_set(&[("00090010", json!({"vr": vr, "Value": [value]}))]);
            assert_eq!(found(&data_set, 2).is_empty(), valid, "{vr} {value}");
        }
    }
}
