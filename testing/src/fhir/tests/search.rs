//! Searches: what matches, the pages, and parameters that are rejected.

use serde_json::{Value, json};
use url::Url;

use super::{Fixture, Received};

/// Patients with different names, identifiers and birth dates, and what refers to them.
fn fixture() -> Fixture {
    let fixture = Fixture::new(0);
    let identifier = |system: &str, value: &str| json!({"system": system, "value": value});
    for resource in [
        json!({
            "resourceType": "Patient",
            "id": "a",
            "meta": {"tag": [{"system": "t", "code": "x"}], "profile": ["https://example.com/p"]},
            "active": true,
            "gender": "female",
            "identifier": [identifier("s", "1"), {"value": "2"}],
            "name": [{"family": "Müller", "given": ["Ann", "Beth"], "text": "Ann, called Beth"}],
            "birthDate": "1980-05-17",
        }),
        json!({
            "resourceType": "Patient",
            "id": "b",
            "meta": {"security": [{"code": "x"}]},
            "identifier": [identifier("s", "2")],
            "name": [{"family": "MULLER-Example", "prefix": ["Dr."]}],
            "birthDate": "1980",
        }),
        json!({"resourceType": "Patient", "id": "c", "identifier": [identifier("t", "1")]}),
        json!({"resourceType": "Group", "id": "a"}),
        json!({
            "resourceType": "Observation",
            "id": "o1",
            "status": "final",
            "code": {"coding": [{"system": "l", "code": "1-2"}, {"code": "local"}], "text": "1-2"},
            "subject": {"reference": "Patient/a"},
            "effectiveDateTime": "2024-01-01T10:00:00+01:00",
        }),
        json!({
            "resourceType": "Observation",
            "id": "o2",
            "subject": {"reference": "http://here/Patient/b"},
            "effectivePeriod": {"start": "2024-02"},
        }),
        json!({"resourceType": "Observation", "id": "o3", "subject": {"reference": "Group/a"}}),
        json!({"resourceType": "Coverage", "id": "k", "beneficiary": {"reference": "Patient/a"}}),
    ] {
        fixture.put(resource);
    }
    fixture
}

impl Received {
    /// Returns the ids of the entries, or the status of an error.
    fn ids(&self) -> Result<Vec<String>, u16> {
        if self.status() != 200 {
            return Err(self.status());
        }
        let value = self.value();
        let entries = value["entry"].as_array().cloned().unwrap_or_default();
        Ok(entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect())
    }

    /// Returns the target of a link.
    fn link(&self, relation: &str) -> Option<String> {
        let value = self.value();
        let links = value["link"].as_array()?;
        let link = links.iter().find(|link| link["relation"] == relation)?;
        Some(link["url"].as_str()?.strip_prefix("http://here")?.to_owned())
    }
}

fn get(fixture: &Fixture, target: &str) -> Received {
    fixture.send(&format!("GET {target}"), "")
}

/// Asserts the ids that each search finds, separated by spaces.
fn assert_finds(cases: &[(&str, &str)]) {
    let fixture = fixture();
    for (target, expected) in cases {
        let expected: Vec<_> = expected.split_whitespace().map(str::to_owned).collect();
        assert_eq!(get(&fixture, target).ids(), Ok(expected), "{target}");
    }
}

#[test]
fn tokens_match_by_system_and_code() {
    assert_finds(&[
        ("/Patient?_id=a", "a"),
        ("/Patient?_id=c,a,x&_format=json&_pretty=true", "a c"),
        ("/Patient?_id=A", ""),
        ("/Patient?identifier=1", "a c"),
        ("/Patient?identifier=s%7C1", "a"),
        ("/Patient?identifier=s|", "a b"),
        ("/Patient?identifier=|2", "a"),
        ("/Patient?identifier=s|1,t|1", "a c"),
        ("/Patient?identifier=1&identifier=2", "a"),
        ("/Patient?identifier:not=1", "b"),
        ("/Patient?identifier:not=s|1,t|1", "b"),
        ("/Patient?identifier=s\\|1", ""),
        ("/Patient?_tag=t|x", "a"),
        ("/Patient?_tag=x", "a"),
        ("/Patient?_security=|x", "b"),
        ("/Patient?_profile=https://example.com/p", "a"),
        ("/Patient?_profile=https://example.com", ""),
        ("/Patient?gender=female", "a"),
        ("/Patient?gender:missing=true", "b c"),
        ("/Patient?active=true", "a"),
        ("/Observation?code=l|1-2", "o1"),
        ("/Observation?code=local&status=final", "o1"),
    ]);
}

