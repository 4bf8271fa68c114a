//! [`resolve`], [`resolve_criteria`]: references to resources that have no known id yet.

use std::collections::HashMap;

use super::{
    criteria,
    json::{Fields, Json},
    outcome::Outcome,
    store::Store,
    types::is_resource_type,
};

/// Replaces references to the full URLs of a transaction's entries by the given references, such as `Patient/1`
/// (`fhir-server ResourceReferenceResolver.cs`).
pub(super) fn resolve(json: &mut Json, known: &HashMap<String, String>) {
    // The replacement cannot fail.
    let _ = replace(json, &mut |reference| Ok(known.get(reference).cloned()));
}

/// Replaces conditional references, such as `Patient?identifier=a|b`, which must match one resource
/// (`fhir-server ResourceReferenceResolver.cs`).
pub(super) fn resolve_criteria(store: &Store, origin: &str, fields: &mut Fields) -> Result<(), Outcome> {
    let mut resolve = |reference: &str| {
        let Some((resource_type, criteria)) = reference.split_once('?') else { return Ok(None) };
        if !is_resource_type(resource_type) {
            return Err(Outcome::invalid("A conditional reference does not start with a resource type."));
        }
        match criteria::matching(store, resource_type, criteria, origin)?.as_slice() {
            [only] => Ok(Some(format!("{resource_type}/{}", only.id()))),
            [] => Err(Outcome::invalid("A conditional reference matches no resource.")),
            _ => Err(Outcome::invalid("A conditional reference matches several resources.")),
        }
    };
    fields.values_mut().try_for_each(|value| replace(value, &mut resolve))
}

/// Replaces the text of all references for which `replacement` returns one.
fn replace(
    json: &mut Json,
    replacement: &mut impl FnMut(&str) -> Result<Option<String>, Outcome>,
) -> Result<(), Outcome> {
    match json {
        Json::Scalar(_) => Ok(()),
        Json::Array(items) => items.iter_mut().try_for_each(|item| replace(item, replacement)),
        Json::Object(fields) => {
            if let Some(reference) = fields.get_mut("reference")
                && let Some(text) = reference.as_str()
                && let Some(text) = replacement(&text)?
            {
                *reference = Json::string(&text);
            }
            fields.values_mut().try_for_each(|value| replace(value, replacement))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_at_any_depth_and_nothing_else() {
        let text = r#"{"a":[{"reference":"urn:x"},{"reference":"urn:y"}],"b":{"c":{"reference":"urn:x"}},"d":"urn:x"}"#;
        let mut json = Json::parse(text).unwrap();
        let known = HashMap::from([("urn:x".to_owned(), "Patient/1".to_owned())]);
        resolve(&mut json, &known);
        let expected = text.replace(r#""reference":"urn:x""#, r#""reference":"Patient/1""#);
        assert_eq!(json.to_string(), expected);
    }
}
