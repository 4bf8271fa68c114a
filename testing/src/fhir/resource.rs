//! [`Draft`] and [`Resource`]: a resource as it was sent, and a version of it in the store.

use std::{fmt, sync::Arc};

use azure_core::time::OffsetDateTime;
use http::Method;
use serde::Serialize;
use serde_json::Value;

use super::{
    instant::instant,
    json::{Fields, Json},
    types::{is_id, is_resource_type},
};

/// A resource that a client has sent, which has no version yet.
#[derive(Clone)]
pub(crate) struct Draft {
    fields: Fields,
    resource_type: String,
    id: Option<String>,
}

impl Draft {
    /// Parses a resource. Checks only its type, its id and that `meta` is an object.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let json = Json::parse(text).map_err(|error| format!("it is not JSON: {error}"))?;
        Self::new(json)
    }

    /// Converts a value that serializes to a resource.
    pub(crate) fn of(resource: &impl Serialize) -> Result<Self, String> {
        let text = serde_json::to_string(resource).map_err(|error| format!("it is not JSON: {error}"))?;
        Self::parse(&text)
    }

    pub(crate) fn new(json: Json) -> Result<Self, String> {
        let Json::Object(fields) = json else { return Err("it is not a JSON object".to_owned()) };
        let resource_type = fields.get("resourceType").and_then(Json::as_str);
        let Some(resource_type) = resource_type.filter(|name| is_resource_type(name)) else {
            return Err("its `resourceType` is not the name of an R4 resource type".to_owned());
        };
        let id = match fields.get("id") {
            None => None,
            Some(id) => match id.as_str() {
                Some(id) if is_id(&id) => Some(id),
                _ => return Err("its `id` is not 1 to 64 letters, digits, `-` and `.`".to_owned()),
            },
        };
        if fields.get("meta").is_some_and(|meta| meta.as_object().is_none()) {
            return Err("its `meta` is not an object".to_owned());
        }
        Ok(Self { fields, resource_type, id })
    }

    pub(crate) fn resource_type(&self) -> &str {
        &self.resource_type
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Json> {
        self.fields.get(name)
    }

    /// Returns the fields for changes. A change of the type or the id has no effect.
    pub(crate) fn fields_mut(&mut self) -> &mut Fields {
        &mut self.fields
    }

    /// Returns the JSON of a resource with this content: first the fields that the server sets, in the order in which
    /// the real server serializes them, then all others as they were sent.
    fn json(&self, id: &str, version: u64, last_updated: OffsetDateTime) -> Json {
        const SET_BY_SERVER: [&str; 3] = ["resourceType", "id", "meta"];
        let owned = |(name, value): (&str, &Json)| (name.to_owned(), value.clone());
        let mut meta = Fields::from_iter([
            ("versionId".to_owned(), Json::string(&version.to_string())),
            ("lastUpdated".to_owned(), Json::string(&instant(last_updated))),
        ]);
        for (name, value) in
            self.fields.get("meta").and_then(Json::as_object).iter().flat_map(|meta| meta.iter())
        {
            if meta.get(name).is_none() {
                meta.set(name, value.clone());
            }
        }
        let set = [
            ("resourceType".to_owned(), Json::string(&self.resource_type)),
            ("id".to_owned(), Json::string(id)),
            ("meta".to_owned(), Json::Object(meta)),
        ];
        let rest = self.fields.iter().filter(|(name, _)| !SET_BY_SERVER.contains(name));
        Json::Object(set.into_iter().chain(rest.map(owned)).collect())
    }

    /// Returns a text that is equal for drafts whose content the server does not distinguish.
    pub(crate) fn content(&self) -> String {
        self.json("", 0, OffsetDateTime::UNIX_EPOCH).canonical()
    }
}

/// The version, time and origin of a change.
pub(crate) struct Revision {
    pub(crate) version: u64,
    pub(crate) last_updated: OffsetDateTime,
    /// The position among all changes of the store.
    pub(crate) sequence: u64,
    pub(crate) method: Method,
}

/// A version of a resource. Clones share the content.
#[derive(Clone)]
pub(crate) struct Resource(Arc<Inner>);

struct Inner {
    resource_type: String,
    id: String,
    revision: Revision,
    deleted: bool,
    text: String,
    value: Value,
}

impl Resource {
    pub(crate) fn new(draft: &Draft, id: &str, revision: Revision) -> Self {
        Self::build(draft, id, revision, false)
    }

    /// Creates the version that marks a resource as deleted. It has no content (`fhir-server DeletionService.cs`).
    pub(crate) fn deleted(resource_type: &str, id: &str, revision: Revision) -> Self {
        let draft = Draft { fields: Fields::default(), resource_type: resource_type.to_owned(), id: None };
        Self::build(&draft, id, revision, true)
    }

    fn build(draft: &Draft, id: &str, revision: Revision, deleted: bool) -> Self {
        let json = draft.json(id, revision.version, revision.last_updated);
        Self(Arc::new(Inner {
            resource_type: draft.resource_type.clone(),
            id: id.to_owned(),
            revision,
            deleted,
            text: json.to_string(),
            value: json.to_value(),
        }))
    }

    /// Returns the JSON text, on one line, with the digits of numbers as they were sent.
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    /// Returns the content for searches. Numbers may have lost digits.
    pub(crate) fn value(&self) -> &Value {
        &self.0.value
    }

