//! Exports: the request, the job and the files.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Fixture, Received};
use crate::{
    fhir::{FhirService, export::Exports},
    storage,
};

const HEADERS: [(&str, &str); 2] = [("accept", "application/fhir+json"), ("prefer", "respond-async")];

/// Patients `a` and `b`, and resources of the first one.
fn fixture() -> Fixture {
    let fixture = Fixture::new(0);
    let patient = |id: &str| json!({"reference": format!("Patient/{id}")});
    for resource in [
        json!({"resourceType": "Patient", "id": "a", "multipleBirthInteger": 1}),
        json!({"resourceType": "Patient", "id": "b"}),
        json!({"resourceType": "Observation", "id": "o1", "subject": patient("a")}),
        json!({"resourceType": "Observation", "id": "o2", "subject": {"reference": "http://here/Patient/a"}, "performer": [patient("b")]}),
        json!({"resourceType": "Observation", "id": "o3", "subject": {"reference": "Group/g"}}),
        json!({"resourceType": "Organization", "id": "x"}),
        json!({"resourceType": "Group", "id": "g", "member": [
            {"entity": patient("a")},
            {"entity": {"reference": "Group/h"}},
        ]}),
        json!({"resourceType": "Group", "id": "h", "member": [
            {"entity": {"reference": "Group/g"}},
            {"entity": patient("b"), "inactive": true},
            {"entity": patient("b"), "period": {"end": "2023"}},
        ]}),
    ] {
        fixture.put(resource);
    }
    fixture
}

impl Fixture {
    fn start(&self, target: &str) -> Received {
        self.send_with(&format!("GET {target}"), "", &HEADERS)
    }

    /// Starts an export and returns the path of its job.
    fn job(&self, target: &str) -> String {
        let response = self.start(target);
        assert_eq!((response.status(), response.text.as_str()), (202, ""), "{target}");
        response.header("content-location").strip_prefix("http://here").unwrap().to_owned()
    }

    fn manifest(&self, target: &str) -> Value {
        let job = self.job(target);
        assert_eq!(self.send(&format!("GET {job}"), "").status(), 202);
        self.send(&format!("GET {job}"), "").value()
    }

