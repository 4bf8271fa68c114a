//! [`ExportRequest`]: what an export contains and where its files are.

use azure_core::time::OffsetDateTime;
use http::{HeaderMap, HeaderName, header};
use url::form_urlencoded::Serializer;

use crate::fhir::{outcome::Outcome, search::Period, types::is_resource_type};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A valid request to start an export.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExportRequest {
    pub(super) level: Level,
    /// The resource types to export, or none for all.
    pub(super) types: Vec<String>,
    /// The first time of the last change of an exported resource.
    pub(super) since: Option<OffsetDateTime>,
    /// The end of the times of the last change of an exported resource.
    pub(super) till: Option<Period>,
    /// Resource types and the searches that select their resources.
    pub(super) filters: Vec<(String, String)>,
    pub(super) container: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Level {
    All,
    Patients,
    /// The members of a Group.
    Group(String),
}

impl ExportRequest {
    /// Checks the headers and parameters in the order of `fhir-server ValidateExportRequestFilterAttribute.cs` and
    /// `ExportController.cs`.
    pub(super) fn parse(
        headers: &HeaderMap,
        parameters: &[(String, String)],
        level: Level,
    ) -> Result<Self, Outcome> {
        check_accept(headers)?;
        check_prefer(headers)?;
        let mut request =
            Self { level, types: Vec::new(), since: None, till: None, filters: Vec::new(), container: None };
        for (name, value) in parameters {
            request.set(name, value)?;
        }
        if !request.filters.is_empty() && request.types.is_empty() {
            return Err(Outcome::invalid("`_typeFilter` needs `_type`."));
        }
        if !request.filters.is_empty() && request.level != Level::All {
            return Err(Outcome::unsupported("`_typeFilter` in an export of Patients or a Group"));
        }
        Ok(request)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Outcome> {
        let invalid = || Outcome::invalid(format!("The value of `{name}` is invalid."));
        let time = || Period::parse(value).and_then(Period::start_time).ok_or_else(invalid);
        match name {
            "_since" => self.since = Some(time()?),
            "_till" => self.till = Some(Period::parse(value).ok_or_else(invalid)?),
            "_typeFilter" => self.filters = filters(value).ok_or_else(invalid)?,
            "_type" => {
                self.types = value.split(',').map(str::to_owned).collect();
                if !self.types.iter().all(|name| is_resource_type(name)) {
                    return Err(Outcome::unsupported("unknown resource types in `_type`"));
                }
            }
            "_container" if value.split(['/', '\\']).any(|segment| segment == "..") => return Err(invalid()),
            "_container" if is_container(value) => self.container = Some(value.to_owned()),
            "_container" => {
                return Err(Outcome::unsupported("container names that are invalid in Azure Storage"));
            }
            "_outputFormat" => {
                if !["application/fhir+ndjson", "application/ndjson", "ndjson"].contains(&value) {
                    return Err(invalid());
                }
            }
            // They determine how the service works, not what it exports.
            "_isParallel" => {
                value.to_ascii_lowercase().parse::<bool>().map_err(|_| invalid())?;
            }
            "_maxCount" => {
                value.parse::<u32>().map_err(|_| invalid())?;
            }
            "_format" | "includeAssociatedData" => {
                return Err(Outcome::unsupported(&format!("the export parameter `{name}`")));
            }
            name if name.starts_with("_anonymizationConfig") => {
                return Err(Outcome::unsupported("anonymized exports"));
            }
            _ => return Err(Outcome::invalid(format!("An export has no parameter `{name}`."))),
        }
        Ok(())
    }
}

/// Parses filters such as `Patient?active=true&gender=female,Observation?status=final` (`fhir-server
/// CreateExportRequestHandler.cs`).
fn filters(text: &str) -> Option<Vec<(String, String)>> {
    let filter = |filter: &str| {
        let (resource_type, query) = filter.split_once('?')?;
        let mut pairs = Serializer::new(String::new());
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').filter(|(_, value)| !value.contains('='))?;
            pairs.append_pair(name, value);
        }
        Some((resource_type.to_owned(), pairs.finish()))
    };
    text.split(',').map(filter).collect()
}

/// Requires `Accept: application/fhir+json`, without anything else.
fn check_accept(headers: &HeaderMap) -> Result<(), Outcome> {
    let mut values = headers.get_all(header::ACCEPT).iter();
    let only = values.next().filter(|_| values.next().is_none());
    if only.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"application/fhir+json")) {
        return Ok(());
    }
    Err(Outcome::invalid("An export needs the header `Accept: application/fhir+json`."))
}

/// Requires `Prefer: respond-async`, and allows `handling` in addition.
fn check_prefer(headers: &HeaderMap) -> Result<(), Outcome> {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut is_async = false;
    for value in values.flat_map(|value| value.split(',')) {
        let value = value.replace(' ', "").to_ascii_lowercase();
        match value.as_str() {
            "respond-async" => is_async = true,
            "handling=strict" | "handling=lenient" => {}
            _ => return Err(Outcome::invalid("The value of `Prefer` is invalid for an export.")),
        }
    }
    if is_async {
        return Ok(());
    }
    Err(Outcome::invalid("An export needs the header `Prefer: respond-async`."))
}

/// Returns `true` if the name is valid for a container (Azure documentation
/// `naming-and-referencing-containers--blobs--and-metadata`).
fn is_container(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (3..=63).contains(&name.len())
        && name.bytes().all(is_allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn accept_must_be_exactly_fhir_json() {
        for (values, expected) in [
            (&["application/fhir+json"][..], true),
            (&["Application/FHIR+JSON"], true),
            (&[], false),
            (&["*/*"], false),
            (&["application/json"], false),
            (&["application/fhir+json; charset=utf-8"], false),
            (&["application/fhir+json", "application/fhir+json"], false),
        ] {
            assert_eq!(check_accept(&headers(header::ACCEPT, values)).is_ok(), expected, "{values:?}");
        }
    }

    #[test]
    fn prefer_must_be_respond_async() {
        for (values, expected) in [
            (&["respond-async"][..], true),
            (&["handling=lenient, Respond-Async"], true),
            (&["respond-async", "handling=strict"], true),
            (&[], false),
            (&["handling=strict"], false),
            (&["respond-async, return=minimal"], false),
            (&["respond-async, handling=other"], false),
        ] {
            assert_eq!(check_prefer(&headers(PREFER, values)).is_ok(), expected, "{values:?}");
        }
    }

    #[test]
    fn container_has_a_valid_name() {
        for (name, expected) in [
            ("exports", true),
            ("a-1", true),
            ("ab", false),
            ("Exports", false),
            ("-ab", false),
            ("ab-", false),
            ("a--b", false),
            ("a/b", false),
        ] {
            assert_eq!(is_container(name), expected, "{name}");
        }
    }
}
