//! The FHIR service of the stand-in: Patients and Observations, read, searched and created.

use http::{HeaderName, Method, StatusCode, header};
use serde_json::{Value, json};
use wiremock::Request;

use super::{
    answer::Answer,
    search::search,
    store::{CHANGED, Shelf, Store},
};

pub(super) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");

/// What cannot be answered with what was asked for: status, issue code and what is said about it.
pub(super) type Problem = (StatusCode, &'static str, &'static str);

pub(super) const fn bad(code: &'static str, said: &'static str) -> Problem {
    (StatusCode::BAD_REQUEST, code, said)
}

/// Whether the request needs no token.
pub(super) fn is_open(request: &Request) -> bool {
    request.method == Method::GET && request.url.path().trim_matches('/') == "metadata"
}

/// What the service can do, as much of it as there is.
pub(super) fn metadata() -> Answer {
    let interactions = ["read", "create", "search-type"].map(|code| json!({ "code": code }));
    let resources = ["Patient", "Observation"].map(|kind| json!({"type": kind, "interaction": interactions}));
    Answer::json(
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

/// The answer to a request that may not act, or not now.
pub(super) fn refusal(status: StatusCode, id: &str) -> Answer {
    match status {
        StatusCode::UNAUTHORIZED => outcome((status, "login", "Authentication failed."), id),
        // Made before the request gets to the FHIR server: plain JSON, and without an id.
        StatusCode::TOO_MANY_REQUESTS => {
            let issue = json!({"severity": "error", "code": "throttled", "diagnostics": "Too many at once."});
            let value = json!({"resourceType": "OperationOutcome", "issue": [issue]});
            Answer::json(status, "application/json; charset=utf-8", &value)
        }
        StatusCode::FORBIDDEN => outcome((status, "forbidden", "Authorization failed."), id),
        _ => {
            let code = if status.is_server_error() { "exception" } else { "processing" };
            outcome((status, code, status.canonical_reason().unwrap_or("Not told.")), id)
        }
    }
}

/// An error with one issue. The service gives the request's id to the outcome too.
fn outcome((status, code, diagnostics): Problem, id: &str) -> Answer {
    let issue = json!({"severity": "error", "code": code, "diagnostics": diagnostics});
    Answer::json(status, FHIR_JSON, &json!({"resourceType": "OperationOutcome", "id": id, "issue": [issue]}))
}

/// Answers a request that may act. `origin` is the service's own, without a slash at its end.
pub(super) fn answer(store: &mut Store, origin: &str, request: &Request, id: &str) -> Answer {
    let (kind, rest) = request
        .url
        .path()
        .trim_matches('/')
        .split_once('/')
        .map_or_else(|| (request.url.path().trim_matches('/'), None), |(kind, rest)| (kind, Some(rest)));
    let Some(shelf) = store.shelf(kind) else {
        return match (kind, rest) {
            ("metadata", None) => not_allowed("GET", id),
            _ => outcome((StatusCode::NOT_FOUND, "not-found", "The stand-in does not know this path."), id),
        };
    };
    let answered = match (request.method.as_str(), rest) {
        ("GET", None) => search(shelf, origin, &request.url, &[]),
        ("POST", Some("_search")) => form(request).and_then(|form| search(shelf, origin, &request.url, form)),
        ("POST", None) => create(shelf, origin, request),
        (_, None) => return not_allowed("GET, POST", id),
        (_, Some("_search")) => return not_allowed("POST", id),
        (_, Some(deeper)) if deeper.contains('/') => {
            Err((StatusCode::NOT_FOUND, "not-found", "The stand-in does not know this path."))
        }
        ("GET", Some(wanted)) => read(shelf, wanted),
        (_, Some(_)) => return not_allowed("GET", id),
    };
    answered.unwrap_or_else(|problem| outcome(problem, id))
}

fn not_allowed(allow: &str, id: &str) -> Answer {
    let said = "The path is known, the method is not allowed on it.";
    outcome((StatusCode::METHOD_NOT_ALLOWED, "not-supported", said), id).with(header::ALLOW, allow)
}

/// The media type of the body. `None` where it is not told.
fn media_type(request: &Request) -> Option<&str> {
    let told = request.headers.get(header::CONTENT_TYPE)?.to_str().unwrap_or_default();
    Some(told.split(';').next().unwrap_or_default().trim())
}

/// The form of a posted search. One whose type is not told is left unread, as the open-source server does: it answers
/// with all that there is, and a test must not pass on that.
fn form(request: &Request) -> Result<&[u8], Problem> {
    match media_type(request) {
        None => Ok(&[]),
        Some(told) if told.eq_ignore_ascii_case("application/x-www-form-urlencoded") => Ok(&request.body),
        Some(_) => Err(bad("invalid", "A search is posted as a form.")),
    }
}

fn read(shelf: &Shelf, wanted: &str) -> Result<Answer, Problem> {
    let mut held = shelf.resources.iter();
    let found = held.find(|resource| resource.get("id").and_then(Value::as_str) == Some(wanted));
    let found = found.ok_or((StatusCode::NOT_FOUND, "not-found", "There is nothing with this id."))?;
    Ok(Answer::json(StatusCode::OK, FHIR_JSON, found).with(header::ETAG, "W/\"1\""))
}

fn create(shelf: &mut Shelf, origin: &str, request: &Request) -> Result<Answer, Problem> {
    let told = media_type(request).unwrap_or_default();
    if !["application/fhir+json", "application/json"].iter().any(|known| known.eq_ignore_ascii_case(told)) {
        let said = "A resource is posted as FHIR JSON.";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", said));
    }
    // To pass over this header would make a second one where its sender wanted none.
    if request.headers.contains_key(IF_NONE_EXIST) {
        return Err(bad("not-supported", "The stand-in does not create conditionally."));
    }
    let mut resource: Value =
        serde_json::from_slice(&request.body).map_err(|_| bad("structure", "The body is not JSON."))?;
    let fields = resource.as_object_mut().filter(|of| of.get("resourceType") == Some(&json!(shelf.kind)));
    let fields = fields.ok_or(bad("invalid", "The body is not a resource of the path's type."))?;
    let id = format!("created-{:04}", shelf.resources.len() + 1);
    fields.insert("id".to_owned(), json!(id));
    fields.insert("meta".to_owned(), json!({"versionId": "1", "lastUpdated": CHANGED}));
    let answer = Answer::json(StatusCode::CREATED, FHIR_JSON, &resource)
        .with(header::LOCATION, &format!("{origin}/{}/{id}/_history/1", shelf.kind))
        .with(header::ETAG, "W/\"1\"");
    shelf.resources.push(resource);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{answer::request, seed::Seeds};

    fn held(patients: usize) -> Store {
        Store::new(patients, &Seeds::default())
    }

    fn patients(store: &mut Store) -> &[Value] {
        &store.shelf("Patient").unwrap().resources
    }

    fn ask(store: &mut Store, line: &str, body: &str) -> Answer {
        let mut request = request(line, body);
        request.headers.insert(header::CONTENT_TYPE, FHIR_JSON.parse().unwrap());
        answer(store, "http://here", &request, "id")
    }

    #[test]
    fn a_patient_is_read_by_its_id() {
        let answer = ask(&mut held(30), "GET /Patient/example-0030", "");
        assert_eq!((answer.status, answer.header("etag")), (StatusCode::OK, "W/\"1\""));
        assert_eq!(answer.header("content-type"), "application/fhir+json; charset=utf-8");
        assert_eq!(answer.value()["id"], "example-0030");
    }

    #[test]
    fn a_created_patient_is_kept_once_for_each_request() {
        let mut store = held(2);
        for (number, body) in
            [(3, r#"{"resourceType":"Patient","id":"mine"}"#), (4, r#"{"resourceType":"Patient"}"#)]
        {
            let answer = ask(&mut store, "POST /Patient", body);
            let id = format!("created-{number:04}");
            assert_eq!((answer.status, answer.header("etag")), (StatusCode::CREATED, "W/\"1\""));
            assert_eq!(answer.header("location"), format!("http://here/Patient/{id}/_history/1"));
            assert_eq!(answer.value()["id"], id);
            let read = ask(&mut store, &format!("GET /Patient/{id}"), "");
            assert_eq!(read.value(), answer.value());
        }
        assert_eq!(patients(&mut store).len(), 4);
    }

    #[test]
    fn what_cannot_be_created_is_not_kept() {
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
            let mut store = held(0);
            let answer = answer(&mut store, "http://here", &request, "id");
            assert_eq!(
                (answer.status.as_u16(), patients(&mut store).len()),
                (status, usize::from(status == 201)),
                "{body}"
            );
        }
    }

    #[test]
    fn a_form_is_read_only_where_it_is_said_to_be_one() {
        for (told, status, found) in [
            (Some("Application/X-WWW-Form-URLEncoded; charset=utf-8"), 200, 2),
            (None, 200, 3),
            (Some("application/json"), 400, 0),
            (Some(""), 400, 0),
        ] {
            let mut request = request("POST /Patient/_search", "_count=2");
            request.headers.extend(told.map(|told| (header::CONTENT_TYPE, told.parse().unwrap())));
            let answer = answer(&mut held(3), "http://here", &request, "id");
            let value = answer.value();
            let entries = value["entry"].as_array().map_or(0, Vec::len);
            assert_eq!((answer.status.as_u16(), entries), (status, found), "{told:?}");
            assert!(status == 200 || value["issue"][0]["code"] == "invalid", "{told:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found_and_what_is_not_allowed_is_told() {
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
            let answer = ask(&mut held(1), line, "");
            assert_eq!((answer.status.as_u16(), answer.header("allow")), (status, allow), "{line}");
            let issue = json!([{"severity": "error", "code": code, "diagnostics": answer.value()["issue"][0]["diagnostics"]}]);
            assert_eq!(
                answer.value(),
                json!({"resourceType": "OperationOutcome", "id": "id", "issue": issue})
            );
        }
    }

    #[test]
    fn what_a_test_puts_in_stands_behind_what_is_there_or_in_its_place() {
        let of = |kind: &str, id: &str| json!({"resourceType": kind, "id": id, "own": true});
        let seeds = Seeds {
            patients: vec![of("Patient", "example-0001"), of("Patient", "mine")],
            observations: vec![of("Observation", "mine")],
            ..Seeds::default()
        };
        let mut store = Store::new(2, &seeds);
        let ids: Vec<_> = patients(&mut store).iter().map(|patient| patient["id"].clone()).collect();
        assert_eq!(ids, ["example-0001", "example-0002", "mine"]);
        for (line, own) in [
            ("GET /Patient/example-0001", true),
            ("GET /Patient/example-0002", false),
            ("GET /Observation/mine", true),
        ] {
            assert_eq!(ask(&mut store, line, "").value().get("own").is_some(), own, "{line}");
        }
        let created = ask(&mut store, "POST /Observation", r#"{"resourceType":"Observation"}"#);
        assert_eq!(created.header("location"), "http://here/Observation/created-0002/_history/1");
    }

    #[test]
    fn only_the_metadata_are_open() {
        assert!(
            is_open(&request("GET /metadata", "")) && is_open(&request("GET /metadata/?_format=json", ""))
        );
        assert!(!is_open(&request("POST /metadata", "")) && !is_open(&request("GET /Patient/metadata", "")));
        assert_eq!(metadata().value()["fhirVersion"], "4.0.1");
    }
}
