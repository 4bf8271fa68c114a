//! Converts data sets to and from the DICOM JSON model (PS3.18 annex F).

use base64::{Engine, engine::general_purpose::STANDARD};
use dicom_core::{
    DataElement, PrimitiveValue, Tag, VR,
    value::{C, DataSetSequence, Value as ElementValue},
};
use dicom_object::{InMemDicomObject, mem::InMemElement};
use serde_json::{Map, Number, Value, json};

/// A data set in the DICOM JSON model.
pub(super) type DataSet = Map<String, Value>;

/// Returns the name of an attribute in the DICOM JSON model, such as `0020000D`.
pub(super) fn key(Tag(group, element): Tag) -> String {
    format!("{group:04X}{element:04X}")
}

/// Returns the tag with this name.
pub(super) fn tag(key: &str) -> Option<Tag> {
    let (group, element) = key.split_at_checked(4).filter(|_| key.len() == 8)?;
    let number = |text: &str| {
        u16::from_str_radix(text, 16).ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    Some(Tag(number(group)?, number(element)?))
}

/// Returns the first value of an attribute as text, without padding, or `None` if it is missing or empty.
pub(super) fn text(data_set: &DataSet, tag: Tag) -> Option<String> {
    let value = data_set.get(&key(tag))?.get("Value")?.get(0)?;
    let text = match value {
        Value::String(text) => text.trim_end_matches([' ', '\0']).to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Object(name) => name.get("Alphabetic")?.as_str()?.to_owned(),
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

/// Returns the attributes of a data set without bulk data, also in sequences (`dicom-server
/// Extensions/DicomDatasetExtensions.cs`).
pub(super) fn to_json(object: &InMemDicomObject) -> DataSet {
    let elements = object.iter().filter(|element| !is_bulk_data(element.vr()));
    elements.map(|element| (key(element.header().tag), element_to_json(element))).collect()
}

/// Removes bulk data from metadata that a test provides.
pub(super) fn without_bulk_data(data_set: &DataSet) -> DataSet {
    let is_kept = |attribute: &Value| {
        let vr = attribute.get("vr").and_then(Value::as_str).and_then(|vr| vr.parse().ok());
        !vr.is_some_and(is_bulk_data)
    };
    let mut kept = DataSet::new();
    for (key, attribute) in data_set.iter().filter(|(_, attribute)| is_kept(attribute)) {
        let mut attribute = attribute.clone();
        if let Some(items) = attribute.get_mut("Value").and_then(Value::as_array_mut) {
            for item in items {
                // The items of a sequence are data sets, and a person's name has no attribute with a `vr`.
                if let Value::Object(item) = item {
                    *item = without_bulk_data(item);
                }
            }
        }
        kept.insert(key.clone(), attribute);
    }
    kept
}

fn is_bulk_data(vr: VR) -> bool {
    matches!(vr, VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN)
}

fn element_to_json(element: &InMemElement) -> Value {
    let vr = element.vr();
    let values: Vec<Value> = match element.value() {
        ElementValue::Sequence(sequence) => {
            sequence.items().iter().map(|item| Value::Object(to_json(item))).collect()
        }
        ElementValue::PixelSequence(_) => Vec::new(),
        ElementValue::Primitive(value) => primitive_to_json(vr, value),
    };
    let mut attribute = json!({"vr": vr.to_string()});
    if let (false, Some(attribute)) = (values.is_empty(), attribute.as_object_mut()) {
        attribute.insert("Value".to_owned(), values.into());
    }
    attribute
}

fn primitive_to_json(vr: VR, value: &PrimitiveValue) -> Vec<Value> {
    match value {
        PrimitiveValue::U8(numbers) => numbers.iter().map(|number| json!(number)).collect(),
        PrimitiveValue::I16(numbers) => numbers.iter().map(|number| json!(number)).collect(),
        PrimitiveValue::U16(numbers) => numbers.iter().map(|number| json!(number)).collect(),
        PrimitiveValue::I32(numbers) => numbers.iter().map(|number| json!(number)).collect(),
        PrimitiveValue::U32(numbers) => numbers.iter().map(|number| json!(number)).collect(),
        PrimitiveValue::I64(numbers) => numbers.iter().map(|number| json!(number)).collect(),
        PrimitiveValue::U64(numbers) => numbers.iter().map(|number| json!(number)).collect(),
        PrimitiveValue::F32(numbers) => numbers.iter().map(|number| float(f64::from(*number))).collect(),
        PrimitiveValue::F64(numbers) => numbers.iter().map(|number| float(*number)).collect(),
        PrimitiveValue::Tags(tags) => tags.iter().map(|tag| json!(key(*tag))).collect(),
        // The only text whose backslashes do not separate values (PS3.5 §6.2).
        _ if matches!(vr, VR::LT | VR::ST | VR::UT | VR::UR) => {
            Some(text_to_json(vr, &value.to_raw_str())).filter(|text| !text.is_null()).into_iter().collect()
        }
        _ => {
            let texts = value.to_multi_str();
            let values: Vec<_> = texts.iter().map(|text| text_to_json(vr, text)).collect();
            if values.iter().all(Value::is_null) { Vec::new() } else { values }
        }
    }
}

/// The DICOM JSON model names the numbers that JSON cannot represent.
fn float(number: f64) -> Value {
    Number::from_f64(number).map_or_else(|| json!(number.to_string()), Value::Number)
}

fn text_to_json(vr: VR, text: &str) -> Value {
    let padding = |c| matches!(c, ' ' | '\0');
    let text = match vr {
        VR::LT | VR::ST | VR::UT | VR::UI => text.trim_end_matches(padding),
        _ => text.trim_matches(padding),
    };
    if text.is_empty() {
        return Value::Null;
    }
    match vr {
        VR::PN => {
            let groups = ["Alphabetic", "Ideographic", "Phonetic"].into_iter().zip(text.split('='));
            let groups = groups.filter(|(_, name)| !name.is_empty());
            Value::Object(groups.map(|(group, name)| (group.to_owned(), json!(name))).collect())
        }
        // Numbers are written as such if possible (`dicom-server JsonSerializerOptionsExtensions.cs`).
        VR::IS => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
        VR::DS => match text.parse::<i64>() {
            Ok(number) => json!(number),
            Err(_) => text.parse().ok().and_then(Number::from_f64).map_or_else(|| json!(text), Value::Number),
        },
        _ => json!(text),
    }
}

/// Converts the DICOM JSON model to a data set, or returns what is wrong with it.
pub(super) fn from_json(data_set: &DataSet) -> Result<InMemDicomObject, String> {
    let mut object = InMemDicomObject::new_empty();
    for (key, attribute) in data_set {
        let element = element_from_json(key, attribute).map_err(|reason| format!("{key}: {reason}"))?;
        object.put(element);
    }
    Ok(object)
}

fn element_from_json(key: &str, attribute: &Value) -> Result<InMemElement, String> {
    let tag = tag(key).ok_or("the name of an attribute has eight hexadecimal digits")?;
    let vr = attribute.get("vr").and_then(Value::as_str).and_then(|vr| vr.parse::<VR>().ok());
    let vr = vr.ok_or("it needs a value representation, such as `\"vr\": \"LO\"`")?;
    if let Some(binary) = attribute.get("InlineBinary") {
        let bytes = binary.as_str().and_then(|binary| STANDARD.decode(binary).ok());
        let bytes = bytes.ok_or("`InlineBinary` is not Base64")?;
        return Ok(DataElement::new(tag, vr, PrimitiveValue::from(bytes)));
    }
    if attribute.get("BulkDataURI").is_some() {
        return Err("`BulkDataURI` is not supported".to_owned());
    }
    let values = match attribute.get("Value") {
        None => &[][..],
        Some(values) => values.as_array().ok_or("`Value` is not an array")?,
    };
    if vr == VR::SQ {
        let items = values.iter().map(|item| match item {
            Value::Object(item) => from_json(item),
            _ => Err("an item of a sequence is not an object".to_owned()),
        });
        let items = items.collect::<Result<Vec<_>, _>>()?;
        return Ok(DataElement::new(tag, vr, DataSetSequence::from(items)));
    }
    let value = primitive_from_json(vr, values).ok_or_else(|| format!("its value does not fit `{vr}`"))?;
    Ok(DataElement::new(tag, vr, value))
}

fn primitive_from_json(vr: VR, values: &[Value]) -> Option<PrimitiveValue> {
    if values.is_empty() {
        return Some(PrimitiveValue::Empty);
    }
    Some(match vr {
        VR::US => PrimitiveValue::U16(numbers(values, |text| text.parse().ok())?),
        VR::SS => PrimitiveValue::I16(numbers(values, |text| text.parse().ok())?),
        VR::UL => PrimitiveValue::U32(numbers(values, |text| text.parse().ok())?),
        VR::SL => PrimitiveValue::I32(numbers(values, |text| text.parse().ok())?),
        VR::UV => PrimitiveValue::U64(numbers(values, |text| text.parse().ok())?),
        VR::SV => PrimitiveValue::I64(numbers(values, |text| text.parse().ok())?),
        VR::FL => PrimitiveValue::F32(numbers(values, |text| text.parse().ok())?),
        VR::FD => PrimitiveValue::F64(numbers(values, |text| text.parse().ok())?),
        VR::AT => PrimitiveValue::Tags(numbers(values, tag)?),
        VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN | VR::SQ => return None,
        _ => {
            PrimitiveValue::Strs(values.iter().map(|value| text_from_json(vr, value)).collect::<Option<_>>()?)
        }
    })
}

fn numbers<T>(values: &[Value], parse: impl Fn(&str) -> Option<T>) -> Option<C<T>> {
    let number = |value: &Value| match value {
        Value::String(text) => parse(text),
        Value::Number(number) => parse(&number.to_string()),
        _ => None,
    };
    values.iter().map(number).collect()
}

fn text_from_json(vr: VR, value: &Value) -> Option<String> {
    match (vr, value) {
        (_, Value::Null) => Some(String::new()),
        (VR::PN, Value::Object(name)) => {
            let group = |group: &str| name.get(group).and_then(Value::as_str).unwrap_or_default();
            let groups = ["Alphabetic", "Ideographic", "Phonetic"].map(group).join("=");
            Some(groups.trim_end_matches('=').to_owned())
        }
        (VR::IS | VR::DS, Value::Number(number)) => Some(number.to_string()),
        (_, Value::String(text)) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_set(value: Value) -> DataSet {
        let Value::Object(data_set) = value else { panic!("{value}") };
        data_set
    }

    #[test]
    fn attributes_of_every_kind_survive_the_conversion() {
        let expected = data_set(json!({
            "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
            "00080008": {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY"]},
            "00080020": {"vr": "DA", "Value": ["20240131"]},
            "00080050": {"vr": "SH"},
            "00081140": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}, {}]},
            "00081199": {"vr": "SQ"},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Éxample^A", "Phonetic": "e"}]},
            "00104000": {"vr": "LT", "Value": [" a\\b"]},
            "00181063": {"vr": "DS", "Value": [1.5, 2, "x"]},
            "00200013": {"vr": "IS", "Value": [-1]},
            "00209165": {"vr": "AT", "Value": ["00200011"]},
            "00280010": {"vr": "US", "Value": [512]},
            "00286010": {"vr": "SS", "Value": [-2]},
            "00189087": {"vr": "FD", "Value": [0.25]},
            "00720074": {"vr": "FL", "Value": [0.5]},
        }));
        assert_eq!(to_json(&from_json(&expected).unwrap()), expected);
    }

    #[test]
    fn bulk_data_is_left_out_also_in_sequences() {
        let with = data_set(json!({
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Example"}]},
            "00540414": {"vr": "SQ", "Value": [
                {"00080018": {"vr": "UI", "Value": ["1"]}, "7FE00010": {"vr": "OW", "InlineBinary": "AAA="}},
            ]},
            "7FE00010": {"vr": "OB", "InlineBinary": "AAA="},
            "7FE00020": {"vr": "OV", "BulkDataURI": "http://here"},
        }));
        let without = data_set(json!({
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Example"}]},
            "00540414": {"vr": "SQ", "Value": [{"00080018": {"vr": "UI", "Value": ["1"]}}]},
        }));
        assert_eq!(without_bulk_data(&with), without);
        let mut with = with;
        with.remove("7FE00020");
        assert_eq!(to_json(&from_json(&with).unwrap()), without);
    }

    #[test]
    fn invalid_attributes_are_errors_that_name_the_attribute() {
        for (key, attribute) in [
            ("PatientID", json!({"vr": "LO"})),
            ("+010+020", json!({"vr": "LO"})),
            ("00100020", json!({"Value": ["x"]})),
            ("00100020", json!({"vr": "XX"})),
            ("00100020", json!({"vr": "LO", "Value": "x"})),
            ("00100020", json!({"vr": "LO", "Value": [{}]})),
            ("00100020", json!("x")),
            ("00280010", json!({"vr": "US", "Value": [70_000]})),
            ("00280010", json!({"vr": "US", "Value": [null]})),
            ("00209165", json!({"vr": "AT", "Value": ["2"]})),
            ("00081140", json!({"vr": "SQ", "Value": [1]})),
            ("7FE00010", json!({"vr": "OB", "InlineBinary": "!"})),
            ("7FE00010", json!({"vr": "OB", "Value": [1]})),
            ("7FE00010", json!({"vr": "OB", "BulkDataURI": "http://here"})),
        ] {
            let error = from_json(&data_set(json!({key: attribute}))).unwrap_err();
            assert!(error.starts_with(key), "{error}");
        }
    }

    #[test]
    fn text_is_the_first_value_without_padding() {
        let data_set = data_set(json!({
            "0020000D": {"vr": "UI", "Value": ["1.2\0"]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}]},
            "00200013": {"vr": "IS", "Value": [7]},
            "00080050": {"vr": "SH", "Value": [" "]},
            "00080060": {"vr": "CS"},
        }));
        for (key, expected) in [
            ("0020000D", Some("1.2")),
            ("00100010", Some("A^B")),
            ("00200013", Some("7")),
            ("00080050", None),
            ("00080060", None),
            ("00080061", None),
        ] {
            assert_eq!(text(&data_set, tag(key).unwrap()).as_deref(), expected, "{key}");
        }
    }
}