#[test]
fn strings_match_from_the_start_without_case_and_accents() {
    assert_finds(&[
        ("/Patient?family=muller", "a b"),
        ("/Patient?family=m%C3%BCller-", "b"),
        ("/Patient?family=uller", ""),
        ("/Patient?family:contains=EXAMPLE", "b"),
        ("/Patient?family:exact=M%C3%BCller", "a"),
        ("/Patient?family:exact=m%C3%BCller", ""),
        ("/Patient?given=beth", "a"),
        ("/Patient?name=dr", "b"),
        ("/Patient?name=ann\\,", "a"),
        ("/Patient?name=x,beth", "a"),
        ("/Patient?name:missing=true", "c"),
        ("/Patient?name:missing=false&family=mu", "a b"),
    ]);
}

#[test]
fn dates_match_by_period() {
    assert_finds(&[
        ("/Patient?birthdate=1980-05-17", "a"),
        ("/Patient?birthdate=1980", "a b"),
        ("/Patient?birthdate=1980-05", "a"),
        ("/Patient?birthdate=ge1980-05-18", "b"),
        ("/Patient?birthdate=gt1979&birthdate=lt1980-02", "b"),
        ("/Patient?birthdate=1979,1980-05-17", "a"),
        ("/Patient?birthdate=ap1981", "a b"),
        ("/Observation?date=2024-01-01T09:00:00Z", "o1"),
        ("/Observation?date=2024-01-01T09:00:00%2B00:00", "o1"),
        ("/Observation?date=gt2030", "o2"),
    ]);
}

#[test]
fn references_match_by_all_forms() {
    assert_finds(&[
        ("/Observation?patient=a", "o1"),
        ("/Observation?subject=a", "o1 o3"),
        ("/Observation?subject=Patient/a", "o1"),
        ("/Observation?subject:Patient=a", "o1"),
        ("/Observation?patient=http://here/Patient/b", "o2"),
        ("/Observation?patient=Patient/b", "o2"),
        ("/Observation?patient=https://example.com/Patient/b", ""),
        ("/Observation?patient=a,b", "o1 o2"),
        ("/Coverage?patient=a", "k"),
    ]);
}

#[test]
fn last_change_matches_with_its_milliseconds() {
    let fixture = fixture();
    fixture.clock.advance(std::time::Duration::from_millis(60_005));
    fixture.put(json!({"resourceType": "Patient", "id": "b"}));
    for (target, expected) in [
        ("_lastUpdated=ge2024-01-01T08:01:00.005Z", "b"),
        ("_lastUpdated=gt2024-01-01T08:01:00.005Z", ""),
        ("_lastUpdated=gt2024-01-01T08:00:00Z", "b"),
        ("_lastUpdated=lt2024-01-01T08:00:00.0000001Z&_lastUpdated=eb2024-01-01T08:00:00.0000001Z", "a c"),
        ("_lastUpdated=2024-01-01T08:00:00Z", "a c"),
        ("_lastUpdated=lt2024-01-01T08:01", "a c"),
        ("_lastUpdated=2024", "a c b"),
        ("_lastUpdated=le2024-01-01T08:01:00.004", "a c"),
    ] {
        let expected: Vec<_> = expected.split_whitespace().map(str::to_owned).collect();
        assert_eq!(get(&fixture, &format!("/Patient?{target}")).ids(), Ok(expected), "{target}");
    }
}

