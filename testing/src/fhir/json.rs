//! [`Json`]: a JSON value that keeps what was sent, including the order of fields and the digits of numbers.

use std::{collections::HashMap, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};

/// A JSON value without insignificant whitespace.
///
/// [`Value`] cannot replace it: it reads `1.10` as `1.1` and sorts the fields of objects.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Json {
    /// A string, number, boolean or `null`, as it was written.
    Scalar(Box<str>),
    Array(Vec<Json>),
    Object(Fields),
}

/// The fields of an object, in order and with distinct names.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, Json)>);

impl Json {
    /// Parses JSON text. Rejects deep nesting, because [`Value`] does.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<Value>(text)?;
        Self::convert(text.trim())
    }

    fn convert(text: &str) -> Result<Self, serde_json::Error> {
        Ok(match text.as_bytes().first() {
            Some(b'{') => {
                let RawFields(raw) = serde_json::from_str(text)?;
                let fields = raw.into_iter().map(|(name, value)| Ok((name, Self::convert(value.get())?)));
                Self::Object(fields.collect::<Result<_, serde_json::Error>>()?)
            }
            Some(b'[') => {
                let raw: Vec<&RawValue> = serde_json::from_str(text)?;
                Self::Array(
                    raw.into_iter().map(|value| Self::convert(value.get())).collect::<Result<_, _>>()?,
                )
            }
            _ => Self::Scalar(text.into()),
        })
    }

    /// Creates a string.
    pub(crate) fn string(text: &str) -> Self {
        Self::Scalar(Value::from(text).to_string().into())
    }

    /// Returns the text of a string.
    pub(crate) fn as_str(&self) -> Option<String> {
        match self {
            Self::Scalar(text) if text.starts_with('"') => serde_json::from_str(text).ok(),
            _ => None,
        }
    }

    pub(crate) fn as_object(&self) -> Option<&Fields> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    pub(crate) fn as_object_mut(&mut self) -> Option<&mut Fields> {
        match self {
            Self::Object(fields) => Some(fields),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Returns a field of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// Converts to a [`Value`], which may lose digits.
    pub(crate) fn to_value(&self) -> Value {
        serde_json::from_str(&self.to_string()).unwrap_or_default()
    }

    /// Returns a text that is equal for values that differ only in the order of fields and in escapes.
    pub(crate) fn canonical(&self) -> String {
        let mut sorted = self.clone();
        sorted.normalize();
        sorted.to_string()
    }

    fn normalize(&mut self) {
        match self {
            Self::Scalar(_) => {
                if let Some(text) = self.as_str() {
                    *self = Self::string(&text);
                }
            }
            Self::Array(items) => items.iter_mut().for_each(Self::normalize),
            Self::Object(Fields(fields)) => {
                fields.iter_mut().for_each(|(_, value)| value.normalize());
                fields.sort_by(|(one, _), (other, _)| one.cmp(other));
            }
        }
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(text) => f.write_str(text),
            Self::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "[" } else { "," })?;
                }
                f.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Self::Object(Fields(fields)) => {
                for (index, (name, value)) in fields.iter().enumerate() {
                    let separator = if index == 0 { "{" } else { "," };
                    write!(f, "{separator}{}:{value}", Value::from(name.as_str()))?;
                }
                f.write_str(if fields.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

impl Fields {
    pub(crate) fn get(&self, name: &str) -> Option<&Json> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Json> {
        self.0.iter_mut().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// Replaces a field where it is, or adds it at the end.
    pub(crate) fn set(&mut self, name: &str, value: Json) {
        match self.get_mut(name) {
            Some(existing) => *existing = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Json> {
        let index = self.0.iter().position(|(field, _)| field == name)?;
        Some(self.0.remove(index).1)
    }

    pub(crate) fn rename(&mut self, name: &str, new_name: &str) {
        if let Some((field, _)) = self.0.iter_mut().find(|(field, _)| field == name) {
            new_name.clone_into(field);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Json> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Json)> for Fields {
    fn from_iter<T: IntoIterator<Item = (String, Json)>>(fields: T) -> Self {
        let (mut all, mut positions) = (Self::default(), HashMap::new());
        for (name, value) in fields {
            // The last of equal names counts, as in `Value`.
            match positions.get(&name).and_then(|position: &usize| all.0.get_mut(*position)) {
                Some((_, existing)) => *existing = value,
                None => {
                    positions.insert(name.clone(), all.0.len());
                    all.0.push((name, value));
                }
            }
        }
        all
    }
}

/// The fields of an object as they were written.
struct RawFields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for RawFields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RawFieldsVisitor;

        impl<'de> Visitor<'de> for RawFieldsVisitor {
            type Value = RawFields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawFields<'de>, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(RawFields(fields))
            }
        }

        deserializer.deserialize_map(RawFieldsVisitor)
    }
}

#[cfg(test)]
impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Json {
        Json::parse(text).unwrap()
    }

    #[test]
    fn text_keeps_order_and_digits_but_no_whitespace() {
        for (text, expected) in [
            (" { \"b\" : 1.10 , \"a\" : [ 1e2 , -0.0 , { } , [ ] ] } ", r#"{"b":1.10,"a":[1e2,-0.0,{},[]]}"#),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (r#"{"\u0061":" \n \u00e9 "}"#, r#"{"a":" \n \u00e9 "}"#),
            ("100000000000000000000000", "100000000000000000000000"),
            ("null", "null"),
        ] {
            assert_eq!(parse(text).to_string(), expected);
        }
    }

    #[test]
    fn invalid_and_deeply_nested_text_is_an_error() {
        for text in ["", "{", "{]", "[1,]", "1 2", "nul", &"[".repeat(100_000)] {
            assert!(Json::parse(text).is_err(), "{}", text.len());
        }
    }

    #[test]
    fn canonical_text_ignores_order_and_escapes_but_not_digits() {
        let canonical = parse(r#"{"a":{"d":1.10,"c":"\u0041"},"b":[2,1]}"#).canonical();
        for (text, equal) in [
            (r#"{"b": [2, 1], "a": {"c": "A", "d": 1.10}}"#, true),
            (r#"{"b":[1,2],"a":{"c":"A","d":1.10}}"#, false),
            (r#"{"b":[2,1],"a":{"c":"A","d":1.1}}"#, false),
        ] {
            assert_eq!(parse(text).canonical() == canonical, equal, "{text}");
        }
    }

    #[test]
    fn fields_are_replaced_in_place_renamed_and_removed() {
        let mut json = parse(r#"{"a":1,"b":2,"c":3}"#);
        let fields = json.as_object_mut().unwrap();
        fields.set("b", Json::string("x\""));
        fields.set("d", parse("null"));
        fields.rename("c", "e");
        assert_eq!(fields.remove("a"), Some(parse("1")));
        assert_eq!(fields.remove("a"), None);
        assert_eq!(json.to_string(), r#"{"b":"x\"","e":3,"d":null}"#);
        assert_eq!(json.get("b").and_then(Json::as_str).as_deref(), Some("x\""));
        assert_eq!(json.get("e").and_then(Json::as_str), None);
    }
}
