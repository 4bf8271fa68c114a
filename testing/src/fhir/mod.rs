//! The fake FHIR service: reads, searches and creates Patients and Observations.

use std::sync::{Arc, Mutex};

use axum::response::IntoResponse;
use http::{HeaderName, Method, StatusCode, header};
use serde_json::{Value, json};
pub(crate) mod search;
pub(crate) mod store;

use self::{
    search::search,
    store::{CHANGED, Collection, Store},
};
use crate::{
    clock::Clock,
    fault::Faults,
    response::{FakeResponse, Request},
};

pub(crate) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// An error response: status, issue code and diagnostics.
pub(crate) type ErrorResponse = (StatusCode, &'static str, &'static str);

pub(crate) const fn bad_request(code: &'static str, diagnostics: &'static str) -> ErrorResponse {
    (StatusCode::BAD_REQUEST, code, diagnostics)
}

/// Returns `true` if a request needs no token (`fhir-server FhirController.cs`, `OperationDefinitionController.cs`,
/// `KnownRoutes.cs`).
pub(crate) fn needs_no_token(method: &Method, path: &str) -> bool {
    const PUBLIC: [&str; 4] = ["metadata", ".well-known/smart-configuration", "health/check", "$versions"];
    let path = path.trim_matches('/');
    method == Method::GET && (PUBLIC.contains(&path) || path.starts_with("OperationDefinition/"))
}

/// The fake FHIR service.
pub(crate) struct FhirService {
    /// The origin of the service, without a trailing slash.
    pub(crate) origin: String,
    /// The origin of the storage that contains the files of an export, without a trailing slash.
    pub(crate) storage_origin: String,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<Mutex<Store>>,
    pub(crate) faults: Arc<Mutex<Faults>>,
}

pub(crate) fn router(service: Arc<FhirService>) -> axum::Router {
    let handler = async move |request: axum::extract::Request| {
        let request = Request::read(&service.origin, request).await;
        let mut store = service.store.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if request.url.path() == "/metadata" {
            return metadata().into_response();
        }
        respond(&mut store, &service.origin, &request, &request.id).into_response()
    };
    axum::Router::new().fallback(handler)
}

/// Returns the capability statement.
pub(crate) fn metadata() -> FakeResponse {
    let interactions = ["read", "create", "search-type"].map(|code| json!({ "code": code }));
    let resources = ["Patient", "Observation"]
        .map(|resource_type| json!({"type": resource_type, "interaction": interactions}));
    FakeResponse::json(
        StatusCode::OK,
        FHIR_JSON,
        &json!({
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": CHANGED,
            "kind": "instance",
            "fhirVersion": "4.0.1",
            "format": ["application/fhir+json"],
            "rest": [{"mode": "server", "resource": resources}],
        }),
    )
}

/// Returns the response to a request that is rejected before the service processes it.
pub(crate) fn error_response(status: StatusCode, id: &str) -> axum::response::Response {
    let response = match status {
        StatusCode::UNAUTHORIZED => outcome((status, "login", "Authentication failed."), id),
        // A component in front of the FHIR server creates this response: plain JSON, without an id.
        StatusCode::TOO_MANY_REQUESTS => {
            let issue = json!({"severity": "error", "code": "throttled", "diagnostics": "Too many at once."});
            let value = json!({"resourceType": "OperationOutcome", "issue": [issue]});
            FakeResponse::json(status, "application/json; charset=utf-8", &value)
        }
        StatusCode::FORBIDDEN => outcome((status, "forbidden", "Authorization failed."), id),
        _ => {
            let code = if status.is_server_error() { "exception" } else { "processing" };
            outcome((status, code, status.canonical_reason().unwrap_or("Unknown status")), id)
        }
    };
    response.into_response()
}

/// Returns an `OperationOutcome` with one issue. As in the real service, its id is that of the request.
fn outcome((status, code, diagnostics): ErrorResponse, id: &str) -> FakeResponse {
    let issue = json!({"severity": "error", "code": code, "diagnostics": diagnostics});
    FakeResponse::json(
        status,
        FHIR_JSON,
        &json!({"resourceType": "OperationOutcome", "id": id, "issue": [issue]}),
    )
}

/// Responds to an authorized request. `origin` is that of the service, without a trailing slash.
pub(crate) fn respond(store: &mut Store, origin: &str, request: &Request, id: &str) -> FakeResponse {
    let (resource_type, rest) = request.url.path().trim_matches('/').split_once('/').map_or_else(
        || (request.url.path().trim_matches('/'), None),
        |(resource_type, rest)| (resource_type, Some(rest)),
    );
    let Some(collection) = store.collection(resource_type) else {
        return match (resource_type, rest) {
            ("metadata", None) => not_allowed("GET", id),
            _ => {
                outcome((StatusCode::NOT_FOUND, "not-found", "The fake server does not serve this path."), id)
            }
        };
    };
    let result = match (request.method.as_str(), rest) {
        ("GET", None) => search(collection, origin, &request.url, &[]),
        ("POST", Some("_search")) => {
            form(request).and_then(|form| search(collection, origin, &request.url, form))
        }
        ("POST", None) => create(collection, origin, request),
        (_, None) => return not_allowed("GET, POST", id),
        (_, Some("_search")) => return not_allowed("POST", id),
        (_, Some(deeper)) if deeper.contains('/') => {
            Err((StatusCode::NOT_FOUND, "not-found", "The fake server does not serve this path."))
        }
        ("GET", Some(resource_id)) => read(collection, resource_id),
        (_, Some(_)) => return not_allowed("GET", id),
    };
    result.unwrap_or_else(|problem| outcome(problem, id))
}