#[test]
fn invalid_and_unsupported_parameters_are_errors() {
    let fixture = fixture();
    for (query, status, code) in [
        ("unknown=1", 501, "not-supported"),
        ("name=", 501, "not-supported"),
        ("=1", 501, "not-supported"),
        ("organization.name=x", 501, "not-supported"),
        ("_has:Observation:patient:code=1", 501, "not-supported"),
        ("_include=Patient:organization", 501, "not-supported"),
        ("_elements=name", 501, "not-supported"),
        ("_summary=true", 501, "not-supported"),
        ("_sort=birthdate", 501, "not-supported"),
        ("identifier:text=x", 501, "not-supported"),
        ("gender=s|male", 501, "not-supported"),
        ("_profile=a|1", 501, "not-supported"),
        ("name:unknown=x", 403, "invalid"),
        ("birthdate:exact=1980", 403, "invalid"),
        ("name:not=x", 403, "invalid"),
        ("name:missing=x", 403, "invalid"),
        ("birthdate=ge1980,1981", 403, "invalid"),
        ("_total=estimate", 403, "not-supported"),
        ("ct=a&ct=b", 400, "invalid"),
        ("birthdate=eq1980,1981", 400, "invalid"),
        ("birthdate=17.5.1980", 400, "invalid"),
        ("_lastUpdated=gt2024-01-01T08:00:00+00:00", 400, "invalid"),
        ("name=a,", 400, "invalid"),
        ("identifier=a|b|c", 400, "invalid"),
        ("identifier=|", 400, "invalid"),
        ("_total=x", 400, "invalid"),
        ("_summary=x", 400, "invalid"),
        ("_count=x", 400, "invalid"),
        ("_count=-1", 400, "invalid"),
        ("_count=2147483648", 400, "too-long"),
        ("ct=x", 400, "invalid"),
    ] {
        let response = get(&fixture, &format!("/Patient?{query}"));
        assert_eq!(response.error(), (status, code.to_owned()), "{query}");
        assert_eq!(response.unsupported, status == 501, "{query}");
    }
    let text = get(&fixture, "/Patient?unknown=1").text;
    assert!(text.contains("the search parameter `unknown` of Patient"), "{text}");
    for line in ["GET /", "GET /?_type=Patient", "POST /_search"] {
        assert_eq!(fixture.send(line, "").error(), (501, "not-supported".to_owned()), "{line}");
    }
    let both = format!("/Patient?ct={0}&ct={0}", "%2B%2B%2F%2FdjJ8MDAwMDAwMDAwMDAwMDAwMDAwMTA%3D");
    assert_eq!(get(&fixture, &both).error(), (403, "invalid".to_owned()));
}

#[test]
fn bundle_has_the_fields_of_the_real_service_in_its_order() {
    let response = get(&fixture(), "/Patient?_id=c&_total=accurate");
    let resource = r#"{"resourceType":"Patient","id":"c","meta":{"versionId":"1","lastUpdated":"2024-01-01T08:00:00+00:00"},"identifier":[{"system":"t","value":"1"}]}"#;
    let expected = format!(
        r#"{{"resourceType":"Bundle","id":"request","meta":{{"lastUpdated":"2024-01-01T08:00:00+00:00"}},"type":"searchset","link":[{{"relation":"self","url":"http://here/Patient?_id=c&_total=accurate"}}],"total":1,"entry":[{{"fullUrl":"http://here/Patient/c","resource":{resource},"search":{{"mode":"match"}}}}]}}"#
    );
    assert_eq!(response.text, expected);
    assert_eq!(response.header("content-type"), "application/fhir+json; charset=utf-8");
    let nothing = get(&fixture(), "/Patient?_id=x").value();
    assert_eq!((nothing.get("entry"), nothing.get("total")), (None, None));
}

#[test]
fn total_alone_has_no_entries() {
    let fixture = Fixture::new(12);
    for query in
        ["_summary=count", "_count=0", "_summary=Count&_count=3&_sort=_lastUpdated&gender=female,male,other"]
    {
        let response = get(&fixture, &format!("/Patient?{query}"));
        let value = response.value();
        assert_eq!((&value["total"], value.get("entry")), (&json!(12), None), "{query}");
        assert_eq!(response.link("next"), None, "{query}");
    }
}

#[test]
fn high_count_is_limited_and_reported() {
    let fixture = Fixture::new(1_001);
    let response = get(&fixture, "/Patient?_count=2000");
    let value = response.value();
    let entries = value["entry"].as_array().unwrap();
    assert_eq!(entries.len(), 1_001);
    let (first, second) = (&entries[0], &entries[1]);
    assert_eq!((&first["search"]["mode"], first.get("fullUrl")), (&json!("outcome"), None));
    assert_eq!(first["resource"]["resourceType"], "OperationOutcome");
    assert_eq!(first["resource"]["issue"][0]["severity"], "information");
    assert_eq!(second["search"]["mode"], "match");
    let next = response.link("next").unwrap();
    assert!(next.starts_with("/Patient?_count=2000&ct="), "{next}");
    assert_eq!(get(&fixture, "/Patient?_count=1000").value()["entry"][0]["search"]["mode"], "match");
}

