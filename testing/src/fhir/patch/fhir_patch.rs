//! [`FhirPatch`]: the part of FHIR Patch that needs no knowledge of the resource's definition.

use super::super::{json::Json, outcome::Outcome, resource::Draft};

/// The operations of a FHIR Patch.
pub(crate) struct FhirPatch(Vec<Operation>);

struct Operation {
    path: Path,
    change: Change,
}

enum Change {
    Add { name: String, value: Value },
    Insert { index: usize, value: Value },
    Replace(Value),
    Delete,
    Move { source: usize, destination: usize },
}

/// The value of an operation and the suffix of its type, such as `DateTime` of `valueDateTime`.
struct Value {
    suffix: String,
    json: Json,
}

/// The part of FHIRPath that the fake supports: element names, each with an optional index.
struct Path(Vec<(String, Option<usize>)>);

/// The position of an element: the steps from the root.
type Position = Vec<Step>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Index(usize),
}

impl FhirPatch {
    pub(crate) fn parse(parameters: &Draft) -> Result<Self, Outcome> {
        if parameters.resource_type() != "Parameters" {
            let diagnostics = "The body of a FHIR Patch must be a Parameters resource.";
            return Err(Outcome::invalid(diagnostics).about("TypeName"));
        }
        let operations = parameters.field("parameter").and_then(Json::as_array).unwrap_or_default();
        operations.iter().map(Operation::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Applies the operations in order. After an error, the value is incomplete.
    pub(crate) fn apply(&self, json: &mut Json) -> Result<(), Outcome> {
        self.0.iter().try_for_each(|operation| operation.apply(json))
    }
}

impl Operation {
    /// Reads an operation (FHIR R4, `fhirpatch`; `fhir-server PendingOperation.cs`).
    fn parse(operation: &Json) -> Result<Self, Outcome> {
        let parts = operation.get("part").and_then(Json::as_array).unwrap_or_default();
        let part = |name: &str| {
            parts.iter().find(|part| part.get("name").and_then(Json::as_str).as_deref() == Some(name))
        };
        let required = |name: &str| {
            let missing = || Outcome::invalid(format!("A FHIR Patch operation needs the part `{name}`."));
            part(name).ok_or_else(missing).and_then(Value::of)
        };
        let text = |name: &str| required(name).map(|value| value.json.as_str().unwrap_or_default());
        let number = |name: &str| {
            let number = required(name)?.json.to_string().parse();
            number.map_err(|_| Outcome::invalid(format!("The part `{name}` must be a number of at least 0.")))
        };
        let change = match text("type")?.as_str() {
            "add" => Change::Add { name: text("name")?, value: required("value")? },
            "insert" => Change::Insert { index: number("index")?, value: required("value")? },
            "replace" => Change::Replace(required("value")?),
            "delete" => Change::Delete,
            "move" => Change::Move { source: number("source")?, destination: number("destination")? },
            // Defined by R5, supported by the real server.
            "upsert" => return Err(Outcome::unsupported("the FHIR Patch operation `upsert`")),
            _ => return Err(Outcome::invalid("A FHIR Patch operation has an unknown `type`.")),
        };
        Ok(Self { path: Path::parse(&text("path")?)?, change })
    }

    fn apply(&self, json: &mut Json) -> Result<(), Outcome> {
        let found = self.path.select(json);
        match &self.change {
            Change::Replace(value) => match found.as_slice() {
                [] => Err(Outcome::invalid("The path of a `replace` operation selects no element.")),
                [only] => replace(json, only, value),
                _ => Err(several()),
            },
            Change::Delete => match found.as_slice() {
                [] => Ok(()),
                [only] => remove(json, only),
                _ => Err(several()),
            },
            Change::Add { name, value } => match found.as_slice() {
                [only] => add(json, only, name, value),
                [] => Err(Outcome::invalid("The path of an `add` operation selects no element.")),
                _ => Err(several()),
            },
            Change::Insert { index, value } => {
                let items = self.list(json, &found)?;
                if *index > items.len() {
                    return Err(Outcome::invalid("The index of an `insert` operation is too high."));
                }
                items.insert(*index, value.json.clone());
                Ok(())
            }
            Change::Move { source, destination } => {
                let items = self.list(json, &found)?;
                if *source >= items.len() || *destination >= items.len() {
                    return Err(Outcome::invalid("An index of a `move` operation is too high."));
                }
                let item = items.remove(*source);
                items.insert(*destination, item);
                Ok(())
            }
        }
    }

    /// Returns the list that contains all found elements.
    fn list<'a>(&self, json: &'a mut Json, found: &[Position]) -> Result<&'a mut Vec<Json>, Outcome> {
        let not_a_list = || Outcome::invalid("The path of the operation does not select a list.");
        let (last, list) = found
            .first()
            .and_then(|first| first.split_last())
            .ok_or_else(|| Outcome::unsupported("FHIR Patch operations on a list that does not exist yet"))?;
        let is_list = matches!(last, Step::Index(_)) && found.iter().all(|other| other.starts_with(list));
        match at_mut(json, list) {
            Some(Json::Array(items)) if is_list => Ok(items),
            _ => Err(not_a_list()),
        }
    }
}