fn not_allowed(allow: &str, id: &str) -> FakeResponse {
    let diagnostics = "This path does not support this method.";
    outcome((StatusCode::METHOD_NOT_ALLOWED, "not-supported", diagnostics), id).with(header::ALLOW, allow)
}

/// Returns the media type of the body, or `None` without a `Content-Type` header.
fn media_type(request: &Request) -> Option<&str> {
    let value = request.headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(value.split(';').next().unwrap_or_default().trim())
}

/// Returns the form of a posted search.
///
/// Without a `Content-Type`, the form is ignored and the search returns every resource, as in the open-source server.
/// Accepting the form would hide that a client forgets the header.
fn form(request: &Request) -> Result<&[u8], ErrorResponse> {
    match media_type(request) {
        None => Ok(&[]),
        Some(media_type) if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") => {
            Ok(&request.body)
        }
        Some(_) => Err(bad_request("invalid", "The body of a posted search must be a form.")),
    }
}

fn read(collection: &Collection, id: &str) -> Result<FakeResponse, ErrorResponse> {
    let mut resources = collection.resources.iter();
    let resource = resources.find(|resource| resource.get("id").and_then(Value::as_str) == Some(id));
    let resource = resource.ok_or((StatusCode::NOT_FOUND, "not-found", "No resource has this id."))?;
    Ok(FakeResponse::json(StatusCode::OK, FHIR_JSON, resource).with(header::ETAG, "W/\"1\""))
}

