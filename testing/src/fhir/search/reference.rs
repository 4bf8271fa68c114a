//! [`Reference`]: a reference in a resource or in a search.

use crate::fhir::types::is_resource_type;

/// A parsed reference (`fhir-server ReferenceSearchValueParser.cs`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    base: Base,
    resource_type: Option<String>,
    id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Base {
    /// A relative reference.
    Any,
    /// An absolute reference to this server.
    Own,
    /// The start of an absolute reference to another server.
    Other(String),
}

impl Reference {
    /// Parses `Patient/1`, an absolute URL, or an id. Ignores what follows the id, such as a version.
    pub(crate) fn parse(text: &str, origin: &str) -> Self {
        let plain = || Self { base: Base::Any, resource_type: None, id: text.to_owned() };
        let Some((base, resource_type, id)) = split(text) else { return plain() };
        let is_http = |base: &str| {
            let base = base.to_ascii_lowercase();
            base.starts_with("http://") || base.starts_with("https://")
        };
        let base = match base {
            "" => Base::Any,
            base if base.trim_end_matches('/').eq_ignore_ascii_case(origin) => Base::Own,
            base if is_http(base) => Base::Other(base.to_owned()),
            _ => return plain(),
        };
        Self { base, resource_type: Some(resource_type.to_owned()), id: id.to_owned() }
    }

    /// Parses the `reference` of a resource. Returns `None` for what searches do not find: contained resources and URNs
    /// (`fhir-server ResourceReferenceToReferenceSearchValueConverter.cs`).
    pub(crate) fn of_resource(text: &str, origin: &str) -> Option<Self> {
        let is_searchable = !text.starts_with('#') && !text.starts_with("urn:");
        is_searchable.then(|| Self::parse(text, origin))
    }

    pub(crate) fn resource_type(&self) -> Option<&str> {
        self.resource_type.as_deref()
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Sets the resource type if there is none. Returns `false` if there is another one.
    pub(super) fn set_type(&mut self, resource_type: &str) -> bool {
        self.resource_type.get_or_insert_with(|| resource_type.to_owned()) == resource_type
    }

    /// Returns `true` if a search for this reference finds another one (`fhir-server
    /// SearchValueExpressionBuilderHelper.cs`).
    pub(crate) fn matches(&self, found: &Self) -> bool {
        let base_matches = match &self.base {
            Base::Any => true,
            // The base of a relative reference and that of this server are both stored as none.
            Base::Own => !matches!(found.base, Base::Other(_)),
            other => *other == found.base,
        };
        let type_matches = self.resource_type.is_none() || self.resource_type == found.resource_type;
        base_matches && type_matches && self.id == found.id
    }
}

/// Splits a text at the first resource type that an id follows.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let mut start = 0;
    loop {
        let rest = text.get(start..)?;
        let (segment, next) = rest.split_once('/')?;
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        let length = next.bytes().take(64).take_while(|&byte| is_id(byte)).count();
        if is_resource_type(segment) && length > 0 {
            return Some((text.get(..start)?, segment, next.get(..length)?));
        }
        start += segment.len() + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "http://127.0.0.1:80";

    #[test]
    fn searched_reference_finds_all_forms_of_the_same_target() {
        for (searched, expected) in [
            ("p1", "yyyy-"),
            ("Patient/p1", "yyy--"),
            ("Patient/p1/_history/2", "yyy--"),
            ("http://127.0.0.1:80/Patient/p1", "yy---"),
            ("https://example.com/r4/Patient/p1", "--y--"),
            ("https://example.com/Patient/p1", "-----"),
            ("Group/p1", "---y-"),
            ("Patient/p2", "-----"),
            ("patient/p1", "-----"),
            ("urn:Patient/p1", "-----"),
        ] {
            let searched = Reference::parse(searched, ORIGIN);
            let found = [
                "Patient/p1",
                "http://127.0.0.1:80/Patient/p1",
                "https://example.com/r4/Patient/p1",
                "Group/p1",
            ];
            let mut shown: String = found
                .iter()
                .map(|found| if searched.matches(&Reference::parse(found, ORIGIN)) { 'y' } else { '-' })
                .collect();
            shown.push(if searched.matches(&Reference::parse("Patient/p12", ORIGIN)) { 'y' } else { '-' });
            assert_eq!(shown, expected, "{searched:?}");
        }
    }

    #[test]
    fn contained_resources_and_urns_are_not_searchable() {
        for (text, expected) in
            [("#p1", false), ("urn:uuid:0", false), ("Patient/p1", true), ("https://example.com/x", true)]
        {
            assert_eq!(Reference::of_resource(text, ORIGIN).is_some(), expected, "{text}");
        }
    }

    #[test]
    fn type_of_a_modifier_must_not_contradict_the_reference() {
        let mut reference = Reference::parse("p1", ORIGIN);
        assert!(reference.set_type("Patient") && reference == Reference::parse("Patient/p1", ORIGIN));
        assert!(!reference.set_type("Group"));
    }
}
