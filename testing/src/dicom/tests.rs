//! Tests of the routes of the fake DICOM service.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::{Router, body::Body};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{DicomService, Store, dicom_file, multipart, multipart::Part, router};
use crate::clock::Clock;

const JSON: &str = "application/dicom+json";
const FILE: &str = "application/dicom; transfer-syntax=*";
const FILES: &str = "multipart/related; type=\"application/dicom\"; transfer-syntax=*";
const STORE: &str = "multipart/related; type=\"application/dicom\"; boundary=b";

/// A complete response.
struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/dicom+json; charset=utf-8");
        serde_json::from_slice(&self.body).unwrap()
    }

    fn parts(&self) -> Vec<Part> {
        let content_type = self.headers["content-type"].to_str().unwrap();
        let boundary = content_type.strip_prefix("multipart/related; boundary=").unwrap();
        multipart::parse(&self.body, boundary).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn service(changes: usize, has_partitions: bool) -> Router {
    let mut store = Store::new(SystemTime::UNIX_EPOCH);
    store.add_synthetic(changes);
    router(Arc::new(DicomService {
        origin: "http://origin".to_owned(),
        // After the synthetic changes, whenever the test runs.
        clock: Clock::of(|| SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000)),
        has_partitions,
        store: Arc::new(Mutex::new(store)),
    }))
}

async fn send(service: &Router, line: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = service.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { status: head.status.as_u16(), headers: head.headers, body }
}

async fn get(service: &Router, target: &str, accept: &str) -> Reply {
    send(service, &format!("GET {target}"), &[("accept", accept)], "").await
}

/// Stores files as parts of one request.
async fn store(service: &Router, path: &str, files: &[Vec<u8>]) -> Reply {
    let part = |file: &Vec<u8>| Part {
        content_type: Some("application/dicom".to_owned()),
        body: file.clone().into(),
    };
    let body = multipart::write(&files.iter().map(part).collect::<Vec<_>>(), "b");
    send(service, &format!("POST {path}"), &[("accept", JSON), ("content-type", STORE)], body).await
}

/// Returns a file with these study, series and instance UIDs and further attributes.
fn file(uids: [&str; 3], attributes: &[(&str, Value)]) -> Vec<u8> {
    let uid = |uid: &str| json!({"vr": "UI", "Value": [uid]});
    let [study, series, sop] = uids;
    let mut data_set = json!({
        "00080016": uid("1.2.840.10008.5.1.4.1.1.7"),
        "00080018": uid(sop),
        "00100020": {"vr": "LO", "Value": ["p1"]},
        "0020000D": uid(study),
        "0020000E": uid(series),
    });
    for (key, attribute) in attributes {
        data_set[key] = attribute.clone();
    }
    dicom_file(&data_set)
}

