//! The FHIR service of the stand-in: Patients, read, searched and created.

use http::{HeaderName, Method, StatusCode, header};
use serde_json::{Value, json};
use wiremock::Request;

use super::{answer::Answer, search::search};

pub(super) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";
const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");
/// When everything here was last changed.
pub(super) const CHANGED: &str = "2024-01-01T08:00:00+00:00";

/// Invented on sight, so that nobody takes a row of test data for a person.
const FAMILIES: [&str; 5] = ["Example", "Testperson", "Sample", "Placeholder", "Invented"];
const GIVEN: [&str; 4] = ["Alpha", "Bravo", "Charlie", "Delta"];
const GENDERS: [&str; 3] = ["female", "male", "other"];

/// The Patients that the service holds, in the order in which a search finds them.
pub(super) struct Patients(pub(super) Vec<Value>);

impl Patients {
    /// Synthetic ones: `example-0001` and so on, the same every time.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).map(patient).collect())
    }
}

fn patient(index: usize) -> Value {
    let of = |list: &[&'static str]| list.get(index % list.len()).copied().unwrap_or_default();
    let (year, month, day) = (1950 + index * 7 % 60, 1 + index % 12, 1 + index % 28);
    json!({
        "resourceType": "Patient",
        "id": format!("example-{:04}", index + 1),
        "meta": {"versionId": "1", "lastUpdated": CHANGED},
        "name": [{"use": "official", "family": of(&FAMILIES), "given": [of(&GIVEN)]}],
        "gender": of(&GENDERS),
        "birthDate": format!("{year}-{month:02}-{day:02}"),
    })
}

/// What cannot be answered with what was asked for: status, issue code and what is said about it.
pub(super) type Problem = (StatusCode, &'static str, &'static str);

pub(super) const fn bad(code: &'static str, said: &'static str) -> Problem {
    (StatusCode::BAD_REQUEST, code, said)
}

const fn other_type(said: &'static str) -> Problem {
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-supported", said)
}

/// Whether the request needs no token.
pub(super) fn is_open(request: &Request) -> bool {
    request.method == Method::GET && request.url.path().trim_matches('/') == "metadata"
}

/// What the service can do, as much of it as there is.
pub(super) fn metadata() -> Answer {
    let interactions = ["read", "create", "search-type"].map(|code| json!({ "code": code }));
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
            "rest": [{"mode": "server", "resource": [{"type": "Patient", "interaction": interactions}]}],
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
        _ => outcome((status, "forbidden", "Authorization failed."), id),
    }
}

/// An error with one issue. The service gives the request's id to the outcome too.
fn outcome((status, code, diagnostics): Problem, id: &str) -> Answer {
    let issue = json!({"severity": "error", "code": code, "diagnostics": diagnostics});
    Answer::json(status, FHIR_JSON, &json!({"resourceType": "OperationOutcome", "id": id, "issue": [issue]}))
}

/// Answers a request that may act. `origin` is the service's own, without a slash at its end.
pub(super) fn answer(patients: &mut Patients, origin: &str, request: &Request, id: &str) -> Answer {
    let path: Vec<_> = request.url.path().trim_matches('/').split('/').collect();
    let answered = match (request.method.as_str(), path.as_slice()) {
        ("GET", ["Patient"]) => search(patients, origin, request),
        ("POST", ["Patient", "_search"]) if has_type(request, &["application/x-www-form-urlencoded"]) => {
            search(patients, origin, request)
        }
        ("POST", ["Patient", "_search"]) => Err(other_type("A search is posted as a form.")),
        ("POST", ["Patient"]) => create(patients, origin, request),
        ("GET", ["Patient", wanted]) if *wanted != "_search" => read(patients, wanted),
        (_, ["metadata"]) => return not_allowed("GET", id),
        (_, ["Patient"]) => return not_allowed("GET, POST", id),
        (_, ["Patient", "_search"]) => return not_allowed("POST", id),
        (_, ["Patient", _]) => return not_allowed("GET", id),
        _ => Err((StatusCode::NOT_FOUND, "not-found", "The stand-in does not know this path.")),
    };
    answered.unwrap_or_else(|problem| outcome(problem, id))
}

fn not_allowed(allow: &str, id: &str) -> Answer {
    let said = "The path is known, the method is not allowed on it.";
    outcome((StatusCode::METHOD_NOT_ALLOWED, "not-supported", said), id).with(header::ALLOW, allow)
}

/// Whether the media type of the body is one of `types`. One that is not told is taken for the right one.
fn has_type(request: &Request, types: &[&str]) -> bool {
    let Some(told) = request.headers.get(header::CONTENT_TYPE) else { return true };
    let told = told.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    types.iter().any(|known| known.eq_ignore_ascii_case(told))
}

fn read(patients: &Patients, wanted: &str) -> Result<Answer, Problem> {
    let found = patients.0.iter().find(|patient| patient.get("id").and_then(Value::as_str) == Some(wanted));
    let found = found.ok_or((StatusCode::NOT_FOUND, "not-found", "There is no Patient with this id."))?;
    Ok(Answer::json(StatusCode::OK, FHIR_JSON, found).with(header::ETAG, "W/\"1\""))
}

