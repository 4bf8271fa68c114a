//! `batch` and `transaction`.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Fixture, Received};
use crate::fault::{Fault, RequestFilter};

fn entry(method: &str, url: &str, resource: Value) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if !resource.is_null() {
        entry["resource"] = resource;
    }
    entry
}

fn post(fixture: &Fixture, kind: &str, entries: &[Value]) -> Received {
    let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": entries});
    fixture.send("POST /", &bundle.to_string())
}

fn patient(id: &str, active: bool) -> Value {
    json!({"resourceType": "Patient", "id": id, "active": active})
}

fn statuses(response: &Received) -> Vec<String> {
    let bundle = response.value();
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["response"]["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn batch_processes_entries_by_method_and_replies_in_order() {
    let fixture = Fixture::new(2);
    let response = post(
        &fixture,
        "batch",
        &[
            entry("GET", "Patient/p", Value::Null),
            entry("PUT", "Patient/p", patient("p", true)),
            entry("DELETE", "Patient/example-0001", Value::Null),
            entry("POST", "Patient", json!({"resourceType": "Patient"})),
            entry("GET", "Patient/unknown", Value::Null),
            entry("GET", "Unknown/1", Value::Null),
            entry("GET", "/Patient/example-0001", Value::Null),
            entry("POST", "Patient/p", patient("p", true)),
            json!({"resource": patient("p", true)}),
            entry("JUMP", "Patient/p", Value::Null),
            entry("GET", "http://here/Patient/example-0002?_format=json", Value::Null),
            entry("PUT", "Patient/p", json!({"resourceType": "Patient", "id": "q"})),
        ],
    );
    assert_eq!((response.status(), &response.value()["type"]), (200, &json!("batch-response")));
    let expected = ["200", "201", "204", "201", "404", "404", "410", "404", "400", "400", "200", "400"];
    assert_eq!(statuses(&response), expected);
    let entries = response.value()["entry"].clone();
    let meta = json!({"versionId": "1", "lastUpdated": "2024-01-01T08:00:00+00:00"});
    let created = json!({
        "resource": {"resourceType": "Patient", "id": "p", "meta": meta, "active": true},
        "response": {
            "status": "201",
            "location": "http://here/Patient/p/_history/1",
            "etag": "W/\"1\"",
            "lastModified": "2024-01-01T08:00:00+00:00",
        },
    });
    assert_eq!(entries[1], created);
    assert_eq!(entries[2], json!({"response": {"status": "204", "etag": "W/\"2\""}}));
    assert_eq!(entries[4]["response"]["outcome"]["issue"][0]["code"], "not-found");
    assert_eq!(entries[5]["response"]["outcome"].get("id"), None);
}

#[test]
fn entries_honor_conditions_and_patch_formats() {
    let fixture = Fixture::new(1);
    let with = |mut entry: Value, name: &str, value: &str| {
        entry["request"][name] = json!(value);
        entry
    };
    let update = entry("PUT", "Patient/example-0001", patient("example-0001", true));
    let part = |name: &str, value: Value| json!({"name": name, "valueString": value});
    let part = [part("type", json!("delete")), part("path", json!("Patient.name[0].use"))];
    let parameters =
        json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]});
    // [{"op":"add","path":"/active","value":true}]
    let data = "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2FjdGl2ZSIsInZhbHVlIjp0cnVlfV0=";
    let binary = |kind: &str| json!({"resourceType": "Binary", "contentType": kind, "data": data});
    let response = post(
        &fixture,
        "batch",
        &[
            with(update.clone(), "ifMatch", "W/\"2\""),
            with(update, "ifMatch", "W/\"1\""),
            with(entry("POST", "Patient", patient("x", true)), "ifNoneExist", "_id=example-0001"),
            entry("PATCH", "Patient/example-0001", binary("application/json-patch+json")),
            entry("PATCH", "Patient/example-0001", binary("application/json")),
            entry("PATCH", "Patient/example-0001", parameters),
            with(entry("GET", "Patient/example-0001", Value::Null), "ifNoneMatch", "W/\"2\""),
            entry("DELETE", "Patient?_id=example-0002", Value::Null),
        ],
    );
    assert_eq!(statuses(&response), ["412", "200", "200", "200", "415", "200", "200", "204"]);
    // The update replaced all content, so both patches changed nothing.
    assert_eq!(response.value()["entry"][6]["resource"]["meta"]["versionId"], "2");
}