    /// Returns the content of a file.
    fn file(&self, url: &Value) -> String {
        let path = url.as_str().unwrap().strip_prefix("http://storage").unwrap();
        let request = Request::get(path).header("x-ms-version", "2021-08-06").body(Body::empty()).unwrap();
        let exchange = async {
            let response =
                storage::router(self.service.exports.storage().clone()).oneshot(request).await.unwrap();
            (response.status(), response.into_body().collect().await.unwrap().to_bytes())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (status, body) = runtime.block_on(exchange);
        assert_eq!(status, 200);
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// Returns the types and ids in the files of an export.
    fn exported(&self, target: &str) -> Vec<String> {
        let manifest = self.manifest(target);
        let files = manifest["output"].as_array().unwrap();
        let lines = files.iter().flat_map(|file| {
            let content = self.file(&file["url"]);
            let lines: Vec<Value> = content.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(file["count"], lines.len());
            lines.into_iter().map(|line| {
                assert_eq!(line["resourceType"], file["type"]);
                format!("{}/{}", line["resourceType"].as_str().unwrap(), line["id"].as_str().unwrap())
            })
        });
        lines.collect()
    }
}

#[test]
fn export_of_the_service_contains_all_types() {
    let all = [
        "Group/g",
        "Group/h",
        "Observation/o1",
        "Observation/o2",
        "Observation/o3",
        "Organization/x",
        "Patient/a",
        "Patient/b",
    ];
    assert_eq!(fixture().exported("/$export"), all);
    assert_eq!(
        fixture().exported("/$export?_type=Patient,Organization"),
        ["Organization/x", "Patient/a", "Patient/b"]
    );
    assert!(fixture().exported("/$export?_type=Medication").is_empty());
}

#[test]
fn export_of_patients_contains_their_compartments_with_duplicates() {
    let exported = fixture().exported("/Patient/$export");
    // Group `h` refers to the same Patient twice, which counts once.
    assert_eq!(
        exported,
        [
            "Group/g",
            "Group/h",
            "Observation/o1",
            "Observation/o2",
            "Observation/o2",
            "Patient/a",
            "Patient/b"
        ]
    );
    assert_eq!(
        fixture().exported("/Patient/$export?_type=Observation"),
        ["Observation/o1", "Observation/o2", "Observation/o2"]
    );
}

#[test]
fn export_of_a_group_contains_its_active_members() {
    assert_eq!(
        fixture().exported("/Group/g/$export"),
        ["Group/g", "Observation/o1", "Observation/o2", "Patient/a"]
    );
    assert_eq!(fixture().exported("/Group/g/$export?_type=Patient"), ["Patient/a"]);
    let fixture = fixture();
    let job = fixture.job("/Group/unknown/$export");
    let [first, second] = [(), ()].map(|()| fixture.send(&format!("GET {job}"), ""));
    assert_eq!((first.status(), second.error()), (202, (400, "processing".to_owned())));
}

#[test]
fn times_limit_an_export_from_since_until_before_till() {
    let fixture = fixture();
    fixture.clock.advance(Duration::from_secs(60));
    fixture.put(json!({"resourceType": "Patient", "id": "c"}));
    for (query, expected) in [
        ("_since=2024-01-01T08:01:00Z", "Patient/c"),
        ("_till=2024-01-01T08:01:00Z&_type=Patient", "Patient/a Patient/b"),
        (
            "_since=2024-01-01T08:00:00Z&_till=2024-01-01T08:01:01Z&_type=Patient",
            "Patient/a Patient/b Patient/c",
        ),
        ("_since=2025", ""),
    ] {
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(fixture.exported(&format!("/$export?{query}")), expected, "{query}");
    }
    // What refers to a Patient who did not change is left out.
    fixture.put(json!({"resourceType": "Observation", "id": "o4", "subject": {"reference": "Patient/a"}}));
    assert_eq!(fixture.exported("/Patient/$export?_since=2024-01-01T08:01:00Z"), ["Patient/c"]);
}

#[test]
fn filters_select_the_resources_of_their_types() {
    let query = "_type=Patient,Observation,Organization";
    for (filter, expected) in [
        ("Patient?_id=a", "Observation/o1 Observation/o2 Observation/o3 Organization/x Patient/a"),
        ("Patient?_id=a&_id=b,Observation?patient=a", "Observation/o1 Observation/o2 Organization/x"),
        ("Patient?_id=a,Patient?_id=a,Observation?_id=x", "Organization/x Patient/a Patient/a"),
        ("Group?_id=g,Observation?_id=o1,Patient?_id=b", "Observation/o1 Organization/x Patient/b"),
    ] {
        let filter = filter.replace('?', "%3F").replace('&', "%26").replace('=', "%3D");
        let exported = fixture().exported(&format!("/$export?{query}&_typeFilter={filter}"));
        assert_eq!(exported, expected.split(' ').collect::<Vec<_>>(), "{filter}");
    }
    // A search includes the end of the time.
    let time = "_till=2024-01-01T08:00:00Z&_type=Patient";
    assert!(fixture().exported(&format!("/$export?{time}")).is_empty());
    let filter = "_typeFilter=Patient%3F_id%3Da";
    assert_eq!(fixture().exported(&format!("/$export?{time}&{filter}")), ["Patient/a"]);
    assert_eq!(fixture().exported(&format!("/Group/g/$export?{time}")), ["Patient/a"]);
}

#[test]
fn manifest_describes_the_files() {
    let fixture = fixture();
    let manifest = fixture.manifest("/$export?_type=Patient&_container=exports&_outputFormat=ndjson");
    let url = manifest["output"][0]["url"].as_str().unwrap();
    assert!(url.starts_with("http://storage/exports/20240101T080000-"), "{url}");
    assert!(url.ends_with("/Patient-1-1.ndjson"), "{url}");
    let expected = json!({
        "transactionTime": "2024-01-01T08:00:00+00:00",
        "request": "http://here/$export?_type=Patient&_container=exports&_outputFormat=ndjson",
        "requiresAccessToken": false,
        "output": [{"type": "Patient", "url": url, "count": 2}],
        "error": [],
        "issues": [],
    });
    assert_eq!(manifest, expected);
    assert_eq!(fixture.file(&manifest["output"][0]["url"]).matches('\n').count(), 2);
    let [one, other] =
        [(), ()].map(|()| fixture.manifest("/$export?_type=Patient")["output"][0]["url"].clone());
    assert_ne!(one, other);
}

#[test]
fn large_export_has_several_files_of_a_type() {
    let manifest = Fixture::new(5_001).manifest("/$export");
    let counts: Vec<_> =
        manifest["output"].as_array().unwrap().iter().map(|file| file["count"].clone()).collect();
    assert_eq!(counts, [5_000, 1]);
}

#[test]
fn export_contains_the_data_of_its_start() {
    let fixture = fixture();
    let job = fixture.job("/$export?_type=Organization");
    let in_progress = fixture.send(&format!("GET {job}"), "");
    assert_eq!((in_progress.status(), in_progress.header("x-progress")), (202, "in progress"));
    fixture.put(json!({"resourceType": "Organization", "id": "y"}));
    let now = fixture.service.now();
    fixture.service.store().delete("Organization", "x", now);
    for _ in 0..2 {
        let response = fixture.send(&format!("GET {job}"), "");
        assert_eq!((response.status(), response.header("content-type")), (200, "application/json"));
        assert!(fixture.file(&response.value()["output"][0]["url"]).contains(r#""id":"x""#));
    }
}

#[test]
fn job_is_in_progress_for_the_configured_number_of_polls() {
    for polls in [0, 3] {
        let mut fixture = fixture();
        let exports = Arc::new(Exports::new(polls));
        fixture.service = Arc::new(FhirService { exports, ..(*fixture.service).clone() });
        let job = fixture.job("/$export");
        let statuses: Vec<_> =
            (0..=polls).map(|_| fixture.send(&format!("GET {job}"), "").status()).collect();
        let in_progress = statuses.iter().filter(|&&status| status == 202).count();
        assert_eq!((in_progress, statuses.last()), (polls, Some(&200)));
    }
}

#[test]
fn canceled_job_is_unknown_afterward_also_if_it_was_complete() {
    let fixture = fixture();
    for polls in [0, 1, 2] {
        let job = fixture.job("/$export");
        (0..polls).for_each(|_| drop(fixture.send(&format!("GET {job}"), "")));
        assert_eq!(fixture.send(&format!("DELETE {job}"), "").status(), 202, "{polls}");
        for method in ["GET", "DELETE"] {
            let unknown = fixture.send(&format!("{method} {job}"), "");
            assert_eq!(unknown.error(), (404, "not-found".to_owned()), "{polls} {method}");
        }
    }
    for id in ["7", "x", "0a1b2c3d-0000-4000-9000-000000000001"] {
        let unknown = fixture.send(&format!("GET /_operations/export/{id}"), "");
        assert_eq!((unknown.status(), unknown.unsupported), (404, false), "{id}");
    }
    for (method, body) in [("HEAD", ""), ("POST", "{}")] {
        let response = fixture.send(&format!("{method} /_operations/export/1"), body);
        assert_eq!(response.status(), 405, "{method}");
    }
}

#[test]
fn invalid_and_unsupported_requests_are_errors() {
    let fixture = fixture();
    for (target, status) in [
        ("/Observation/$export", 400),
        ("/Patient/a/$export", 400),
        ("/Unknown/$export", 404),
        ("/$export?_since=yesterday", 400),
        ("/$export?_container=a%2F..%2Fb", 400),
        ("/$export?_container=UPPER", 501),
        ("/$export?_outputFormat=csv", 400),
        ("/$export?_maxCount=x", 400),
        ("/$export?_maxCount=5&_isParallel=False", 202),
        ("/$export?_isParallel=x", 400),
        ("/$export?_count=5", 400),
        ("/$export?_type=Unknown", 501),
        ("/$export?_typeFilter=Patient%3Fname%3Dx", 400),
        ("/$export?_type=Patient&_typeFilter=Patient", 400),
        ("/$export?_type=Patient&_typeFilter=Patient%3Fname", 400),
        ("/$export?_type=Patient&_typeFilter=Patient%3Fname%3Dx%3Dy", 400),
        ("/$export?_type=Patient&_typeFilter=Patient%3Fbirthdate%3Dx", 400),
        ("/$export?_type=Patient&_typeFilter=Patient%3Funknown%3Dx", 501),
        ("/Patient/$export?_type=Patient&_typeFilter=Patient%3Fname%3Dx", 501),
        ("/$export?includeAssociatedData=_history", 501),
        ("/$export?_anonymizationConfig=x", 501),
    ] {
        assert_eq!(fixture.start(target).status(), status, "{target}");
    }
    for headers in [&HEADERS[..1], &HEADERS[1..], &[]] {
        assert_eq!(fixture.send_with("GET /$export", "", headers).error(), (400, "invalid".to_owned()));
    }
    assert_eq!(fixture.send("POST /$export", "{}").status(), 405);
}
