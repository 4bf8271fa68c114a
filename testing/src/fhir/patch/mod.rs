//! Patch with a JSON Patch or a FHIR Patch.

mod fhir_patch;
mod json_patch;

use axum::response::Response;
use http::header;

use self::{fhir_patch::FhirPatch, json_patch::JsonPatch};
use super::{
    call::Call,
    format::is_json_patch,
    input::{self, Version},
    json::Json,
    outcome::Outcome,
    resource::{Draft, Resource},
    save,
    store::Store,
};

/// `PATCH /{type}/{id}` (`fhir-server PatchResourceHandler.cs`).
pub(super) fn patch(call: &Call) -> Result<Response, Outcome> {
    input::reject_unsupported(call)?;
    let patch = Patch::of(call)?;
    let expected = input::if_match(call)?;
    let mut store = call.service.store();
    let latest = store.versions(call.resource_type(), call.resource_id()).last().cloned();
    let latest = latest.ok_or_else(|| Outcome::not_found("There is no resource with this id."))?;
    patch.save(&mut store, call, &latest, expected.as_ref())
}

/// A list of changes.
pub(super) enum Patch {
    Json(JsonPatch),
    Fhir(FhirPatch),
}

impl Patch {
    /// Reads the patch in the body of a request.
    pub(super) fn of(call: &Call) -> Result<Self, Outcome> {
        let text = input::text(call)?;
        if call.header(&header::CONTENT_TYPE).is_some_and(is_json_patch) {
            let json = Json::parse(text);
            let json = json.map_err(|error| Outcome::invalid(format!("The body is not JSON: {error}.")))?;
            return JsonPatch::parse(&json).map(Self::Json);
        }
        let parameters = input::resource(call)?;
        FhirPatch::parse(&parameters).map(Self::Fhir)
    }

    /// Applies the patch and saves the result.
    ///
    /// A deleted resource is patched as if it were empty, as the real server does.
    pub(super) fn save(
        &self,
        store: &mut Store,
        call: &Call,
        resource: &Resource,
        expected: Option<&Version>,
    ) -> Result<Response, Outcome> {
        if expected.is_some_and(|expected| !expected.is(resource)) {
            return Err(save::version_conflict());
        }
        let draft = self.apply(resource)?;
        let (resource, change) = save::save(store, call, draft, resource.id(), expected)?;
        Ok(save::saved(call, &resource, change))
    }

    fn apply(&self, resource: &Resource) -> Result<Draft, Outcome> {
        let invalid =
            |reason: String| Outcome::invalid(format!("The patched resource is invalid: {reason}."));
        let before = Json::parse(resource.text()).map_err(|error| invalid(error.to_string()))?;
        let mut after = before.clone();
        match self {
            Self::Json(patch) => patch.apply(&mut after)?,
            Self::Fhir(patch) => patch.apply(&mut after)?,
        }
        if let Some(path) = IMMUTABLE.iter().find(|path| at(&before, path) != at(&after, path)) {
            return Err(Outcome::invalid(format!("A patch cannot change `{}`.", path.join("."))));
        }
        prune(&mut after);
        Draft::new(after).map_err(invalid)
    }
}

/// The elements that a patch must not change (`fhir-server PatchPayload.cs`). A change of the type makes the resource
/// invalid.
const IMMUTABLE: [&[&str]; 6] = [
    &["resourceType"],
    &["id"],
    &["meta", "lastUpdated"],
    &["meta", "versionId"],
    &["text", "div"],
    &["text", "status"],
];

fn at<'a>(json: &'a Json, path: &[&str]) -> Option<&'a Json> {
    path.iter().try_fold(json, |json, name| json.get(name))
}

/// Removes empty arrays and objects, which FHIR does not allow.
fn prune(json: &mut Json) {
    match json {
        Json::Scalar(_) => {}
        Json::Array(items) => {
            items.iter_mut().for_each(prune);
            items.retain(|item| !is_empty(item));
        }
        Json::Object(fields) => {
            fields.values_mut().for_each(prune);
            *fields = fields
                .iter()
                .filter(|(_, value)| !is_empty(value))
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect();
        }
    }
}

fn is_empty(json: &Json) -> bool {
    match json {
        Json::Scalar(_) => false,
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_elements_are_removed() {
        let mut json = Json::parse(r#"{"a":[{"b":[]},{"c":1}],"d":{"e":{}},"f":null}"#).unwrap();
        prune(&mut json);
        assert_eq!(json.to_string(), r#"{"a":[{"c":1}],"f":null}"#);
    }
}