impl Value {
    /// Reads the `value[x]` of a part.
    fn of(part: &Json) -> Result<Self, Outcome> {
        let fields = part.as_object().into_iter().flat_map(|fields| fields.iter());
        for (name, json) in fields {
            if let Some(suffix) = name.strip_prefix("value") {
                return Ok(Self { suffix: suffix.to_owned(), json: json.clone() });
            }
            if name == "part" {
                return Err(Outcome::unsupported("FHIR Patch values that consist of parts"));
            }
        }
        Err(Outcome::invalid("A part of a FHIR Patch operation has no value."))
    }
}

impl Path {
    fn parse(text: &str) -> Result<Self, Outcome> {
        let segment = |segment: &str| {
            let (name, index) = match segment.strip_suffix(']').and_then(|segment| segment.split_once('[')) {
                Some((name, index)) => (name, Some(index.parse().ok()?)),
                None => (segment, None),
            };
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_name.then(|| (name.to_owned(), index))
        };
        let segments: Option<Vec<_>> = text.split('.').map(segment).collect();
        segments
            .map(Self)
            .ok_or_else(|| Outcome::unsupported("FHIRPath functions and operators in a FHIR Patch"))
    }

    /// Returns the positions of the selected elements. A list selects all its elements.
    fn select(&self, json: &Json) -> Vec<Position> {
        let resource_type = json.get("resourceType").and_then(Json::as_str);
        let mut found = vec![Position::new()];
        for (depth, (name, index)) in self.0.iter().enumerate() {
            if depth > 0 || resource_type.as_ref() != Some(name) {
                found = found.into_iter().flat_map(|position| children(json, position, name)).collect();
            }
            if let Some(index) = index {
                found = found.into_iter().skip(*index).take(1).collect();
            }
        }
        found
    }
}

fn children(json: &Json, position: Position, name: &str) -> Vec<Position> {
    let Some(fields) = at(json, &position).and_then(Json::as_object) else { return Vec::new() };
    // `deceased` selects `deceasedBoolean`: a choice of types has the type in its name in JSON only.
    let is_choice = |field: &str| {
        field
            .strip_prefix(name)
            .is_some_and(|suffix| suffix.starts_with(|first: char| first.is_ascii_uppercase()))
    };
    let field = fields.iter().find(|(field, _)| *field == name);
    let Some((field, value)) = field.or_else(|| fields.iter().find(|(field, _)| is_choice(field))) else {
        return Vec::new();
    };
    let child = [position, vec![Step::Field(field.to_owned())]].concat();
    match value {
        Json::Array(items) => {
            (0..items.len()).map(|index| [child.clone(), vec![Step::Index(index)]].concat()).collect()
        }
        _ => vec![child],
    }
}

fn at<'a>(json: &'a Json, position: &[Step]) -> Option<&'a Json> {
    position.iter().try_fold(json, |json, step| match step {
        Step::Field(name) => json.get(name),
        Step::Index(index) => json.as_array()?.get(*index),
    })
}

