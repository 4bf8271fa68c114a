//! The content of requests that change a resource: the resource, the expected version, and the kind of deletion.

use std::str;

use http::{HeaderName, header};

use super::{
    call::Call,
    outcome::Outcome,
    resource::{Draft, Resource},
};

const PROVENANCE: HeaderName = HeaderName::from_static("x-provenance");
const PROFILE_VALIDATION: HeaderName = HeaderName::from_static("x-ms-profile-validation");

/// Returns the resource in the body, which must be of the type in the path (`fhir-server
/// ValidateResourceTypeFilterAttribute.cs`).
pub(super) fn resource_of_path(call: &Call) -> Result<Draft, Outcome> {
    let draft = resource(call)?;
    if draft.resource_type() != call.resource_type() {
        let diagnostics = "The resource is not of the type that is in the URL.";
        return Err(Outcome::invalid(diagnostics).about("TypeName"));
    }
    Ok(draft)
}

/// Returns the resource in the body. The fake does not check its content.
pub(super) fn resource(call: &Call) -> Result<Draft, Outcome> {
    Draft::parse(text(call)?)
        .map_err(|reason| Outcome::invalid(format!("The body is not a FHIR resource: {reason}.")))
}

/// Returns the body, which must not be empty.
pub(super) fn text(call: &Call) -> Result<&str, Outcome> {
    let text = str::from_utf8(&call.body).map_err(|_| Outcome::invalid("The body is not UTF-8."))?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() { Err(Outcome::invalid("The request needs a body.")) } else { Ok(text) }
}

/// Rejects what would change the effect of a write, because ignoring it would hide that it has none.
pub(super) fn reject_unsupported(call: &Call) -> Result<(), Outcome> {
    if call.header(&PROVENANCE).is_some() {
        return Err(Outcome::unsupported("the header `X-Provenance`"));
    }
    if call.header(&PROFILE_VALIDATION).is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(Outcome::unsupported("the header `x-ms-profile-validation`"));
    }
    if call.parameter("_meta-history").is_some_and(|value| value.eq_ignore_ascii_case("false")) {
        return Err(Outcome::unsupported("the parameter `_meta-history`"));
    }
    Ok(())
}

/// Returns `true` if the history is to be deleted too (`fhir-server HardDeleteModel.cs`).
pub(super) fn is_hard_delete(call: &Call) -> Result<bool, Outcome> {
    let mut hard = false;
    for (name, value) in call.parameters() {
        if ["_harddelete", "harddelete"].contains(&name.to_ascii_lowercase().as_str()) {
            hard |= match value.to_ascii_lowercase().as_str() {
                "true" => true,
                "false" | "" => false,
                _ => {
                    return Err(Outcome::invalid(format!(
                        "The parameter `{name}` must be `true` or `false`."
                    )));
                }
            };
        }
    }
    Ok(hard)
}

/// The version that a request expects.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version(String);

impl Version {
    pub(super) fn of(resource: &Resource) -> Self {
        Self(resource.version().to_string())
    }

    /// Parses a weak entity tag. Strong ones are errors (`fhir-server WeakETag.cs`).
    fn parse(text: &str) -> Option<Self> {
        let version = text.strip_prefix("W/\"")?.strip_suffix('"')?;
        (!version.is_empty()).then(|| Self(version.to_owned()))
    }

    pub(super) fn is(&self, resource: &Resource) -> bool {
        self.0 == resource.version().to_string()
    }
}

/// Returns the version in `If-Match` (`fhir-server WeakETagBinder.cs`).
pub(super) fn if_match(call: &Call) -> Result<Option<Version>, Outcome> {
    let Some(value) = call.header(&header::IF_MATCH) else { return Ok(None) };
    let invalid = || Outcome::invalid("`If-Match` must be a weak entity tag, such as `W/\"1\"`.");
    Version::parse(value).map(Some).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_weak_entity_tags_are_versions() {
        for (text, expected) in [
            ("W/\"1\"", Some("1")),
            ("W/\"abc\"", Some("abc")),
            ("\"1\"", None),
            ("1", None),
            ("*", None),
            ("W/\"\"", None),
            ("W/\"1", None),
            ("w/\"1\"", None),
        ] {
            assert_eq!(Version::parse(text), expected.map(|text| Version(text.to_owned())), "{text}");
        }
    }
}