fn create(
    collection: &mut Collection,
    origin: &str,
    request: &Request,
) -> Result<FakeResponse, ErrorResponse> {
    let media_type = media_type(request).unwrap_or_default();
    if !["application/fhir+json", "application/json"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(media_type))
    {
        let diagnostics = "A resource must be FHIR JSON.";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", diagnostics));
    }
    // Ignoring this header could create a duplicate that the client wanted to avoid.
    if request.headers.contains_key(IF_NONE_EXIST) {
        return Err(bad_request("not-supported", "The fake server does not support conditional create."));
    }
    let mut resource: Value = serde_json::from_slice(&request.body)
        .map_err(|_| bad_request("structure", "The body is not JSON."))?;
    let fields = resource
        .as_object_mut()
        .filter(|fields| fields.get("resourceType") == Some(&json!(collection.resource_type)));
    let fields =
        fields.ok_or(bad_request("invalid", "The body is not a resource of the type in the path."))?;
    let id = format!("created-{:04}", collection.resources.len() + 1);
    fields.insert("id".to_owned(), json!(id));
    fields.insert("meta".to_owned(), json!({"versionId": "1", "lastUpdated": CHANGED}));
    let response = FakeResponse::json(StatusCode::CREATED, FHIR_JSON, &resource)
        .with(header::LOCATION, &format!("{origin}/{}/{id}/_history/1", collection.resource_type))
        .with(header::ETAG, "W/\"1\"");
    collection.resources.push(resource);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{response::request, seed::Seeds};

    fn store(patients: usize) -> Store {
        Store::new(patients, &Seeds::default())
    }

    fn patients(store: &mut Store) -> &[Value] {
        &store.collection("Patient").unwrap().resources
    }

    fn send(store: &mut Store, line: &str, body: &str) -> FakeResponse {
        let mut request = request(line, body);
        request.headers.insert(header::CONTENT_TYPE, FHIR_JSON.parse().unwrap());
        respond(store, "http://here", &request, "id")
    }

    #[test]
    fn patient_is_read_by_id() {
        let response = send(&mut store(30), "GET /Patient/example-0030", "");
        assert_eq!((response.status, response.header("etag")), (StatusCode::OK, "W/\"1\""));
        assert_eq!(response.header("content-type"), "application/fhir+json; charset=utf-8");
        assert_eq!(response.value()["id"], "example-0030");
    }

    #[test]
    fn each_create_request_adds_one_patient() {
        let mut store = store(2);
        for (number, body) in
            [(3, r#"{"resourceType":"Patient","id":"mine"}"#), (4, r#"{"resourceType":"Patient"}"#)]
        {
            let response = send(&mut store, "POST /Patient", body);
            let id = format!("created-{number:04}");
            assert_eq!((response.status, response.header("etag")), (StatusCode::CREATED, "W/\"1\""));
            assert_eq!(response.header("location"), format!("http://here/Patient/{id}/_history/1"));
            assert_eq!(response.value()["id"], id);
            let read = send(&mut store, &format!("GET /Patient/{id}"), "");
            assert_eq!(read.value(), response.value());
        }
        assert_eq!(patients(&mut store).len(), 4);
    }

    #[test]
    fn rejected_create_requests_add_nothing() {
        let good = r#"{"resourceType":"Patient"}"#;
        let json = (header::CONTENT_TYPE, "application/json");
        for (body, headers, status) in [
            ("", vec![json.clone()], 400),
            ("[]", vec![json.clone()], 400),
            (r#"{"resourceType":"Observation"}"#, vec![json.clone()], 400),
            (good, vec![], 415),
            (good, vec![(header::CONTENT_TYPE, "text/plain")], 415),
            (good, vec![json, (IF_NONE_EXIST, "identifier=1")], 400),
            (good, vec![(header::CONTENT_TYPE, "Application/FHIR+json; charset=utf-8")], 201),
        ] {
            let mut request = request("POST /Patient", body);
            request.headers.extend(headers.into_iter().map(|(name, value)| (name, value.parse().unwrap())));
            let mut store = store(0);
            let response = respond(&mut store, "http://here", &request, "id");
            assert_eq!(
                (response.status.as_u16(), patients(&mut store).len()),
                (status, usize::from(status == 201)),
                "{body}"
            );
        }
    }

    #[test]
    fn form_without_content_type_is_ignored() {
        for (content_type, status, found) in [
            (Some("Application/X-WWW-Form-URLEncoded; charset=utf-8"), 200, 2),
            (None, 200, 3),
            (Some("application/json"), 400, 0),
            (Some(""), 400, 0),
        ] {
            let mut request = request("POST /Patient/_search", "_count=2");
            request.headers.extend(content_type.map(|value| (header::CONTENT_TYPE, value.parse().unwrap())));
            let response = respond(&mut store(3), "http://here", &request, "id");
            let value = response.value();
            let entries = value["entry"].as_array().map_or(0, Vec::len);
            assert_eq!((response.status.as_u16(), entries), (status, found), "{content_type:?}");
            assert!(status == 200 || value["issue"][0]["code"] == "invalid", "{content_type:?}");
        }
    }

    #[test]
    fn unknown_paths_get_404_and_wrong_methods_get_405_with_allow() {
        for (line, status, code, allow) in [
            ("GET /", 404, "not-found", ""),
            ("GET /patient", 404, "not-found", ""),
            ("GET /Encounter", 404, "not-found", ""),
            ("GET /Observation/example-0001", 404, "not-found", ""),
            ("GET /Patient/unknown", 404, "not-found", ""),
            ("GET /Patient/example-0001/_history/1", 404, "not-found", ""),
            ("POST /metadata", 405, "not-supported", "GET"),
            ("DELETE /Patient", 405, "not-supported", "GET, POST"),
            ("GET /Patient/_search", 405, "not-supported", "POST"),
            ("PUT /Patient/example-0001", 405, "not-supported", "GET"),
            ("PUT /Patient/example-0001/_history/1", 404, "not-found", ""),
        ] {
            let response = send(&mut store(1), line, "");
            assert_eq!((response.status.as_u16(), response.header("allow")), (status, allow), "{line}");
            let diagnostics = &response.value()["issue"][0]["diagnostics"];
            let issue = json!([{"severity": "error", "code": code, "diagnostics": diagnostics}]);
            assert_eq!(
                response.value(),
                json!({"resourceType": "OperationOutcome", "id": "id", "issue": issue})
            );
        }
    }

    #[test]
    fn added_resources_follow_or_replace_synthetic_ones() {
        let added =
            |resource_type: &str, id: &str| json!({"resourceType": resource_type, "id": id, "added": true});
        let seeds = Seeds {
            resources: vec![
                added("Patient", "example-0001"),
                added("Patient", "mine"),
                added("Observation", "mine"),
            ],
            ..Seeds::default()
        };
        let mut store = Store::new(2, &seeds);
        let ids: Vec<_> = patients(&mut store).iter().map(|patient| patient["id"].clone()).collect();
        assert_eq!(ids, ["example-0001", "example-0002", "mine"]);
        for (line, expected) in [
            ("GET /Patient/example-0001", true),
            ("GET /Patient/example-0002", false),
            ("GET /Observation/mine", true),
        ] {
            assert_eq!(send(&mut store, line, "").value().get("added").is_some(), expected, "{line}");
        }
        let created = send(&mut store, "POST /Observation", r#"{"resourceType":"Observation"}"#);
        assert_eq!(created.header("location"), "http://here/Observation/created-0002/_history/1");
    }

    #[test]
    fn only_get_metadata_needs_no_token() {
        assert!(needs_no_token(&Method::GET, "/metadata") && needs_no_token(&Method::GET, "/metadata/"));
        assert!(
            !needs_no_token(&Method::POST, "/metadata") && !needs_no_token(&Method::GET, "/Patient/metadata")
        );
        assert_eq!(metadata().value()["fhirVersion"], "4.0.1");
    }
}