#[test]
fn invalid_bundles_are_rejected_as_a_whole() {
    let fixture = Fixture::new(0);
    for (body, expected) in [
        (patient("p", true), (400, "invalid")),
        (json!({"resourceType": "Bundle"}), (405, "forbidden")),
        (json!({"resourceType": "Bundle", "type": "collection"}), (405, "forbidden")),
    ] {
        let error = fixture.send("POST /", &body.to_string()).error();
        assert_eq!(error, (expected.0, expected.1.to_owned()), "{body}");
    }
    for kind in ["batch", "transaction"] {
        let empty = post(&fixture, kind, &[]);
        assert_eq!((empty.status(), empty.value().get("entry")), (200, None));
        for (count, status) in [(500, 200), (501, 400)] {
            let entries: Vec<_> = (0..count)
                .map(|index| entry("PUT", &format!("Patient/{index}"), patient(&index.to_string(), true)))
                .collect();
            assert_eq!(post(&fixture, kind, &entries).status(), status, "{kind} {count}");
        }
    }
}

#[test]
fn transaction_resolves_references_between_entries() {
    let fixture = Fixture::new(1);
    fixture.put(json!({"resourceType": "Organization", "id": "o"}));
    let full = |mut entry: Value, url: &str| {
        entry["fullUrl"] = json!(url);
        entry
    };
    let observation = json!({
        "resourceType": "Observation",
        "subject": {"reference": "urn:uuid:patient"},
        "performer": [{"reference": "urn:uuid:organization"}, {"reference": "urn:uuid:person"}],
        "note": [{"text": "urn:uuid:patient"}],
    });
    let mut organization = entry("POST", "Organization", json!({"resourceType": "Organization"}));
    organization["request"]["ifNoneExist"] = json!("_id=o");
    let person = entry("PUT", "Person?_id=unknown", json!({"resourceType": "Person"}));
    let mut entries = vec![
        full(entry("POST", "Observation", observation), "urn:uuid:observation"),
        full(entry("POST", "Patient", json!({"resourceType": "Patient"})), "urn:uuid:patient"),
        full(organization, "urn:uuid:organization"),
        full(person, "urn:uuid:person"),
        entry("DELETE", "Patient/example-0001", Value::Null),
        entry("GET", "Patient/example-0001", Value::Null),
    ];
    // Reads come last, so this one is of a deleted resource.
    let response = post(&fixture, "transaction", &entries);
    assert_eq!((response.status(), fixture.service.store().all("Observation").len()), (410, 0));

    entries.pop();
    let response = post(&fixture, "transaction", &entries);
    assert_eq!(statuses(&response), ["201", "201", "200", "201", "204"]);
    let entries = response.value()["entry"].clone();
    let id = |index: usize| entries[index]["resource"]["id"].as_str().unwrap().to_owned();
    let observation = &entries[0]["resource"];
    assert_eq!(observation["subject"]["reference"], format!("Patient/{}", id(1)));
    assert_eq!(observation["performer"][0]["reference"], "Organization/o");
    assert_eq!(observation["performer"][1]["reference"], format!("Person/{}", id(3)));
    assert_eq!(observation["note"][0]["text"], "urn:uuid:patient");
    assert_eq!(fixture.send(&format!("GET /Patient/{}", id(1)), "").status(), 200);
    assert_eq!(fixture.send("GET /Patient/example-0001", "").status(), 410);
}

#[test]
fn failed_transaction_changes_nothing() {
    let fixture = Fixture::new(1);
    let good = [
        entry("POST", "Patient", json!({"resourceType": "Patient"})),
        entry("DELETE", "Patient/example-0001", Value::Null),
    ];
    let mut conflict = entry("PUT", "Patient/example-0001", patient("example-0001", true));
    conflict["request"]["ifMatch"] = json!("W/\"7\"");
    for (bad, status, code) in [
        (entry("GET", "Patient/unknown", Value::Null), 404, "not-found"),
        (entry("PUT", "Patient/p", patient("q", true)), 400, "invalid"),
        (entry("GET", "Unknown", Value::Null), 404, "not-found"),
    ] {
        let response = post(&fixture, "transaction", &[&good[..], &[bad]].concat());
        assert_eq!(response.error(), (status, "processing".to_owned()));
        assert_eq!(response.value()["issue"][1]["code"], code);
    }
    let response = post(&fixture, "transaction", &[good[0].clone(), conflict]);
    assert_eq!((response.status(), &response.value()["issue"][1]["code"]), (412, &json!("required")));
    assert_eq!(fixture.service.store().history(None).count(), 1);
}

