//! Read, create, update, patch, delete and history.

use std::time::Duration;

use serde_json::json;

use super::Fixture;

const WEIGHT: &str = r#"{ "resourceType": "Observation", "id": "mine", "meta": { "tag": [ { "code": "t" } ], "versionId": "9" },
    "valueQuantity": { "value": 70.10, "unit": "kg" } }"#;

#[test]
fn created_resource_has_id_version_time_and_location() {
    let fixture = Fixture::new(0);
    let response = fixture.send("POST /Observation", WEIGHT);
    let value = response.value();
    let id = value["id"].as_str().unwrap();
    assert_eq!((response.status(), response.header("etag")), (201, "W/\"1\""));
    assert_eq!(response.header("last-modified"), "Mon, 01 Jan 2024 08:00:00 GMT");
    assert_eq!(response.header("location"), format!("http://here/Observation/{id}/_history/1"));
    assert_eq!(response.header("content-type"), "application/fhir+json; charset=utf-8");
    assert_ne!(id, "mine");
    let meta = json!({"versionId": "1", "lastUpdated": "2024-01-01T08:00:00+00:00", "tag": [{"code": "t"}]});
    assert_eq!(value["meta"], meta);
    assert!(response.text.ends_with(r#""valueQuantity":{"value":70.10,"unit":"kg"}}"#), "{}", response.text);
    let read = fixture.send(&format!("GET /Observation/{id}"), "");
    assert_eq!((read.status(), &read.text), (200, &response.text));
    assert_eq!((read.header("etag"), read.header("location")), ("W/\"1\"", ""));
    assert_eq!(fixture.send("POST /Observation", WEIGHT).status(), 201);
    assert_eq!(fixture.service.store().all("Observation").len(), 2);
}

#[test]
fn update_creates_then_adds_versions_and_equal_content_adds_none() {
    let fixture = Fixture::new(0);
    let update = |active: bool| {
        fixture.clock.advance(Duration::from_millis(500));
        let body = json!({"resourceType": "Patient", "id": "p", "active": active}).to_string();
        let response = fixture.send("PUT /Patient/p", &body);
        (response.status(), response.header("etag").to_owned(), response.header("location").to_owned())
    };
    assert_eq!(update(true), (201, "W/\"1\"".to_owned(), "http://here/Patient/p/_history/1".to_owned()));
    assert_eq!(update(true), (200, "W/\"1\"".to_owned(), String::new()));
    assert_eq!(update(false), (200, "W/\"2\"".to_owned(), String::new()));
    let read = fixture.send("GET /Patient/p", "");
    assert_eq!(read.value()["meta"]["lastUpdated"], "2024-01-01T08:00:01.5+00:00");
    for (version, active) in [(1, true), (2, false)] {
        let read = fixture.send(&format!("GET /Patient/p/_history/{version}"), "");
        assert_eq!(read.value()["active"], active);
        assert_eq!(read.header("etag"), format!("W/\"{version}\""));
    }
}

#[test]
fn update_with_if_match_needs_the_latest_version() {
    let fixture = Fixture::new(1);
    let body = |id: &str| json!({"resourceType": "Patient", "id": id, "active": true}).to_string();
    let json = ("content-type", "application/fhir+json");
    for (id, if_match, expected) in [
        ("example-0001", "W/\"2\"", (412, "required")),
        ("example-0001", "W/\"x\"", (412, "required")),
        ("example-0001", "\"1\"", (400, "invalid")),
        ("example-0001", "1", (400, "invalid")),
        ("example-0001", "*", (400, "invalid")),
        ("unknown", "W/\"1\"", (404, "not-found")),
    ] {
        let line = format!("PUT /Patient/{id}");
        let response = fixture.send_with(&line, &body(id), &[json, ("if-match", if_match)]);
        assert_eq!(response.error(), (expected.0, expected.1.to_owned()), "{id} {if_match}");
    }
    assert_eq!(fixture.service.store().read("Patient", "example-0001").unwrap().version(), 1);
    for if_match in ["W/\"1\"", " "] {
        let headers = [json, ("if-match", if_match)];
        let response = fixture.send_with("PUT /Patient/example-0001", &body("example-0001"), &headers);
        assert_eq!((response.status(), response.header("etag")), (200, "W/\"2\""), "{if_match}");
    }
}

#[test]
fn rejected_writes_change_nothing() {
    let fixture = Fixture::new(1);
    let patient = r#"{"resourceType":"Patient","id":"example-0001"}"#;
    let json = ("content-type", "application/fhir+json");
    for (line, body, headers, expected) in [
        ("POST /Patient", "", &[json][..], (400, "invalid")),
        ("POST /Patient", " ", &[json], (400, "invalid")),
        ("POST /Patient", "{", &[json], (400, "invalid")),
        ("POST /Patient", "[]", &[json], (400, "invalid")),
        ("POST /Patient", r#"{"resourceType":"Observation"}"#, &[json], (400, "invalid")),
        ("POST /Patient", patient, &[], (415, "not-supported")),
        ("POST /Patient", patient, &[("content-type", "text/plain")], (415, "not-supported")),
        ("POST /Patient", patient, &[("content-type", "application/fhir+xml")], (501, "not-supported")),
        ("POST /Patient", patient, &[json, ("accept", "text/html")], (406, "not-supported")),
        ("POST /Patient?_format=xml", patient, &[json], (501, "not-supported")),
        ("POST /Patient?_pretty=x", patient, &[json], (400, "invalid")),
        ("POST /Patient", patient, &[json, ("x-provenance", "{}")], (501, "not-supported")),
        ("POST /Patient", patient, &[json, ("x-ms-profile-validation", "true")], (501, "not-supported")),
        ("PUT /Patient/other", patient, &[json], (400, "invalid")),
        ("PUT /Patient/other", r#"{"resourceType":"Patient"}"#, &[json], (400, "invalid")),
        ("PUT /Patient/a_b", r#"{"resourceType":"Patient","id":"a_b"}"#, &[json], (400, "invalid")),
        ("PUT /Person/example-0001", patient, &[json], (400, "invalid")),
        ("PUT /Patient/example-0001?_meta-history=false", patient, &[json], (501, "not-supported")),
        ("PUT /AuditEvent/a", r#"{"resourceType":"AuditEvent","id":"a"}"#, &[json], (405, "forbidden")),
        ("POST /Parameters", r#"{"resourceType":"Parameters"}"#, &[json], (405, "forbidden")),
        ("DELETE /AuditEvent/a", "", &[], (405, "forbidden")),
        ("DELETE /Patient/example-0001?hardDelete=maybe", "", &[], (400, "invalid")),
    ] {
        let error = fixture.send_with(line, body, headers).error();
        assert_eq!(error, (expected.0, expected.1.to_owned()), "{line} {body} {headers:?}");
    }
    let store = fixture.service.store();
    assert_eq!(store.history(None).count(), 1);
}

#[test]
fn deleted_resource_is_gone_until_it_is_updated() {
    let fixture = Fixture::new(1);
    let deleted = fixture.send("DELETE /Patient/example-0001", "");
    assert_eq!((deleted.status(), deleted.header("etag"), deleted.text.as_str()), (204, "W/\"2\"", ""));
    let again = fixture.send("DELETE /Patient/example-0001", "");
    assert_eq!((again.status(), again.header("etag")), (204, ""));
    for line in ["GET /Patient/example-0001", "GET /Patient/example-0001/_history/2"] {
        let response = fixture.send(line, "");
        assert_eq!((response.error(), response.header("etag")), ((410, String::new()), "W/\"2\""));
    }
    assert_eq!(fixture.send("GET /Patient/example-0001/_history/1", "").status(), 200);
    let updated =
        fixture.send("PUT /Patient/example-0001", r#"{"resourceType":"Patient","id":"example-0001"}"#);
    assert_eq!((updated.status(), updated.header("etag")), (200, "W/\"3\""));
    assert_eq!(fixture.send("GET /Patient/example-0001", "").status(), 200);
}

#[test]
fn hard_delete_and_purge_remove_history() {
    for parameter in ["hardDelete=true", "_hardDelete=True", "hardDelete=true&_hardDelete=false"] {
        let fixture = Fixture::new(1);
        assert_eq!(fixture.send(&format!("DELETE /Patient/example-0001?{parameter}"), "").status(), 204);
        for path in ["", "/_history", "/_history/1"] {
            let response = fixture.send(&format!("GET /Patient/example-0001{path}"), "");
            assert_eq!(response.error(), (404, "not-found".to_owned()), "{path}");
        }
    }
    let fixture = Fixture::new(1);
    fixture.put(json!({"resourceType": "Patient", "id": "example-0001", "active": true}));
    assert_eq!(fixture.send("DELETE /Patient/example-0001/$purge-history", "").status(), 204);
    assert_eq!(fixture.send("GET /Patient/example-0001/_history/1", "").status(), 404);
    assert_eq!(fixture.send("GET /Patient/example-0001/_history/2", "").status(), 200);
}

#[test]
fn reads_honor_accept_and_reject_what_is_unsupported() {
    let fixture = Fixture::new(1);
    let json = fixture.send_with("GET /Patient/example-0001", "", &[("accept", "application/json")]);
    assert_eq!(json.header("content-type"), "application/json; charset=utf-8");
    let format = fixture.send_with("GET /Patient/example-0001?_format=json", "", &[("accept", "text/html")]);
    assert_eq!(format.header("content-type"), "application/fhir+json; charset=utf-8");
    // The real server does not read these headers.
    let headers = [("if-none-match", "W/\"1\""), ("if-modified-since", "Mon, 01 Jan 2029 08:00:00 GMT")];
    assert_eq!(fixture.send_with("GET /Patient/example-0001", "", &headers).status(), 200);
    for (line, accept, status) in [
        ("GET /Patient/example-0001", "application/dicom+json", 406),
        ("GET /metadata", "text/html", 406),
        ("GET /Patient/example-0001", "application/fhir+xml", 501),
        ("GET /Patient/example-0001?_summary=text", "*/*", 501),
        ("GET /Patient/example-0001?_elements=name", "*/*", 501),
    ] {
        let response = fixture.send_with(line, "", &[("accept", accept)]);
        assert_eq!((response.error().0, response.unsupported), (status, status == 501), "{line} {accept}");
    }
}

#[test]
fn unknown_paths_get_404_wrong_methods_405_and_unsupported_operations_501() {
    let fixture = Fixture::new(1);
    for (line, status, code) in [
        ("GET /patient", 404, "not-found"),
        ("GET /Unknown/1", 404, "not-found"),
        ("POST /Unknown", 404, "not-found"),
        ("GET /a/b/c/d/e", 404, "not-found"),
        ("GET /Observation/1/Patient", 404, "not-found"),
        ("GET /Patient/unknown", 404, "not-found"),
        ("GET /Patient/example-0001/_history/7", 404, "not-found"),
        ("GET /Patient/example-0001/_history/01", 404, "not-found"),
        ("GET /%C3", 404, "not-found"),
        ("GET /Patient/%C3", 404, "not-found"),
        ("GET /Patient/%C3/_history", 404, "not-found"),
        ("DELETE /Patient/%C3", 404, "not-found"),
        ("GET //Patient", 404, "not-found"),
        ("GET /Patient/unknown/_history", 404, "not-found"),
        ("POST /metadata", 405, "not-supported"),
        ("POST /Patient/example-0001", 405, "not-supported"),
        ("DELETE /Patient/example-0001/_history/1", 405, "not-supported"),
        ("GET /Patient/_search/", 405, "not-supported"),
        ("GET /Parameters/1", 405, "forbidden"),
        ("GET /Patient/example-0001/$everything", 501, "not-supported"),
        ("POST /Patient/$validate", 501, "not-supported"),
        ("POST /$import", 501, "not-supported"),
        ("POST /$unknown", 501, "not-supported"),
        ("GET /Observation/$lastn", 501, "not-supported"),
        ("POST /Patient/$match", 501, "not-supported"),
        ("POST /Patient/example-0001/$unknown", 501, "not-supported"),
        ("GET /Unknown/$unknown", 404, "not-found"),
        ("GET /OperationDefinition/export", 501, "not-supported"),
        ("GET /OperationDefinition/unknown", 404, "not-found"),
        ("GET /_operations/import/1", 501, "not-supported"),
        ("GET /Patient/example-0001/Observation", 501, "not-supported"),
    ] {
        let response = fixture.send_with(line, "{}", &[("content-type", "application/json")]);
        if response.status() == 405 && code == "not-supported" {
            assert!(!response.header("allow").is_empty(), "{line}");
        }
        assert_eq!(response.error(), (status, code.to_owned()), "{line}");
    }
    let head = fixture.send("HEAD /Patient/example-0001", "");
    assert_eq!(head.status(), 405);
    assert_eq!(fixture.send("GET /Patient/example-0001/", "").status(), 200);
    assert_eq!(fixture.send("GET /Patient/example-0001/?_pretty=true", "").status(), 200);
}

#[test]
fn patches_add_a_version_and_keep_digits() {
    let fixture = Fixture::new(0);
    fixture.send("PUT /Observation/mine", WEIGHT);
    let json_patch = ("content-type", "application/json-patch+json");
    let patch = r#"[{"op":"add","path":"/status","value":"final"},{"op":"remove","path":"/meta/tag/0"}]"#;
    let response =
        fixture.send_with("PATCH /Observation/mine", patch, &[json_patch, ("if-match", "W/\"1\"")]);
    assert_eq!((response.status(), response.header("etag")), (200, "W/\"2\""));
    let meta = r#""meta":{"versionId":"2","lastUpdated":"2024-01-01T08:00:00+00:00"}"#;
    let expected = format!(
        r#"{{"resourceType":"Observation","id":"mine",{meta},"valueQuantity":{{"value":70.10,"unit":"kg"}},"status":"final"}}"#
    );
    assert_eq!(response.text, expected);
    let part = |name: &str, field: &str, value: &str| json!({"name": name, field: value});
    let parameter = json!({"name": "operation", "part": [
        part("type", "valueCode", "replace"),
        part("path", "valueString", "Observation.status"),
        part("value", "valueCode", "amended"),
    ]});
    let body = json!({"resourceType": "Parameters", "parameter": [parameter]}).to_string();
    let response = fixture.send("PATCH /Observation/mine", &body);
    assert_eq!((response.status(), response.header("etag")), (200, "W/\"3\""));
    assert_eq!(
        response.text,
        expected.replace("final", "amended").replace(r#""versionId":"2""#, r#""versionId":"3""#)
    );
}

#[test]
fn rejected_patches_change_nothing() {
    let fixture = Fixture::new(1);
    let patch = ("content-type", "application/json-patch+json");
    let fhir = ("content-type", "application/fhir+json");
    let active = r#"[{"op":"add","path":"/active","value":true}]"#;
    for (line, body, headers, expected) in [
        ("PATCH /Patient/unknown", active, &[patch][..], (404, "not-found")),
        ("PATCH /Patient/example-0001", active, &[patch, ("if-match", "W/\"2\"")], (412, "required")),
        // The version is checked before the patch is applied.
        (
            "PATCH /Patient/example-0001",
            r#"[{"op":"remove","path":"/active"}]"#,
            &[patch, ("if-match", "W/\"2\"")],
            (412, "required"),
        ),
        ("PATCH /Patient/example-0001", active, &[patch, ("if-match", "1")], (400, "invalid")),
        (
            "PATCH /Patient/example-0001",
            active,
            &[("content-type", "application/json")],
            (415, "not-supported"),
        ),
        ("PATCH /Patient/example-0001", active, &[], (415, "not-supported")),
        ("PATCH /Patient/example-0001", "", &[patch], (400, "invalid")),
        ("PATCH /Patient/example-0001", "", &[fhir], (400, "invalid")),
        ("PATCH /Patient/example-0001", "{", &[patch], (400, "invalid")),
        ("PATCH /Patient/example-0001", r#"{"resourceType":"Patient"}"#, &[fhir], (400, "invalid")),
        (
            "PATCH /Patient/example-0001",
            r#"[{"op":"remove","path":"/active"}]"#,
            &[patch],
            (400, "processing"),
        ),
        (
            "PATCH /Patient/example-0001",
            r#"[{"op":"replace","path":"/id","value":"x"}]"#,
            &[patch],
            (400, "invalid"),
        ),
        (
            "PATCH /Patient/example-0001",
            r#"[{"op":"replace","path":"/meta/versionId","value":"7"}]"#,
            &[patch],
            (400, "invalid"),
        ),
        (
            "PATCH /Patient/example-0001",
            r#"[{"op":"replace","path":"/resourceType","value":"Person"}]"#,
            &[patch],
            (400, "invalid"),
        ),
    ] {
        let error = fixture.send_with(line, body, headers).error();
        assert_eq!(error, (expected.0, expected.1.to_owned()), "{line} {body} {headers:?}");
    }
    assert_eq!(fixture.service.store().history(None).count(), 1);
}

#[test]
fn history_lists_versions_newest_first() {
    let fixture = Fixture::new(0);
    let created = fixture.send("POST /Patient", r#"{"resourceType":"Patient"}"#).value();
    let id = created["id"].as_str().unwrap();
    let later = |line: &str, body: &str| {
        fixture.clock.advance(Duration::from_secs(60));
        fixture.send(line, body).status()
    };
    let body = json!({"resourceType": "Patient", "id": id, "active": true}).to_string();
    assert_eq!(later(&format!("PUT /Patient/{id}"), &body), 200);
    assert_eq!(later(&format!("DELETE /Patient/{id}"), ""), 204);
    assert_eq!(later("PUT /Person/x", r#"{"resourceType":"Person","id":"x"}"#), 201);

    let bundle = fixture.send(&format!("GET /Patient/{id}/_history"), "").value();
    assert_eq!((&bundle["type"], bundle.get("total")), (&json!("history"), None));
    let entries: Vec<_> = bundle["entry"].as_array().unwrap().iter().collect();
    let summary: Vec<_> = entries
        .iter()
        .map(|entry| {
            let text = |pointer: &str| entry.pointer(pointer).unwrap().as_str().unwrap().to_owned();
            assert_eq!(text("/fullUrl"), format!("http://here/Patient/{id}"));
            assert_eq!(text("/resource/id"), id);
            [text("/request/method"), text("/request/url"), text("/response/status"), text("/response/etag")]
        })
        .collect();
    let url = format!("Patient/{id}");
    let expected = [
        ["DELETE", &url, "204 NoContent", "W/\"3\""],
        ["PUT", &url, "200 OK", "W/\"2\""],
        ["POST", "Patient/", "201 Created", "W/\"1\""],
    ];
    assert_eq!(summary, expected);
    assert_eq!(entries[1]["response"]["lastModified"], "2024-01-01T08:01:00+00:00");

    for (line, versions) in [
        ("GET /_history", 4),
        ("GET /Patient/_history", 3),
        ("GET /Observation/_history", 0),
        ("GET /_history?_since=2024-01-01T08:02:00Z", 2),
        ("GET /_history?_since=2024-01-01T08:01:00Z&_before=2024-01-01T08:02:00Z", 1),
        ("GET /_history?_since=2025", 0),
    ] {
        let bundle = fixture.send(line, "").value();
        assert_eq!(bundle["entry"].as_array().map_or(0, Vec::len), versions, "{line}");
        for parameter in ["_summary=count", "_count=0"] {
            let separator = if line.contains('?') { '&' } else { '?' };
            let bundle = fixture.send(&format!("{line}{separator}{parameter}"), "").value();
            assert_eq!((&bundle["total"], bundle.get("entry")), (&json!(versions), None), "{line}");
        }
    }
}

#[test]
fn history_pages_contain_every_version_once() {
    let fixture = Fixture::new(25);
    for (query, sort) in [("_count=10", true), ("_count=7&_sort=_lastUpdated", false), ("_count=25", true)] {
        let mut line = format!("GET /Patient/_history?{query}");
        let mut ids = Vec::new();
        loop {
            let bundle = fixture.send(&line, "").value();
            let entries = bundle["entry"].as_array().unwrap();
            ids.extend(entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()));
            let links = bundle["link"].as_array().unwrap();
            match links.iter().find(|link| link["relation"] == "next") {
                Some(next) => {
                    line = next["url"].as_str().unwrap().replace("http://here", "GET ");
                    assert_eq!(line.matches("ct=").count(), 1, "{line}");
                }
                None => break,
            }
            // A version that is added in between does not move the pages.
            fixture.put(json!({"resourceType": "Person", "id": "x", "active": ids.len() % 2 == 0}));
        }
        assert_eq!((ids.len(), ids[0] == "example-0025"), (25, sort), "{query}");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 25, "{query}");
    }
    for (query, status) in [
        ("ct=x", 400),
        ("_count=ten", 400),
        ("_since=yesterday", 400),
        ("_before=2030", 403),
        ("_sort=name", 403),
        ("_at=2024", 501),
        ("_count=-1", 200),
        ("_count=5000", 200),
    ] {
        assert_eq!(fixture.send(&format!("GET /Patient/_history?{query}"), "").status(), status, "{query}");
    }
}

#[test]
fn capability_statement_and_public_documents_need_no_data() {
    let fixture = Fixture::new(0);
    let statement = fixture.send("GET /metadata", "").value();
    assert_eq!(statement["fhirVersion"], "4.0.1");
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    assert_eq!(resources.len(), 145);
    let smart = fixture.send("GET /.well-known/smart-configuration", "");
    assert_eq!(smart.header("content-type"), "application/json");
    let token_endpoint = smart.value()["token_endpoint"].clone();
    assert!(token_endpoint.as_str().unwrap().starts_with("https://login.microsoftonline.com/"));
    let endpoints = &statement["rest"][0]["security"]["extension"][0]["extension"];
    assert_eq!(endpoints[0], json!({"url": "token", "valueUri": token_endpoint}));
    assert_eq!(fixture.send("GET /$versions", "").value(), json!({"versions": ["4.0"], "default": "4.0"}));
    assert_eq!(fixture.send("GET /health/check", "").value()["overallStatus"], "Healthy");
}