fn at_mut<'a>(json: &'a mut Json, position: &[Step]) -> Option<&'a mut Json> {
    position.iter().try_fold(json, |json, step| match (step, json) {
        (Step::Field(name), Json::Object(fields)) => fields.get_mut(name),
        (Step::Index(index), Json::Array(items)) => items.get_mut(*index),
        _ => None,
    })
}

/// Replaces an element. A value of another type renames a choice of types.
fn replace(json: &mut Json, position: &[Step], value: &Value) -> Result<(), Outcome> {
    let Some((last, parent)) = position.split_last() else {
        return Err(Outcome::invalid("A FHIR Patch cannot replace the whole resource."));
    };
    if let Some(target) = at_mut(json, position) {
        *target = value.json.clone();
    }
    if let (Step::Field(name), Some(Json::Object(fields))) = (last, at_mut(json, parent))
        && let Some(base) = choice_base(name)
        && fields.get(&format!("{base}{}", value.suffix)).is_none()
    {
        fields.rename(name, &format!("{base}{}", value.suffix));
    }
    Ok(())
}

/// Returns the name of a choice of types without its type, such as `deceased`, or `None` for any other element.
fn choice_base(name: &str) -> Option<&str> {
    const CHOICES: [&str; 11] = [
        "value",
        "deceased",
        "multipleBirth",
        "effective",
        "onset",
        "abatement",
        "occurrence",
        "performed",
        "medication",
        "timing",
        "asNeeded",
    ];
    CHOICES.into_iter().find(|base| {
        name.strip_prefix(base)
            .is_some_and(|suffix| suffix.starts_with(|first: char| first.is_ascii_uppercase()))
    })
}

fn remove(json: &mut Json, position: &[Step]) -> Result<(), Outcome> {
    let Some((last, parent)) = position.split_last() else {
        return Err(Outcome::invalid("A FHIR Patch cannot delete the whole resource."));
    };
    match (last, at_mut(json, parent)) {
        (Step::Field(name), Some(Json::Object(fields))) => drop(fields.remove(name)),
        (Step::Index(index), Some(Json::Array(items))) if *index < items.len() => drop(items.remove(*index)),
        _ => {}
    }
    Ok(())
}

/// Adds an element to a list, or a choice of types.
///
/// Without the resource's definition, the fake does not know whether any other element is a list.
fn add(json: &mut Json, position: &[Step], name: &str, value: &Value) -> Result<(), Outcome> {
    let exists = !children(json, position.to_vec(), name).is_empty();
    let Some(Json::Object(fields)) = at_mut(json, position) else {
        return Err(Outcome::invalid("The path of an `add` operation does not select an object."));
    };
    let choice = format!("{name}{}", value.suffix);
    match fields.get_mut(name) {
        Some(Json::Array(items)) => items.push(value.json.clone()),
        _ if exists => return Err(Outcome::invalid("The element of an `add` operation exists already.")),
        _ if choice_base(&choice) == Some(name) => fields.set(&choice, value.json.clone()),
        _ => {
            let feature = "the FHIR Patch operation `add` for an element that the resource does not have";
            return Err(Outcome::unsupported(feature));
        }
    }
    Ok(())
}