#[test]
fn transaction_rejects_what_the_service_does_not_support_in_it() {
    let fixture = Fixture::new(2);
    let full = |mut entry: Value| {
        entry["fullUrl"] = json!("urn:uuid:x");
        entry
    };
    let create = entry("POST", "Patient", json!({"resourceType": "Patient"}));
    let update = entry("PUT", "Patient/p", patient("p", true));
    let found = entry("PUT", "Patient?_id=example-0001", json!({"resourceType": "Patient"}));
    for entries in [
        vec![entry("GET", "", Value::Null)],
        vec![json!({"resource": patient("p", true)})],
        vec![entry("JUMP", "Patient", Value::Null)],
        vec![entry("POST", "Patient/_search", Value::Null)],
        vec![entry("DELETE", "Patient?_id=a", Value::Null)],
        vec![entry("PATCH", "Patient?_id=a", Value::Null)],
        vec![entry("POST", "Bundle", json!({"resourceType": "Bundle"}))],
        vec![update.clone(), entry("DELETE", "patient/P", Value::Null)],
        vec![full(create.clone()), full(create.clone())],
        vec![found, entry("PUT", "Patient/example-0001", patient("example-0001", true))],
    ] {
        let response = post(&fixture, "transaction", &entries);
        assert_eq!(response.error(), (400, "invalid".to_owned()), "{entries:?}");
    }
    let repeated = post(&fixture, "transaction", &[create.clone(), create]);
    assert_eq!(statuses(&repeated), ["201", "201"]);
    let read = entry("GET", "Patient/example-0001", Value::Null);
    assert_eq!(statuses(&post(&fixture, "transaction", &[read.clone(), read])), ["200", "200"]);
}

#[test]
fn roles_apply_to_each_entry() {
    let mut fixture = Fixture::new(1);
    fixture.roles = vec!["FHIR Data Reader".to_owned()];
    let entries = [
        entry("GET", "Patient/example-0001", Value::Null),
        entry("POST", "Patient", json!({"resourceType": "Patient"})),
    ];
    let response = post(&fixture, "batch", &entries);
    assert_eq!(statuses(&response), ["200", "403"]);
    assert_eq!(response.value()["entry"][1]["response"]["outcome"]["issue"][0]["code"], "forbidden");
    let response = post(&fixture, "transaction", &entries);
    assert_eq!((response.status(), &response.value()["issue"][1]["code"]), (403, &json!("forbidden")));
    fixture.roles = vec!["FHIR Data Writer".to_owned()];
    let hard = entry("DELETE", "Patient/example-0001?hardDelete=true", Value::Null);
    assert_eq!(statuses(&post(&fixture, "batch", &[hard])), ["403"]);
}

#[test]
fn throttled_entry_stops_a_batch_and_fails_a_transaction() {
    let throttle = |fixture: &Fixture| {
        let filter = RequestFilter::nth(2).in_bundle().method(Method::GET);
        fixture.service.faults.lock().unwrap().add(filter, Fault::Throttled(Duration::from_secs(1)));
    };
    let fixture = Fixture::new(1);
    let read = entry("GET", "Patient/example-0001", Value::Null);
    let entries = [read.clone(), read.clone(), read, entry("PUT", "Patient/p", patient("p", true))];
    throttle(&fixture);
    let response = post(&fixture, "batch", &entries);
    assert_eq!(
        (response.status(), statuses(&response)),
        (200, ["200", "429", "429", "201"].map(str::to_owned).to_vec())
    );
    assert_eq!(response.value()["entry"][2]["response"]["outcome"]["issue"][0]["code"], "throttled");
    let fixture = Fixture::new(1);
    throttle(&fixture);
    assert_eq!(post(&fixture, "transaction", &entries).status(), 429);
    assert_eq!(fixture.service.store().history(None).count(), 1);
}

#[test]
fn other_faults_apply_to_single_entries() {
    for (fault, status) in [
        (Fault::Status(StatusCode::SERVICE_UNAVAILABLE), "503"),
        (Fault::MissingRole, "403"),
        (Fault::Expired, "401"),
        (Fault::Delay(Duration::from_secs(1)), "200"),
    ] {
        let fixture = Fixture::new(1);
        fixture.service.faults.lock().unwrap().add(RequestFilter::next(1).in_bundle(), fault);
        let read = entry("GET", "Patient/example-0001", Value::Null);
        assert_eq!(statuses(&post(&fixture, "batch", &[read.clone(), read])), [status, "200"]);
    }
}

#[test]
fn clock_of_a_test_can_use_the_service_during_a_transaction() {
    let fixture = Fixture::new(0);
    let (service, clock) = (fixture.service.clone(), fixture.clock.clone());
    let calls_back = crate::clock::Clock::of(move || {
        drop(service.store());
        clock.now()
    });
    let service = super::FhirService { clock: calls_back, ..(*fixture.service).clone() };
    let fixture = Fixture { service: std::sync::Arc::new(service), ..fixture };
    for kind in ["batch", "transaction"] {
        assert_eq!(
            statuses(&post(&fixture, kind, &[entry("PUT", "Patient/p", patient("p", true))])).len(),
            1
        );
    }
}