#[test]
fn pages_lead_through_all_resources_and_drop_the_total() {
    let fixture = Fixture::new(25);
    for (count, sizes) in [("", &[10, 10, 5][..]), ("_count=25&", &[25]), ("_count=24&", &[24, 1])] {
        let mut target = format!("/Patient?{count}name=p,e,s,t,i&_total=accurate");
        let (mut ids, mut totals) = (Vec::new(), Vec::new());
        for size in sizes {
            let response = get(&fixture, &target);
            assert_eq!(response.ids().unwrap().len(), *size);
            assert_eq!(response.link("self").as_deref(), Some(target.as_str()));
            ids.extend(response.ids().unwrap());
            totals.push(response.value()["total"].clone());
            target = response.link("next").unwrap_or_default();
        }
        assert_eq!(target, "");
        ids.dedup();
        assert_eq!((ids.len(), ids.is_sorted()), (25, true));
        assert_eq!((&totals[0], totals[1..].iter().all(Value::is_null)), (&json!(25), true));
    }
}

#[test]
fn continuation_token_in_a_link_is_percent_encoded_standard_base64() {
    let next = get(&Fixture::new(2), "/Patient?_count=1").link("next").unwrap();
    for encoded in ["%2B", "%2F", "%3D"] {
        assert!(next.contains(encoded), "{next}");
    }
    let url = Url::parse(&format!("http://here{next}")).unwrap();
    let (_, token) = url.query_pairs().find(|(name, _)| name == "ct").unwrap();
    assert!(['+', '/', '='].iter().all(|&c| token.contains(c)), "{token}");
}

#[test]
fn next_page_starts_after_the_last_resource_also_after_changes() {
    let fixture = Fixture::new(4);
    let next = get(&fixture, "/Patient?_count=2").link("next").unwrap();
    let now = fixture.service.now();
    assert!(fixture.service.store().delete("Patient", "example-0002", now));
    assert!(fixture.service.store().delete("Patient", "example-0003", now));
    fixture.put(json!({"resourceType": "Patient", "id": "example-0001", "active": true}));
    assert_eq!(get(&fixture, &next).ids().unwrap(), ["example-0004", "example-0001"]);
}

#[test]
fn results_can_be_sorted_by_last_change_in_both_directions() {
    let fixture = Fixture::new(3);
    let mut target = "/Patient?_sort=-_lastUpdated&_count=1".to_owned();
    let mut ids = Vec::new();
    while !target.is_empty() {
        let response = get(&fixture, &target);
        ids.extend(response.ids().unwrap());
        target = response.link("next").unwrap_or_default();
    }
    assert_eq!(ids, ["example-0003", "example-0002", "example-0001"]);
    assert_eq!(get(&fixture, "/Patient?_sort=_lastUpdated&_count=1").ids().unwrap(), ["example-0001"]);
}

#[test]
fn posted_search_combines_query_and_form_and_needs_the_content_type() {
    const FORM: &str = "application/x-www-form-urlencoded";
    for (target, form, content_type, expected, link) in [
        ("/Patient/_search", "_id=a", Some(FORM), Ok("a"), "/Patient?_id=a"),
        ("/Patient/_search?_id=a,b", "_id=b&name=m", Some(FORM), Ok("b"), "/Patient?_id=b&_id=a,b&name=m"),
        (
            "/Patient/_search?_id=a",
            "_id=a",
            Some("Application/X-WWW-Form-Urlencoded; charset=utf-8"),
            Ok("a"),
            "/Patient?_id=a",
        ),
        ("/Patient/_search", "", Some(FORM), Ok("a b c"), "/Patient"),
        ("/Patient/_search", "_id=a", None, Ok("a b c"), "/Patient"),
        ("/Patient/_search?_id=c", "_id=a", None, Ok("c"), "/Patient?_id=c"),
        ("/Patient/_search", "_format=json", Some(FORM), Ok("a b c"), "/Patient?_format=json"),
        ("/Patient/_search", "_format=xml", Some(FORM), Err(501), ""),
        ("/Patient/_search", "_format=text/html", Some(FORM), Err(406), ""),
        ("/Patient/_search", "_pretty=x", Some(FORM), Err(400), ""),
        ("/Patient/_search", "{}", Some("application/json"), Err(400), ""),
        ("/Patient/_search", "", Some("multipart/form-data; boundary=b"), Err(501), ""),
    ] {
        let content_type = content_type.map(|value| ("content-type", value));
        let response = fixture().send_with(&format!("POST {target}"), form, content_type.as_slice());
        let expected = expected.map(|ids| ids.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(response.ids(), expected, "{target} {form}");
        if expected.is_ok() {
            assert_eq!(response.link("self").as_deref(), Some(link));
        }
    }
}

#[test]
fn supported_parameters_are_in_the_capability_statement() {
    let statement = get(&fixture(), "/metadata").text;
    for name in ["birthdate", "identifier", "_lastUpdated", "patient"] {
        assert!(statement.contains(&format!(r#""name":"{name}""#)), "{name}");
    }
}
