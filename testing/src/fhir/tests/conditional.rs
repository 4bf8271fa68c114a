//! Conditional create, update, patch and delete.

use serde_json::json;

use super::Fixture;

const JSON: (&str, &str) = ("content-type", "application/fhir+json");

/// Patients `a` with one identifier, and `b` and `c` with the same one.
fn fixture() -> Fixture {
    let fixture = Fixture::new(0);
    for (id, identifier) in [("a", "1"), ("b", "2"), ("c", "2")] {
        let identifier = json!([{"system": "s", "value": identifier}]);
        fixture.put(json!({"resourceType": "Patient", "id": id, "identifier": identifier}));
    }
    fixture
}

fn patients(fixture: &Fixture) -> Vec<String> {
    fixture.service.store().current("Patient").map(|patient| patient.id().to_owned()).collect()
}

#[test]
fn conditional_create_depends_on_the_number_of_matches() {
    for (criteria, status, etag) in [
        ("identifier=s|3", 201, "W/\"1\""),
        ("identifier=s|1", 200, "W/\"1\""),
        ("?identifier=s|1", 200, "W/\"1\""),
        ("identifier=s%7C1&_count=5", 200, "W/\"1\""),
        ("identifier=s|2", 412, ""),
        ("_count=5&_total=none&_summary=false&ct=x&_format=json&_pretty=true", 412, ""),
        ("&", 400, ""),
    ] {
        let fixture = fixture();
        let headers = [JSON, ("if-none-exist", criteria)];
        let response = fixture.send_with("POST /Patient", r#"{"resourceType":"Patient"}"#, &headers);
        assert_eq!((response.status(), response.header("etag")), (status, etag), "{criteria}");
        assert_eq!(patients(&fixture).len(), if status == 201 { 4 } else { 3 }, "{criteria}");
        if status < 300 {
            let id = response.value()["id"].as_str().unwrap().to_owned();
            assert_eq!(response.header("location"), format!("http://here/Patient/{id}/_history/1"));
            assert_eq!(response.header("last-modified"), "Mon, 01 Jan 2024 08:00:00 GMT");
            assert_eq!(id == "a", status == 200, "{criteria}");
        }
    }
}

#[test]
fn conditional_create_honors_prefer() {
    for (prefer, status, resource_type) in [
        ("return=minimal", 200, ""),
        ("return=representation", 200, "Patient"),
        ("handling=strict, return=operationoutcome", 200, "OperationOutcome"),
        ("return=", 400, "OperationOutcome"),
    ] {
        let headers = [JSON, ("if-none-exist", "identifier=s|1"), ("prefer", prefer)];
        let response = fixture().send_with("POST /Patient", r#"{"resourceType":"Patient"}"#, &headers);
        assert_eq!(response.status(), status, "{prefer}");
        if resource_type.is_empty() {
            assert_eq!((response.text.as_str(), response.header("content-type")), ("", ""));
        } else {
            assert_eq!(response.value()["resourceType"], resource_type, "{prefer}");
        }
        let is_success = status == 200;
        for header in ["etag", "last-modified", "location"] {
            assert_eq!(!response.header(header).is_empty(), is_success, "{prefer} {header}");
        }
    }
    // Other writes ignore the preference.
    let response = fixture().send_with(
        "POST /Patient",
        r#"{"resourceType":"Patient"}"#,
        &[JSON, ("prefer", "return=x")],
    );
    assert_eq!((response.status(), &response.value()["resourceType"]), (201, &json!("Patient")));
}

#[test]
fn conditional_update_depends_on_the_number_of_matches_and_the_id() {
    for (query, id, status, etag, updated) in [
        ("identifier=s|3", None, 201, "W/\"1\"", None),
        ("identifier=s|3", Some("new"), 201, "W/\"1\"", Some("new")),
        ("identifier=s|3", Some("a"), 200, "W/\"2\"", Some("a")),
        ("identifier=s|1", None, 200, "W/\"2\"", Some("a")),
        ("identifier=s|1", Some("a"), 200, "W/\"2\"", Some("a")),
        ("identifier=s|1", Some("b"), 400, "", None),
        ("identifier=s|2", None, 412, "", None),
        ("", None, 400, "", None),
        ("_summary=count", None, 412, "", None),
    ] {
        let fixture = fixture();
        let mut body = json!({"resourceType": "Patient", "active": true});
        if let Some(id) = id {
            body["id"] = json!(id);
        }
        let response = fixture.send(&format!("PUT /Patient?{query}"), &body.to_string());
        assert_eq!((response.status(), response.header("etag")), (status, etag), "{query} {id:?}");
        assert_eq!(patients(&fixture).len(), if status == 201 { 4 } else { 3 }, "{query} {id:?}");
        if let Some(updated) = updated {
            assert_eq!(fixture.service.store().get("Patient", updated).unwrap()["active"], true);
        }
        assert_eq!(!response.header("location").is_empty(), status == 201);
    }
}

#[test]
fn conditional_patch_needs_one_match() {
    let patch = ("content-type", "application/json-patch+json");
    for (query, if_match, status) in [
        ("identifier=s|1", "W/\"1\"", 200),
        ("identifier=s|1", "W/\"2\"", 412),
        ("identifier=s|2", "", 412),
        ("identifier=s|3", "", 404),
        ("", "", 412),
    ] {
        let fixture = fixture();
        let body = r#"[{"op":"add","path":"/active","value":true}]"#;
        let line = format!("PATCH /Patient?{query}");
        let response = fixture.send_with(&line, body, &[patch, ("if-match", if_match)]);
        assert_eq!(response.status(), status, "{query} {if_match}");
        let is_patched = fixture.service.store().get("Patient", "a").unwrap().get("active").is_some();
        assert_eq!(is_patched, status == 200);
    }
}

#[test]
fn conditional_delete_deletes_one_match_or_up_to_count() {
    for (query, status, items, left) in [
        ("identifier=s|1", 204, "", &["b", "c"][..]),
        ("identifier=s|1&_count=1", 204, "1", &["b", "c"]),
        ("identifier=s|2", 412, "", &["a", "b", "c"]),
        ("identifier=s|2&_count=1", 412, "", &["a", "b", "c"]),
        ("identifier=s|2&_count=100", 204, "2", &["a"]),
        ("identifier=s|3", 204, "", &["a", "b", "c"]),
        ("identifier=s|3&_count=2", 204, "0", &["a", "b", "c"]),
        ("identifier=s|2&_count=0", 400, "", &["a", "b", "c"]),
        ("identifier=s|2&_count=101", 400, "", &["a", "b", "c"]),
        ("identifier=s|2&_count=x", 400, "", &["a", "b", "c"]),
        ("", 400, "", &["a", "b", "c"]),
        ("hardDelete=true", 412, "", &["a", "b", "c"]),
        ("identifier=s|2&hardDelete=true&_count=2", 204, "2", &["a"]),
    ] {
        let fixture = fixture();
        let response = fixture.send(&format!("DELETE /Patient?{query}"), "");
        assert_eq!((response.status(), response.header("items-deleted")), (status, items), "{query}");
        assert_eq!(patients(&fixture), left, "{query}");
        let has_history = fixture.send("GET /Patient/b/_history/1", "").status() == 200;
        assert_eq!(has_history, !query.contains("hardDelete=true&"), "{query}");
    }
}

#[test]
fn conditional_references_are_resolved_when_a_resource_is_written() {
    for (reference, expected) in [
        ("Patient?identifier=s|1", Ok("Patient/a")),
        ("Patient/b", Ok("Patient/b")),
        ("Patient?identifier=s|2", Err(400)),
        ("Patient?identifier=s|3", Err(400)),
        ("Unknown?identifier=s|1", Err(400)),
    ] {
        let body = json!({"resourceType": "Observation", "subject": {"reference": reference}}).to_string();
        let response = fixture().send("POST /Observation", &body);
        match expected {
            Ok(expected) => assert_eq!(response.value()["subject"]["reference"], expected),
            Err(status) => assert_eq!(response.status(), status, "{reference}"),
        }
    }
}

#[test]
fn conditional_delete_leaves_what_exceeds_count() {
    let fixture = fixture();
    let identifier = json!([{"system": "s", "value": "2"}]);
    fixture.put(json!({"resourceType": "Patient", "id": "d", "identifier": identifier}));
    let response = fixture.send("DELETE /Patient?identifier=s|2&_count=2", "");
    assert_eq!((response.status(), response.header("items-deleted")), (204, "2"));
    assert_eq!(patients(&fixture), ["a", "d"]);
}
