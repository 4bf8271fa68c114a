//! [`Parameter`]: a search parameter of a resource type.

use serde_json::Value;

/// The search parameters that the fake supports.
const TABLE: &str = include_str!("parameters.txt");

/// A search parameter and the elements that it searches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    elements: Vec<Element>,
}

/// The type of a search parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Token,
    /// A token whose system is that of the element's value set, which the fake does not know.
    Code,
    Text,
    Date,
    Reference,
    Uri,
}

#[derive(Debug, PartialEq, Eq)]
struct Element {
    path: &'static str,
    /// The type to which a reference must refer.
    target: Option<&'static str>,
}

/// A line of the table.
struct Row {
    name: &'static str,
    kind: &'static str,
    element: &'static str,
    types: &'static str,
}

fn rows() -> impl Iterator<Item = Row> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.splitn(4, ' ');
        Some(Row {
            name: fields.next()?,
            kind: fields.next()?,
            element: fields.next()?,
            types: fields.next()?,
        })
    })
}

impl Row {
    fn has_type(&self, resource_type: &str) -> bool {
        self.types.split(' ').any(|name| name == "*" || name == resource_type)
    }
}

impl Kind {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "token" => Self::Token,
            "code" => Self::Code,
            "string" => Self::Text,
            "date" => Self::Date,
            "reference" => Self::Reference,
            "uri" => Self::Uri,
            _ => return None,
        })
    }
}

impl Parameter {
    /// Returns the parameter with a name, or `None` if the fake does not support it.
    pub(super) fn find(resource_type: &str, name: &str) -> Option<Self> {
        let mut rows = rows().filter(|row| row.name == name && row.has_type(resource_type)).peekable();
        let first = rows.peek()?;
        let (name, kind) = (first.name, Kind::of(first.kind)?);
        let elements = rows.map(|row| match row.element.split_once('@') {
            Some((path, target)) => Element { path, target: Some(target) },
            None => Element { path: row.element, target: None },
        });
        Some(Self { name, kind, elements: elements.collect() })
    }

    /// Returns the values of the searched elements, each with the type to which a reference must refer.
    pub(super) fn values<'a>(&self, resource: &'a Value) -> Vec<(&'a Value, Option<&'static str>)> {
        let all = self.elements.iter().flat_map(|element| {
            let values = values_at(resource, element.path, self.kind == Kind::Date);
            values.into_iter().map(|value| (value, element.target))
        });
        all.collect()
    }
}

/// Returns the names and types of the parameters of a resource type.
pub(super) fn names(resource_type: &str) -> Vec<(&'static str, &'static str)> {
    let rows = rows().filter(|row| row.has_type(resource_type));
    let mut names: Vec<_> =
        rows.map(|row| (row.name, if row.kind == "code" { "token" } else { row.kind })).collect();
    names.dedup();
    names
}

/// Returns the values at a path such as `name.family`, of all items of lists.
///
/// The last name can be that of an element with a choice of types, such as `effective`.
pub(crate) fn values_at<'a>(resource: &'a Value, path: &str, is_choice: bool) -> Vec<&'a Value> {
    let mut values = vec![resource];
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let suffixes: &[&str] =
            if is_choice && names.peek().is_none() { &["", "DateTime", "Instant", "Period"] } else { &[""] };
        let fields = values.into_iter().flat_map(|value| {
            suffixes.iter().filter_map(move |suffix| match *suffix {
                "" => value.get(name),
                suffix => value.get(format!("{name}{suffix}")),
            })
        });
        values = fields
            .flat_map(|field| match field {
                Value::Array(items) => items.iter().collect(),
                other => vec![other],
            })
            .collect();
    }
    values
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fhir::types::is_resource_type;

    #[test]
    fn table_has_known_kinds_and_types() {
        for Row { name, kind, types, .. } in rows() {
            assert!(Kind::of(kind).is_some(), "{name}");
            for resource_type in types.split(' ').filter(|name| *name != "*") {
                assert!(is_resource_type(resource_type), "{name}: {resource_type}");
                let all = rows().filter(|row| row.name == name && row.has_type(resource_type));
                assert!(all.into_iter().all(|row| row.kind == kind), "{name}: {resource_type}");
            }
        }
    }

    #[test]
    fn parameters_depend_on_the_resource_type() {
        for (resource_type, name, expected) in [
            ("Patient", "birthdate", Some(Kind::Date)),
            ("Person", "birthdate", Some(Kind::Date)),
            ("Observation", "birthdate", None),
            ("Patient", "family", Some(Kind::Text)),
            ("Person", "family", None),
            ("Observation", "patient", Some(Kind::Reference)),
            ("Coverage", "patient", Some(Kind::Reference)),
            ("Organization", "patient", None),
            ("Organization", "_id", Some(Kind::Token)),
            ("Patient", "gender", Some(Kind::Code)),
            ("Patient", "_profile", Some(Kind::Uri)),
            ("Patient", "unknown", None),
        ] {
            let kind = Parameter::find(resource_type, name).map(|parameter| parameter.kind);
            assert_eq!(kind, expected, "{resource_type} {name}");
        }
    }

    #[test]
    fn names_are_those_of_the_resource_type() {
        let names = names("Person");
        assert!(names.contains(&("birthdate", "date")) && names.contains(&("gender", "token")), "{names:?}");
        assert!(names.contains(&("_id", "token")) && !names.iter().any(|(name, _)| *name == "family"));
    }

    #[test]
    fn path_leads_through_lists_and_choices() {
        let resource = json!({
            "name": [{"family": "A"}, {"given": ["B", "C"]}, {"family": "D"}],
            "effectiveDateTime": "2024",
        });
        let values =
            |path, is_choice| values_at(&resource, path, is_choice).into_iter().cloned().collect::<Vec<_>>();
        assert_eq!(values("name.family", false), ["A", "D"]);
        assert_eq!(values("name.given", false), ["B", "C"]);
        assert_eq!(values("effective", true), ["2024"]);
        assert!(values("effective", false).is_empty() && values("name.x.y", false).is_empty());
    }
}
