//! [`JsonPatch`]: a JSON Patch (RFC 6902) that keeps the digits of numbers.

use http::StatusCode;

use super::super::{json::Json, outcome::Outcome};

/// The operations of a JSON Patch.
pub(crate) struct JsonPatch(Vec<Operation>);

enum Operation {
    Add(Pointer, Json),
    Remove(Pointer),
    Replace(Pointer, Json),
    Move { from: Pointer, to: Pointer },
    Copy { from: Pointer, to: Pointer },
    Test(Pointer, Json),
}

/// A JSON Pointer (RFC 6901) below the root: the parent's tokens and the last token.
struct Pointer {
    parent: Vec<String>,
    last: String,
}

impl JsonPatch {
    pub(crate) fn parse(json: &Json) -> Result<Self, Outcome> {
        let operations = json.as_array().ok_or_else(|| Outcome::invalid("A JSON Patch is an array."))?;
        operations.iter().map(Operation::parse).collect::<Result<_, _>>().map(Self)
    }

    /// Applies the operations in order. After an error, the value is incomplete.
    pub(crate) fn apply(&self, json: &mut Json) -> Result<(), Outcome> {
        self.0.iter().try_for_each(|operation| operation.apply(json))
    }
}

impl Operation {
    fn parse(json: &Json) -> Result<Self, Outcome> {
        let text = |name: &str| json.get(name).and_then(Json::as_str);
        let pointer = |name: &str| {
            let pointer = text(name).and_then(|text| Pointer::parse(&text));
            pointer.ok_or_else(|| {
                Outcome::invalid(format!("A JSON Patch operation needs a `{name}` such as `/active`."))
            })
        };
        let value = || {
            let value = json.get("value").cloned();
            value.ok_or_else(|| Outcome::invalid("This JSON Patch operation needs a `value`."))
        };
        let name = text("op").unwrap_or_default();
        Ok(match name.as_str() {
            "add" => Self::Add(pointer("path")?, value()?),
            "remove" => Self::Remove(pointer("path")?),
            "replace" => Self::Replace(pointer("path")?, value()?),
            "move" => Self::Move { from: pointer("from")?, to: pointer("path")? },
            "copy" => Self::Copy { from: pointer("from")?, to: pointer("path")? },
            "test" => Self::Test(pointer("path")?, value()?),
            _ => return Err(Outcome::invalid("A JSON Patch operation has an unknown `op`.")),
        })
    }

    fn apply(&self, json: &mut Json) -> Result<(), Outcome> {
        match self {
            Self::Add(pointer, value) => pointer.add(json, value.clone()),
            Self::Remove(pointer) => pointer.remove(json).map(drop),
            Self::Replace(pointer, value) => pointer.get_mut(json).map(|target| *target = value.clone()),
            Self::Move { from, to } => from.remove(json).and_then(|value| to.add(json, value)),
            Self::Copy { from, to } => from.get_mut(json).cloned().and_then(|value| to.add(json, value)),
            Self::Test(pointer, value) => {
                let is_equal = pointer.get_mut(json)?.canonical() == value.canonical();
                if is_equal { Ok(()) } else { Err(failed("A `test` operation of the JSON Patch failed.")) }
            }
        }
    }
}

impl Pointer {
    fn parse(text: &str) -> Option<Self> {
        let tokens = text.strip_prefix('/')?.split('/');
        let mut parent: Vec<_> = tokens.map(|token| token.replace("~1", "/").replace("~0", "~")).collect();
        let last = parent.pop()?;
        Some(Self { parent, last })
    }

    fn parent_mut<'a>(&self, json: &'a mut Json) -> Result<&'a mut Json, Outcome> {
        self.parent.iter().try_fold(json, |json, token| child_mut(json, token)).map_err(|()| missing())
    }

    fn get_mut<'a>(&self, json: &'a mut Json) -> Result<&'a mut Json, Outcome> {
        child_mut(self.parent_mut(json)?, &self.last).map_err(|()| missing())
    }

    fn add(&self, json: &mut Json, value: Json) -> Result<(), Outcome> {
        match self.parent_mut(json)? {
            Json::Object(fields) => fields.set(&self.last, value),
            Json::Array(items) => {
                let index = if self.last == "-" { Some(items.len()) } else { index(&self.last) };
                let index = index.filter(|index| *index <= items.len()).ok_or_else(missing)?;
                items.insert(index, value);
            }
            Json::Scalar(_) => return Err(missing()),
        }
        Ok(())
    }

    fn remove(&self, json: &mut Json) -> Result<Json, Outcome> {
        let removed = match self.parent_mut(json)? {
            Json::Object(fields) => fields.remove(&self.last),
            Json::Array(items) => {
                let index = index(&self.last).filter(|index| *index < items.len());
                index.map(|index| items.remove(index))
            }
            Json::Scalar(_) => None,
        };
        removed.ok_or_else(missing)
    }
}