    pub(crate) fn resource_type(&self) -> &str {
        &self.0.resource_type
    }

    pub(crate) fn id(&self) -> &str {
        &self.0.id
    }

    pub(crate) fn version(&self) -> u64 {
        self.0.revision.version
    }

    pub(crate) fn last_updated(&self) -> OffsetDateTime {
        self.0.revision.last_updated
    }

    /// Returns the position among all changes of the store. A later change has a higher position.
    pub(crate) fn sequence(&self) -> u64 {
        self.0.revision.sequence
    }

    /// Returns the method of the request that created this version.
    pub(crate) fn method(&self) -> &Method {
        &self.0.revision.method
    }

    /// Returns `true` if this version marks the resource as deleted.
    pub(crate) fn is_deleted(&self) -> bool {
        self.0.deleted
    }

    /// Returns the content for a change.
    pub(crate) fn to_draft(&self) -> Option<Draft> {
        Draft::parse(self.text()).ok()
    }

    /// Returns the version as a weak entity tag (`fhir-server WeakETag.cs`).
    pub(crate) fn etag(&self) -> String {
        format!("W/\"{}\"", self.version())
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("resource_type", &self.resource_type())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision(version: u64) -> Revision {
        let last_updated = OffsetDateTime::UNIX_EPOCH;
        Revision { version, last_updated, sequence: 7, method: Method::POST }
    }

    #[test]
    fn server_sets_id_version_and_time_and_keeps_everything_else() {
        let draft = Draft::parse(
            r#"{"z": 1.10, "meta": {"tag": [{"code": "t"}], "versionId": "9", "profile": ["p"], "lastUpdated": "x"},
                "id": "mine", "resourceType": "Observation", "a": {"y": 1e2, "x": 100000000000000000000001}}"#,
        )
        .unwrap();
        assert_eq!((draft.resource_type(), draft.id()), ("Observation", Some("mine")));
        let resource = Resource::new(&draft, "new", revision(3));
        let expected = concat!(
            r#"{"resourceType":"Observation","id":"new","meta":{"versionId":"3","#,
            r#""lastUpdated":"1970-01-01T00:00:00+00:00","tag":[{"code":"t"}],"profile":["p"]},"#,
            r#""z":1.10,"a":{"y":1e2,"x":100000000000000000000001}}"#
        );
        assert_eq!(resource.text(), expected);
        assert_eq!(resource.value()["meta"]["tag"][0]["code"], "t");
        assert_eq!((resource.version(), resource.etag().as_str()), (3, "W/\"3\""));
        assert_eq!(resource.to_draft().unwrap().content(), draft.content());
    }

    #[test]
    fn resource_with_many_fields_can_be_read() {
        // If every name were compared with all others, this would take half an hour, longer than the limit of `.ci/run`.
        let fields: String = (0..400_000).map(|index| format!(r#","x{index}":1"#)).collect();
        let draft = Draft::parse(&format!(r#"{{"resourceType":"Basic"{fields}}}"#)).unwrap();
        assert!(Resource::new(&draft, "a", revision(1)).text().ends_with(r#""x399999":1}"#));
    }

    #[test]
    fn content_ignores_only_what_the_server_sets_and_the_order_of_fields() {
        let content = |text: &str| Draft::parse(text).unwrap().content();
        let original = content(r#"{"resourceType":"Patient","id":"a","active":true,"x":1.10}"#);
        for (text, equal) in [
            (r#"{"x":1.10,"active":true,"resourceType":"Patient","meta":{"versionId":"4"}}"#, true),
            (r#"{"x":1.1,"active":true,"resourceType":"Patient"}"#, false),
            (r#"{"x":1.10,"active":true,"resourceType":"Patient","meta":{"source":"s"}}"#, false),
            (r#"{"x":1.10,"active":false,"resourceType":"Patient"}"#, false),
            (r#"{"x":1.10,"active":true,"resourceType":"Person"}"#, false),
        ] {
            assert_eq!(content(text) == original, equal, "{text}");
        }
    }

    #[test]
    fn invalid_resources_are_rejected_with_a_reason() {
        for (text, reason) in [
            ("{", "not JSON"),
            ("[]", "not a JSON object"),
            ("{}", "`resourceType`"),
            (r#"{"resourceType":"patient"}"#, "`resourceType`"),
            (r#"{"resourceType":1}"#, "`resourceType`"),
            (r#"{"resourceType":"Patient","id":"a/b"}"#, "`id`"),
            (r#"{"resourceType":"Patient","id":1}"#, "`id`"),
            (r#"{"resourceType":"Patient","meta":[]}"#, "`meta`"),
        ] {
            let error = Draft::parse(text).err().unwrap();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn deleted_version_has_no_content_and_debug_output_no_id() {
        let resource = Resource::deleted("Patient", "a", revision(2));
        let meta = r#"{"versionId":"2","lastUpdated":"1970-01-01T00:00:00+00:00"}"#;
        assert_eq!(resource.text(), format!(r#"{{"resourceType":"Patient","id":"a","meta":{meta}}}"#));
        assert!(resource.is_deleted());
        assert_eq!(format!("{resource:?}"), r#"Resource { resource_type: "Patient", version: 2, .. }"#);
    }
}