fn several() -> Outcome {
    Outcome::invalid("The path of a FHIR Patch operation selects several elements.")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as JsonValue, json};

    use super::*;

    const PATIENT: &str = r#"{"resourceType":"Patient","active":true,"name":[{"family":"A","given":["B","C"]},{"family":"D"}],"deceasedBoolean":false}"#;

    fn apply(parts: &[(&str, &str, JsonValue)]) -> Result<String, Outcome> {
        let parts: Vec<_> =
            parts.iter().map(|(name, field, value)| json!({"name": name, *field: value})).collect();
        let patch =
            json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]});
        let mut json = Json::parse(PATIENT).unwrap();
        FhirPatch::parse(&Draft::of(&patch).unwrap())?.apply(&mut json)?;
        Ok(json.to_string())
    }

    fn operation(kind: &str, path: &str, rest: &[(&str, &str, JsonValue)]) -> Result<String, Outcome> {
        let head = [("type", "valueCode", json!(kind)), ("path", "valueString", json!(path))];
        apply(&[&head, rest].concat())
    }

    #[test]
    fn supported_operations_change_only_their_target() {
        let value = |field: &'static str, value: JsonValue| ("value", field, value);
        let text = |text: &str| vec![value("valueString", json!(text))];
        let index = |name: &'static str, index: u32| (name, "valueInteger", json!(index));
        for (kind, path, rest, from, to) in [
            (
                "replace",
                "Patient.active",
                vec![value("valueBoolean", json!(false))],
                r#""active":true"#,
                r#""active":false"#,
            ),
            ("replace", "Patient.name[1].family", text("E"), r#""D""#, r#""E""#),
            ("replace", "name[0].given[1]", text("E"), r#""C""#, r#""E""#),
            (
                "replace",
                "Patient.deceased",
                vec![value("valueDateTime", json!("2024"))],
                r#""deceasedBoolean":false"#,
                r#""deceasedDateTime":"2024""#,
            ),
            ("delete", "Patient.name[1]", vec![], r#",{"family":"D"}"#, ""),
            ("delete", "Patient.deceased", vec![], r#","deceasedBoolean":false"#, ""),
            ("delete", "Patient.gender", vec![], "", ""),
            (
                "insert",
                "Patient.name[0].given",
                [text("E"), vec![index("index", 1)]].concat(),
                r#""B","#,
                r#""B","E","#,
            ),
            (
                "move",
                "Patient.name[0].given",
                vec![index("source", 1), index("destination", 0)],
                r#""B","C""#,
                r#""C","B""#,
            ),
            (
                "add",
                "Patient.name[0]",
                [text("E"), vec![("name", "valueString", json!("given"))]].concat(),
                r#""C"]"#,
                r#""C","E"]"#,
            ),
        ] {
            assert_eq!(operation(kind, path, &rest), Ok(PATIENT.replacen(from, to, 1)), "{kind} {path}");
        }
    }

    #[test]
    fn other_operations_are_errors() {
        let text = ("value", "valueString", json!("E"));
        let name = |name: &str| ("name", "valueString", json!(name));
        for (kind, path, rest, status) in [
            ("replace", "Patient.gender", vec![text.clone()], 400),
            ("replace", "Patient.name.family", vec![text.clone()], 400),
            ("replace", "Patient", vec![text.clone()], 400),
            ("replace", "Patient.active", vec![], 400),
            ("replace", "Patient.name.where(use = 'official').family", vec![text.clone()], 501),
            ("replace", "Patient.name[x]", vec![text.clone()], 501),
            ("replace", "Patient.name[0]", vec![("value", "part", json!([]))], 501),
            ("delete", "Patient.name", vec![], 400),
            ("add", "Patient", vec![text.clone(), name("active")], 400),
            ("add", "Patient", vec![text.clone(), name("deceased")], 400),
            ("add", "Patient", vec![text.clone(), name("gender")], 501),
            ("add", "Patient", vec![text.clone()], 400),
            ("insert", "Patient.name", vec![text.clone(), ("index", "valueInteger", json!(3))], 400),
            ("insert", "Patient.active", vec![text.clone(), ("index", "valueInteger", json!(0))], 400),
            ("insert", "Patient.name", vec![text.clone(), ("index", "valueInteger", json!(-1))], 400),
            ("insert", "Patient.contact", vec![text.clone(), ("index", "valueInteger", json!(0))], 501),
            ("upsert", "Patient", vec![text.clone(), name("gender")], 501),
            ("change", "Patient.active", vec![text.clone()], 400),
        ] {
            let outcome = operation(kind, path, &rest).unwrap_err();
            assert_eq!(outcome.status().as_u16(), status, "{kind} {path}");
        }
    }

    #[test]
    fn body_must_be_parameters() {
        let patient = Draft::of(&json!({"resourceType": "Patient"})).unwrap();
        assert_eq!(FhirPatch::parse(&patient).err().map(|outcome| outcome.status().as_u16()), Some(400));
        assert!(apply(&[]).is_err());
    }
}