fn child_mut<'a>(json: &'a mut Json, token: &str) -> Result<&'a mut Json, ()> {
    match json {
        Json::Object(fields) => fields.get_mut(token),
        Json::Array(items) => index(token).and_then(|index| items.get_mut(index)),
        Json::Scalar(_) => None,
    }
    .ok_or(())
}

/// Parses an array index, which has no sign and no leading zero.
fn index(token: &str) -> Option<usize> {
    let is_index =
        token == "0" || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
    is_index.then(|| token.parse().ok())?
}

fn missing() -> Outcome {
    failed("The path of a JSON Patch operation does not exist.")
}

/// 400, code `processing` (`fhir-server JsonPatchPayload.cs`).
fn failed(diagnostics: &str) -> Outcome {
    Outcome::new(StatusCode::BAD_REQUEST, "processing", diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGINAL: &str = r#"{"a":1.10,"b":[{"c":"x"},{"c":"y"}],"d/e":true}"#;

    fn apply(patch: &str) -> Result<String, Outcome> {
        let mut json = Json::parse(ORIGINAL).unwrap();
        JsonPatch::parse(&Json::parse(patch).unwrap())?.apply(&mut json)?;
        Ok(json.to_string())
    }

    #[test]
    fn operations_change_only_their_target_and_keep_digits() {
        for (patch, expected) in [
            (
                r#"{"op":"add","path":"/f","value":2.50}"#,
                r#"{"a":1.10,"b":[{"c":"x"},{"c":"y"}],"d/e":true,"f":2.50}"#,
            ),
            (
                r#"{"op":"add","path":"/b/1","value":0}"#,
                r#"{"a":1.10,"b":[{"c":"x"},0,{"c":"y"}],"d/e":true}"#,
            ),
            (
                r#"{"op":"add","path":"/b/-","value":0}"#,
                r#"{"a":1.10,"b":[{"c":"x"},{"c":"y"},0],"d/e":true}"#,
            ),
            (r#"{"op":"remove","path":"/b/0/c"}"#, r#"{"a":1.10,"b":[{},{"c":"y"}],"d/e":true}"#),
            (
                r#"{"op":"replace","path":"/d~1e","value":null}"#,
                r#"{"a":1.10,"b":[{"c":"x"},{"c":"y"}],"d/e":null}"#,
            ),
            (
                r#"{"op":"move","from":"/b/1","path":"/b/0"}"#,
                r#"{"a":1.10,"b":[{"c":"y"},{"c":"x"}],"d/e":true}"#,
            ),
            (
                r#"{"op":"copy","from":"/a","path":"/b/0/c"}"#,
                r#"{"a":1.10,"b":[{"c":1.10},{"c":"y"}],"d/e":true}"#,
            ),
            (r#"{"op":"test","path":"/b/0","value":{"c":"\u0078"}}"#, ORIGINAL),
        ] {
            assert_eq!(apply(&format!("[{patch}]")).as_deref(), Ok(expected), "{patch}");
        }
    }

    #[test]
    fn impossible_and_invalid_operations_are_errors() {
        for (patch, code) in [
            (r#"[{"op":"remove","path":"/x"}]"#, "processing"),
            (r#"[{"op":"replace","path":"/x","value":1}]"#, "processing"),
            (r#"[{"op":"add","path":"/x/y","value":1}]"#, "processing"),
            (r#"[{"op":"add","path":"/b/3","value":1}]"#, "processing"),
            (r#"[{"op":"add","path":"/b/00","value":1}]"#, "processing"),
            (r#"[{"op":"add","path":"/a/0","value":1}]"#, "processing"),
            (r#"[{"op":"remove","path":"/b/2"}]"#, "processing"),
            (r#"[{"op":"test","path":"/a","value":1.1}]"#, "processing"),
            (r#"[{"op":"replace","path":"","value":1}]"#, "invalid"),
            (r#"[{"op":"replace","value":1}]"#, "invalid"),
            (r#"[{"op":"add","path":"/x"}]"#, "invalid"),
            (r#"[{"op":"move","path":"/x"}]"#, "invalid"),
            (r#"[{"op":"coo","path":"/a"}]"#, "invalid"),
            (r#"[1]"#, "invalid"),
            (r#"{"op":"remove","path":"/a"}"#, "invalid"),
        ] {
            let outcome = apply(patch).unwrap_err();
            let value = outcome.value("", azure_core::time::OffsetDateTime::UNIX_EPOCH);
            assert_eq!(
                (outcome.status().as_u16(), value["issue"][0]["code"].as_str()),
                (400, Some(code)),
                "{patch}"
            );
        }
    }
}