fn create(patients: &mut Patients, origin: &str, request: &Request) -> Result<Answer, Problem> {
    if !has_type(request, &["application/fhir+json", "application/json"]) {
        return Err(other_type("A Patient is posted as FHIR JSON."));
    }
    // To pass over this header would make a second Patient where its sender wanted none.
    if request.headers.contains_key(IF_NONE_EXIST) {
        return Err(bad("not-supported", "The stand-in does not create conditionally."));
    }
    let mut patient: Value =
        serde_json::from_slice(&request.body).map_err(|_| bad("structure", "The body is not JSON."))?;
    let Some(fields) = patient.as_object_mut().filter(|of| of.get("resourceType") == Some(&json!("Patient")))
    else {
        return Err(bad("invalid", "The body is not a Patient."));
    };
    let id = format!("created-{:04}", patients.0.len() + 1);
    fields.insert("id".to_owned(), json!(id));
    fields.insert("meta".to_owned(), json!({"versionId": "1", "lastUpdated": CHANGED}));
    let answer = Answer::json(StatusCode::CREATED, FHIR_JSON, &patient)
        .with(header::LOCATION, &format!("{origin}/Patient/{id}/_history/1"))
        .with(header::ETAG, "W/\"1\"");
    patients.0.push(patient);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::answer::request;

    fn ask(patients: &mut Patients, line: &str, body: &str) -> Answer {
        answer(patients, "http://here", &request(line, body), "id")
    }

    #[test]
    fn a_patient_is_read_by_its_id() {
        let answer = ask(&mut Patients::new(30), "GET /Patient/example-0030", "");
        assert_eq!((answer.status, answer.header("etag")), (StatusCode::OK, "W/\"1\""));
        assert_eq!(answer.header("content-type"), "application/fhir+json; charset=utf-8");
        assert_eq!(answer.value()["id"], "example-0030");
    }

    #[test]
    fn the_patients_are_the_same_every_time_and_invented_on_sight() {
        let (first, second) = (Patients::new(100).0, Patients::new(100).0);
        assert_eq!(first, second);
        for patient in first {
            assert!(FAMILIES.contains(&patient["name"][0]["family"].as_str().unwrap()));
            assert_eq!(patient["birthDate"].as_str().unwrap().len(), 10);
        }
    }

    #[test]
    fn a_created_patient_is_kept_once_for_each_request() {
        let mut patients = Patients::new(2);
        for (number, body) in
            [(3, r#"{"resourceType":"Patient","id":"mine"}"#), (4, r#"{"resourceType":"Patient"}"#)]
        {
            let answer = ask(&mut patients, "POST /Patient", body);
            let id = format!("created-{number:04}");
            assert_eq!((answer.status, answer.header("etag")), (StatusCode::CREATED, "W/\"1\""));
            assert_eq!(answer.header("location"), format!("http://here/Patient/{id}/_history/1"));
            assert_eq!(answer.value()["id"], id);
            let read = ask(&mut patients, &format!("GET /Patient/{id}"), "");
            assert_eq!(read.value(), answer.value());
        }
        assert_eq!(patients.0.len(), 4);
    }

    #[test]
    fn what_cannot_be_created_is_not_kept() {
        let good = r#"{"resourceType":"Patient"}"#;
        for (body, header, status) in [
            ("", None, 400),
            ("[]", None, 400),
            (r#"{"resourceType":"Observation"}"#, None, 400),
            (good, Some((header::CONTENT_TYPE, "text/plain")), 415),
            (good, Some((IF_NONE_EXIST, "identifier=1")), 400),
            (good, Some((header::CONTENT_TYPE, "Application/FHIR+json; charset=utf-8")), 201),
        ] {
            let mut request = request("POST /Patient", body);
            request.headers.extend(header.map(|(name, value)| (name, value.parse().unwrap())));
            let mut patients = Patients::new(0);
            let answer = answer(&mut patients, "http://here", &request, "id");
            assert_eq!(
                (answer.status.as_u16(), patients.0.len()),
                (status, usize::from(status == 201)),
                "{body}"
            );
        }
    }

    #[test]
    fn what_is_not_there_is_not_found_and_what_is_not_allowed_is_told() {
        for (line, status, code, allow) in [
            ("GET /", 404, "not-found", ""),
            ("GET /patient", 404, "not-found", ""),
            ("GET /Observation", 404, "not-found", ""),
            ("GET /Patient/unknown", 404, "not-found", ""),
            ("GET /Patient/example-0001/_history/1", 404, "not-found", ""),
            ("POST /metadata", 405, "not-supported", "GET"),
            ("DELETE /Patient", 405, "not-supported", "GET, POST"),
            ("GET /Patient/_search", 405, "not-supported", "POST"),
            ("PUT /Patient/example-0001", 405, "not-supported", "GET"),
        ] {
            let answer = ask(&mut Patients::new(1), line, "");
            assert_eq!((answer.status.as_u16(), answer.header("allow")), (status, allow), "{line}");
            let issue = json!([{"severity": "error", "code": code, "diagnostics": answer.value()["issue"][0]["diagnostics"]}]);
            assert_eq!(
                answer.value(),
                json!({"resourceType": "OperationOutcome", "id": "id", "issue": issue})
            );
        }
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