/// Writes a file with implicit VR little endian.
fn implicit(file: &[u8]) -> Vec<u8> {
    let mut object = dicom_object::OpenFileOptions::new().from_reader(file).unwrap();
    object.update_meta(|meta| meta.transfer_syntax = "1.2.840.10008.1.2".to_owned());
    let mut bytes = Vec::new();
    object.write_all(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn stored_instance_is_returned_by_all_retrievals_and_searches() {
    let service = service(0, false);
    let file = file(["1.1", "1.2", "1.3"], &[("00080060", json!({"vr": "CS", "Value": ["CT"]}))]);
    let stored = store(&service, "/v2/studies", std::slice::from_ref(&file)).await;
    assert_eq!(stored.status, 200);
    let expected = json!({"00081199": {"vr": "SQ", "Value": [{
        "00081150": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"]},
        "00081155": {"vr": "UI", "Value": ["1.3"]},
        "00081190": {"vr": "UR", "Value": ["http://origin/v2/studies/1.1/series/1.2/instances/1.3"]},
        "00741048": {"vr": "SQ"},
    }]}});
    assert_eq!(stored.json(), expected);

    let instance = "/v2/studies/1.1/series/1.2/instances/1.3";
    let single = get(&service, instance, FILE).await;
    assert_eq!(
        (single.status, single.header("content-type")),
        (200, "application/dicom; transfer-syntax=1.2.840.10008.1.2.1")
    );
    assert_eq!(single.body, file);
    for path in ["/v2/studies/1.1", "/v1/studies/1.1/series/1.2", instance] {
        let reply = get(&service, path, FILES).await;
        let part = Part {
            content_type: Some("application/dicom; transfer-syntax=1.2.840.10008.1.2.1".to_owned()),
            body: file.clone().into(),
        };
        assert_eq!((reply.status, reply.parts()), (200, vec![part]), "{path}");
        let metadata = get(&service, &format!("{path}/metadata"), JSON).await.json();
        assert_eq!(
            (&metadata[0]["00080060"]["Value"], &metadata[1]),
            (&json!(["CT"]), &Value::Null),
            "{path}"
        );
    }
    for path in [
        "/v2/studies",
        "/v2/series",
        "/v2/studies/1.1/series",
        "/v2/instances",
        "/v2/studies/1.1/instances",
        "/v2/studies/1.1/series/1.2/instances",
    ] {
        assert_eq!(get(&service, path, JSON).await.json().as_array().unwrap().len(), 1, "{path}");
    }
    let feed = get(&service, "/v2/changefeed", "*/*").await;
    let feed: Value = serde_json::from_slice(&feed.body).unwrap();
    assert_eq!(
        (&feed[0]["action"], &feed[0]["metadata"]["00080060"]["Value"][0]),
        (&json!("Create"), &json!("CT"))
    );
}

#[tokio::test]
async fn status_and_reasons_of_a_store_request_depend_on_its_files() {
    let good = |sop| file(["1.1", "1.2", sop], &[]);
    let bad_date = |sop| file(["1.1", "1.2", sop], &[("00080020", json!({"vr": "DA", "Value": ["today"]}))]);
    let no_patient = |sop| file(["1.1", "1.2", sop], &[("00100020", json!({"vr": "LO"}))]);
    // The path, the files, the status, and the reasons of failures and warnings.
    type Case<'a> = (&'a str, Vec<Vec<u8>>, u16, &'a [u16], &'a [u16]);
    let cases: [Case<'_>; 11] = [
        ("/v2/studies", vec![good("1"), good("2")], 200, &[], &[]),
        ("/v2/studies/1.1", vec![good("1")], 200, &[], &[]),
        ("/v2/studies/9.9", vec![good("1")], 409, &[43265], &[]),
        ("/v2/studies", vec![good("1"), good("1")], 202, &[45070], &[]),
        ("/v2/studies", vec![b"nonsense".to_vec()], 409, &[43264], &[]),
        ("/v2/studies", vec![file(["1.1", "1.2", "x"], &[])], 409, &[43264], &[]),
        ("/v2/studies", vec![bad_date("1"), good("2")], 202, &[], &[1]),
        ("/v1/studies", vec![bad_date("1"), good("2")], 202, &[43264], &[]),
        ("/v2/studies", vec![implicit(&good("1"))], 202, &[], &[45063]),
        ("/v1/studies", vec![implicit(&good("1"))], 200, &[], &[45063]),
        ("/v1/studies", vec![no_patient("1")], 409, &[43264], &[]),
    ];
    for (path, files, status, failures, warnings) in cases {
        let reply = store(&service(0, false), path, &files).await;
        let data_set = reply.json();
        let codes = |sequence: &str, key: &str| -> Vec<u16> {
            let items = data_set[sequence]["Value"].as_array().cloned().unwrap_or_default();
            items.iter().filter_map(|item| item[key]["Value"][0].as_u64()?.try_into().ok()).collect()
        };
        assert_eq!(reply.status, status, "{path} {data_set}");
        assert_eq!(codes("00081198", "00081197"), failures, "{path} {data_set}");
        assert_eq!(codes("00081199", "00081196"), warnings, "{path} {data_set}");
        let has_url = data_set.get("00081190").is_some();
        assert_eq!(has_url, path == "/v2/studies/1.1", "{data_set}");
    }
}

#[tokio::test]
async fn files_of_any_length_are_stored() {
    let service = service(0, false);
    let text = json!({"vr": "UT", "Value": ["a".repeat(3_000_000)]});
    let long = file(["2.25.1", "2.25.2", "2.25.3"], &[("0040A160", text)]);
    assert_eq!(store(&service, "/v2/studies", &[long]).await.status, 200);
}

#[tokio::test]
async fn attribute_with_a_warning_is_in_the_file_but_not_in_the_metadata() {
    let service = service(0, false);
    let file = file(["1.1", "1.2", "1.3"], &[("00080020", json!({"vr": "DA", "Value": ["today"]}))]);
    let stored = store(&service, "/v2/studies", std::slice::from_ref(&file)).await.json();
    let comment = &stored["00081199"]["Value"][0]["00741048"]["Value"][0]["00000902"]["Value"][0];
    assert!(comment.as_str().unwrap().starts_with("DICOM100: (0008,0020)"), "{stored}");
    let metadata = get(&service, "/v2/studies/1.1/metadata", JSON).await.json();
    assert_eq!((metadata[0].get("00080020"), &metadata[0]["00100020"]["Value"][0]), (None, &json!("p1")));
    assert_eq!(get(&service, "/v2/studies/1.1/series/1.2/instances/1.3", FILE).await.body, file);
}

#[tokio::test]
async fn store_requests_with_other_content_are_rejected() {
    let service = service(0, false);
    let file = file(["1.1", "1.2", "1.3"], &[]);
    let part = |content_type: Option<&str>| {
        let part = Part { content_type: content_type.map(str::to_owned), body: file.clone().into() };
        multipart::write(&[part], "b")
    };
    let untyped = "multipart/related; boundary=b";
    for (accept, content_type, body, status) in [
        ("text/html", STORE, part(None), 406),
        ("", STORE, part(None), 406),
        (JSON, "application/json", part(None), 415),
        (JSON, "", part(None), 415),
        (JSON, "multipart/related; type=\"application/dicom\"", part(None), 415),
        (JSON, untyped, part(None), 415),
        (JSON, STORE, part(Some("image/jpeg")), 415),
        (JSON, STORE, Bytes::from_static(b"no parts"), 400),
        (JSON, STORE, Bytes::from_static(b"--b--"), 204),
        (JSON, "application/dicom", Bytes::new(), 204),
        (JSON, "application/dicom", file.clone().into(), 200),
        ("*/*", STORE, part(None), 409),
    ] {
        let headers: Vec<_> = [("accept", accept), ("content-type", content_type)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let reply = send(&service, "POST /v2/studies", &headers, body).await;
        assert_eq!(reply.status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn large_file_is_stored() {
    let service = service(0, false);
    let pixels = STANDARD.encode(vec![0; 3 * 1024 * 1024]);
    let file = file(["1.1", "1.2", "1.3"], &[("7FE00010", json!({"vr": "OB", "InlineBinary": pixels}))]);
    assert_eq!(store(&service, "/v2/studies", &[file]).await.status, 200);
}

#[tokio::test]
async fn several_instances_are_returned_only_in_their_original_transfer_syntax() {
    let service = service(6, false);
    let series = "/v2/studies/2.25.1000000/series/2.25.2000000";
    let default = get(&service, series, "multipart/related; type=\"application/dicom\"").await;
    assert_eq!(default.status, 406);
    assert_eq!(get(&service, series, FILES).await.parts().len(), 3);
    assert_eq!(get(&service, "/v2/studies/2.25.1000000", "*/*").await.parts().len(), 6);
}

#[tokio::test]
async fn implicit_file_is_converted_and_compressed_one_is_not() {
    let service = service(0, false);
    let explicit = file(["1.1", "1.2", "1.3"], &[("00280010", json!({"vr": "US", "Value": [7]}))]);
    let implicit = implicit(&explicit);
    assert_ne!(implicit, explicit);
    store(&service, "/v2/studies", std::slice::from_ref(&implicit)).await;
    let path = "/v2/studies/1.1/series/1.2/instances/1.3";
    for (accept, status, body) in [
        ("application/dicom", 200, &explicit[..]),
        ("application/dicom; transfer-syntax=*", 200, &implicit),
        (
            "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.90",
            501,
            b"The fake server does not support the conversion to the requested transfer syntax.",
        ),
        (
            "application/dicom; transfer-syntax=1.2.840.10008.1.2.4.50",
            406,
            b"The service has no representation that the request accepts.",
        ),
    ] {
        let reply = get(&service, path, accept).await;
        assert_eq!((reply.status, &reply.body[..]), (status, body), "{accept}");
    }
}

#[tokio::test]
async fn frames_are_returned_alone_or_as_parts() {
    let service = service(1, false);
    let path = "/v2/studies/2.25.1000000/series/2.25.2000000/instances/2.25.3000000/frames";
    let single = get(&service, &format!("{path}/1"), "application/octet-stream; transfer-syntax=*").await;
    assert_eq!((single.status, &single.body[..]), (200, &[0, 0x55, 0xAA, 0xFF][..]));
    assert_eq!(
        single.header("content-type"),
        "application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"
    );
    let parts = get(&service, &format!("{path}/1,1"), "*/*").await.parts();
    assert_eq!((parts.len(), &parts[1].body[..]), (2, &[0, 0x55, 0xAA, 0xFF][..]));
    for (frames, accept, status) in [
        ("1,1", "application/octet-stream", 400),
        ("0", "*/*", 400),
        ("1,x", "*/*", 400),
        ("2", "*/*", 404),
        ("1", "image/jp2", 406),
        ("1", "multipart/related; type=\"image/jp2\"", 501),
        ("1/rendered", "image/jpeg", 501),
    ] {
        assert_eq!(
            get(&service, &format!("{path}/{frames}"), accept).await.status,
            status,
            "{frames} {accept}"
        );
    }
}

#[tokio::test]
async fn metadata_has_an_entity_tag_for_its_version_and_count() {
    let service = service(6, false);
    for (path, etag) in [
        ("/v2/studies/2.25.1000000/metadata", "6-6"),
        ("/v2/studies/2.25.1000000/series/2.25.2000000/metadata", "3-3"),
        ("/v2/studies/2.25.1000000/series/2.25.2000000/instances/2.25.3000001/metadata", "2"),
    ] {
        let reply = get(&service, path, JSON).await;
        assert_eq!((reply.status, reply.header("etag")), (200, etag), "{path}");
        let line = format!("GET {path}");
        let cached = send(&service, &line, &[("accept", JSON), ("if-none-match", etag)], "").await;
        assert_eq!((cached.status, cached.header("etag"), cached.body.len()), (304, "", 0), "{path}");
        let changed = send(&service, &line, &[("accept", JSON), ("if-none-match", "1-1")], "").await;
        assert_eq!(changed.status, 200, "{path}");
    }
}

#[tokio::test]
async fn deleted_instances_are_gone_and_in_the_change_feed() {
    let service = service(6, false);
    let study = "/v2/studies/2.25.1000000";
    for (path, left) in [
        (format!("{study}/series/2.25.2000000/instances/2.25.3000000"), 5),
        (format!("{study}/series/2.25.2000000"), 3),
        (study.to_owned(), 0),
    ] {
        for status in [204, 404] {
            assert_eq!(send(&service, &format!("DELETE {path}"), &[], "").await.status, status, "{path}");
        }
        let found = get(&service, "/v2/instances", JSON).await;
        let count = if found.status == 204 { 0 } else { found.json().as_array().unwrap().len() };
        assert_eq!(count, left, "{path}");
    }
    let feed = get(&service, "/v2/changefeed", "*/*").await;
    let feed: Vec<Value> = serde_json::from_slice(&feed.body).unwrap();
    assert_eq!(feed.iter().filter(|entry| entry["action"] == "Delete").count(), 6);
    assert!(feed.iter().all(|entry| entry["state"] == "Deleted"));
}

#[tokio::test]
async fn missing_instances_and_invalid_paths_are_distinguished() {
    let service = service(1, false);
    for (line, accept, status) in [
        ("GET /v2/studies/1.1", "*/*", 404),
        ("GET /v2/studies/1.1", "", 406),
        ("GET /v2/studies/1.1/series/1.2/metadata", JSON, 404),
        ("GET /v2/studies/1.1/metadata", "text/html", 406),
        ("GET /v2/studies/1.1x", "*/*", 400),
        ("GET /v2/studies/1.1/series/a/instances/1.3", "*/*", 400),
        ("GET /v2/studies/1.1%2F2", "*/*", 400),
        ("DELETE /v2/studies/1.1", "", 404),
        ("GET /v2/studies/1.1/instances", JSON, 204),
        ("GET /v2/studies?limit=0", JSON, 400),
        ("GET /v2/studies", "text/html", 406),
        ("PUT /v2/studies/1.1", JSON, 405),
        ("HEAD /v2/studies", JSON, 405),
        ("HEAD /v2/changefeed", JSON, 405),
        ("DELETE /v2/studies", JSON, 405),
        ("GET /v2/partitions", "", 400),
        ("GET /v2/partitions/x/studies", JSON, 400),
    ] {
        let headers = [("accept", accept)];
        let headers = if accept.is_empty() { &headers[..0] } else { &headers[..] };
        assert_eq!(send(&service, line, headers, "").await.status, status, "{line} {accept}");
    }
    for (path, text) in [
        ("/v2/studies/1.1", "The study does not exist."),
        ("/v2/studies/1.1/series/1.2", "The series does not exist."),
        ("/v2/studies/1.1/series/1.2/instances/1.3", "The instance does not exist."),
    ] {
        assert_eq!(get(&service, path, "*/*").await.body, text);
    }
}

#[tokio::test]
async fn unsupported_requests_get_501_that_names_the_feature() {
    let service = service(1, false);
    let instance = "/v2/studies/2.25.1000000/series/2.25.2000000/instances/2.25.3000000";
    for (line, feature) in [
        (format!("GET {instance}/rendered"), "rendered instances"),
        (format!("GET {instance}/thumbnail"), "thumbnails"),
        (format!("GET {instance}/bulkdata/a/b"), "bulk data"),
        ("POST /v2/studies/$bulkUpdate".to_owned(), "bulk updates"),
        ("GET /v1/operations/7".to_owned(), "the status of operations"),
        ("POST /v2/extendedquerytags".to_owned(), "extended query tags"),
        ("POST /v2/workitems?1.2".to_owned(), "worklists"),
        ("POST /v2/partitions/p/workitems".to_owned(), "worklists"),
        ("POST /v2/export".to_owned(), "exports"),
        ("GET /v3/studies".to_owned(), "this path"),
        ("GET /".to_owned(), "this path"),
    ] {
        let reply = send(&service, &line, &[], "").await;
        let text = format!("The fake server does not support {feature}.");
        assert_eq!((reply.status, &reply.body[..]), (501, text.as_bytes()), "{line}");
    }
}

#[tokio::test]
async fn storing_creates_a_partition_and_other_requests_need_one() {
    let service = service(1, true);
    let file = file(["1.1", "1.2", "1.3"], &[]);
    for (line, status) in [
        ("GET /v2/studies", 400),
        ("GET /v2/partitions/new/studies", 400),
        ("GET /v2/partitions/a%20b/studies", 400),
        ("GET /v2/partitions/Microsoft.Default/studies", 200),
        ("GET /v2/changefeed", 200),
    ] {
        assert_eq!(send(&service, line, &[("accept", "*/*")], "").await.status, status, "{line}");
    }
    for (length, status) in [(64, 200), (65, 400)] {
        let path = format!("/v2/partitions/{}/studies", "p".repeat(length));
        assert_eq!(store(&service, &path, std::slice::from_ref(&file)).await.status, status, "{length}");
        assert_eq!(send(&service, &format!("DELETE {path}/1.1"), &[], "").await.status == 204, status == 200);
    }
    let stored = store(&service, "/v2/partitions/new/studies", std::slice::from_ref(&file)).await;
    let url = &stored.json()["00081199"]["Value"][0]["00081190"]["Value"][0];
    assert_eq!(url, "http://origin/v2/partitions/new/studies/1.1/series/1.2/instances/1.3");
    assert_eq!(
        get(&service, "/v2/partitions/new/studies/1.1/series/1.2/instances/1.3", FILE).await.body,
        file
    );
    assert_eq!(get(&service, "/v2/partitions/Microsoft.Default/studies/1.1", FILES).await.status, 404);
    let partitions = get(&service, "/v2/partitions", "*/*").await;
    let partitions: Value = serde_json::from_slice(&partitions.body).unwrap();
    assert_eq!(
        (&partitions[0]["partitionName"], &partitions[2]["partitionName"]),
        (&json!("Microsoft.Default"), &json!("new"))
    );
    assert_eq!((&partitions[2]["partitionKey"], &partitions[3]), (&json!(3), &Value::Null));
    let feed = get(&service, "/v2/changefeed?offset=3", "*/*").await;
    let feed: Value = serde_json::from_slice(&feed.body).unwrap();
    assert_eq!(feed[0]["partitionName"], "new");
}

mod search {
    use super::*;

    /// Returns a service with two studies: the first has a CT series with two instances and an MR series with one.
    async fn searchable() -> Router {
        let service = service(0, false);
        let text = |vr: &str, text: &str| json!({"vr": vr, "Value": [text]});
        let attributes = |name: &str, date: &str, modality: &str| {
            [
                ("00080020", text("DA", date)),
                ("00080060", text("CS", modality)),
                ("00100010", json!({"vr": "PN", "Value": [{"Alphabetic": name}]})),
                ("00280010", json!({"vr": "US", "Value": [512]})),
                ("00080005", text("CS", "ISO_IR 192")),
            ]
        };
        let files = [
            file(["1.1", "2.1", "3.1"], &attributes("Müller^Anna", "20240101", "CT")),
            file(["1.1", "2.1", "3.2"], &attributes("Müller^Anna", "20240101", "CT")),
            file(["1.1", "2.2", "3.3"], &attributes("Müller^Anna", "20240101", "MR")),
            file(["1.2", "2.3", "3.4"], &attributes("Doe^John", "20240215", "CT")),
        ];
        assert_eq!(store(&service, "/v2/studies", &files).await.status, 200);
        service
    }

    /// Returns the values of an attribute in all results.
    async fn values(service: &Router, target: &str, key: &str) -> Vec<String> {
        let reply = get(service, target, JSON).await;
        if reply.status == 204 {
            return Vec::new();
        }
        assert_eq!(reply.status, 200, "{target}");
        let results = reply.json();
        let values = results.as_array().unwrap().iter().map(|result| &result[key]["Value"][0]);
        values.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect()
    }

    #[tokio::test]
    async fn results_are_the_newest_first_and_paged() {
        let service = searchable().await;
        for (target, key, expected) in [
            ("/v2/studies", "0020000D", &["1.2", "1.1"][..]),
            ("/v2/series", "0020000E", &["2.3", "2.2", "2.1"]),
            ("/v2/studies/1.1/series", "0020000E", &["2.2", "2.1"]),
            ("/v2/instances", "00080018", &["3.4", "3.3", "3.2", "3.1"]),
            ("/v2/studies/1.1/instances", "00080018", &["3.3", "3.2", "3.1"]),
            ("/v2/studies/1.1/series/2.1/instances", "00080018", &["3.2", "3.1"]),
            ("/v2/instances?limit=2", "00080018", &["3.4", "3.3"]),
            ("/v2/instances?limit=2&offset=3", "00080018", &["3.1"]),
            ("/v2/instances?offset=4", "00080018", &[]),
        ] {
            assert_eq!(values(&service, target, key).await, expected, "{target}");
        }
    }

    #[tokio::test]
    async fn attributes_select_results() {
        let service = searchable().await;
        for (target, key, expected) in [
            ("/v2/studies?StudyDate=20240101-20240131", "0020000D", &["1.1"][..]),
            ("/v2/studies?00080020=20240101-", "0020000D", &["1.2", "1.1"]),
            ("/v2/studies?StudyInstanceUID=1.2", "0020000D", &["1.2"]),
            ("/v2/studies?PatientName=muller%5Eanna", "0020000D", &["1.1"]),
            ("/v2/studies?PatientName=mull", "0020000D", &[]),
            ("/v2/studies?PatientName=mull&fuzzymatching=true", "0020000D", &["1.1"]),
            ("/v2/studies?ModalitiesInStudy=MR", "0020000D", &["1.1"]),
            ("/v2/series?Modality=ct", "0020000E", &["2.3", "2.1"]),
            ("/v2/series?Modality=CT&PatientID=p1&StudyDate=20240215", "0020000E", &["2.3"]),
            ("/v2/instances?SOPInstanceUID=3.2", "00080018", &["3.2"]),
        ] {
            assert_eq!(values(&service, target, key).await, expected, "{target}");
        }
    }

    #[tokio::test]
    async fn returned_attributes_depend_on_the_level_and_the_version() {
        let service = searchable().await;
        for (target, expected) in [
            ("/v2/studies", "00080020 00100010 00100020 0020000D"),
            ("/v1/studies", "00080005 00080020 00100010 00100020 0020000D"),
            ("/v2/studies/1.1/series", "00080060 0020000D 0020000E"),
            ("/v2/series", "00080020 00080060 00100010 00100020 0020000D 0020000E"),
            ("/v2/studies/1.1/series/2.1/instances", "00080018 0020000D 0020000E"),
            ("/v1/studies/1.1/series/2.1/instances", "00080005 00080016 00080018 0020000D 0020000E 00280010"),
            (
                "/v2/studies/1.1/series/2.1/instances?includefield=all",
                "00080005 00080016 00080018 0020000D 0020000E 00280010",
            ),
            ("/v2/studies/1.1/series/2.1/instances?includefield=Rows", "00080018 0020000D 0020000E 00280010"),
            ("/v2/studies/1.1/series/2.1/instances?SOPInstanceUID=3.1", "00080018 0020000D 0020000E"),
            (
                "/v2/studies?includefield=NumberOfStudyRelatedInstances,ModalitiesInStudy",
                "00080020 00080061 00100010 00100020 0020000D 00201208",
            ),
        ] {
            let results = get(&service, target, JSON).await.json();
            let keys: Vec<_> = results[0].as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys.join(" "), expected, "{target}");
        }
    }

    #[tokio::test]
    async fn counts_and_modalities_are_those_of_the_whole_study() {
        let service = searchable().await;
        let target = "/v2/series?includefield=NumberOfStudyRelatedInstances,NumberOfSeriesRelatedInstances";
        assert_eq!(values(&service, target, "00201208").await, ["1", "3", "3"]);
        assert_eq!(values(&service, target, "00201209").await, ["1", "1", "2"]);
        let study =
            get(&service, "/v2/studies?StudyInstanceUID=1.1&includefield=ModalitiesInStudy", JSON).await;
        assert_eq!(study.json()[0]["00080061"], json!({"vr": "CS", "Value": ["CT", "MR"]}));
    }

    #[tokio::test]
    async fn newest_instance_decides_the_attributes_of_its_study() {
        let service = searchable().await;
        let renamed = [("00100010", json!({"vr": "PN", "Value": [{"Alphabetic": "Smith^Anna"}]}))];
        store(&service, "/v2/studies", &[file(["1.1", "2.9", "3.9"], &renamed)]).await;
        assert_eq!(values(&service, "/v2/studies?PatientName=Smith%5EAnna", "0020000D").await, ["1.1"]);
        assert_eq!(
            values(&service, "/v2/instances?PatientName=Smith%5EAnna", "00080018").await,
            ["3.9", "3.3", "3.2", "3.1"]
        );
        assert_eq!(values(&service, "/v2/studies", "0020000D").await, ["1.2", "1.1"]);
    }
}
