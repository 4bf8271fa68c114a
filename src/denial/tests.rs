//! Tests of [`Denial`] from the table `denials.json`, which can be read without knowing the code.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use super::{Denial, DenialCause, Evidence, RefreshAttempt};
use crate::{
    ServiceKind,
    claims::samples::{RandomBytes, jwt},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(rename = "about")]
    _about: Vec<String>,
    services: Map<String, Value>,
    tokens: Map<String, Value>,
    rows: Vec<Row>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    case: String,
    service: String,
    #[serde(default)]
    resource: Option<String>,
    token: Value,
    status: u16,
    #[serde(default)]
    headers: Vec<[String; 2]>,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    refresh: Option<String>,
    #[serde(default)]
    readme: bool,
    cause: String,
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn table() -> Table {
    serde_json::from_str(include_str!("denials.json")).unwrap()
}

/// Returns the token of a row: a string unchanged, or a named set of claims with replacements, with times from now.
fn token(table: &Table, spec: &Value) -> String {
    if let Some(opaque) = spec.as_str() {
        return opaque.to_owned();
    }
    let mut claims = table.tokens[spec["like"].as_str().unwrap()].as_object().unwrap().clone();
    for (name, value) in spec.as_object().unwrap().iter().filter(|(name, _)| *name != "like") {
        claims.insert(name.clone(), value.clone());
    }
    claims.retain(|_, value| !value.is_null());
    for name in ["exp", "nbf", "iat"] {
        if let Some(value) = claims.get_mut(name) {
            *value = json!(1_700_000_000 + value.as_i64().unwrap());
        }
    }
    jwt(&Value::Object(claims))
}

fn explain(table: &Table, row: &Row) -> Denial {
    let mut headers = HeaderMap::new();
    for [name, value] in &row.headers {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        headers.append(name.parse::<HeaderName>().unwrap(), value);
    }
    let service = &table.services[&row.service];
    let authorization = format!("Bearer {}", token(table, &row.token)).parse().unwrap();
    Denial::new(Evidence {
        service: if row.service == "dicom" { ServiceKind::Dicom } else { ServiceKind::Fhir },
        endpoint: &Url::parse("https://contoso.example").unwrap(),
        resource: row.resource.as_deref().unwrap_or(service["resource"].as_str().unwrap()),
        status: StatusCode::from_u16(row.status).unwrap(),
        headers: &headers,
        body: match &row.body {
            Value::Null => Bytes::new(),
            Value::String(text) => Bytes::from(text.clone()),
            json => Bytes::from(json.to_string()),
        },
        authorization: &authorization,
        now: now(),
        refresh: match row.refresh.as_deref() {
            None => RefreshAttempt::NotTried,
            Some("no-other-token") => RefreshAttempt::NoOtherToken,
            Some("replayed") => RefreshAttempt::Replayed,
            Some(other) => panic!("unknown refresh {other}"),
        },
    })
}

#[test]
fn denial_has_the_expected_cause_for_every_row() {
    let table = table();
    for row in &table.rows {
        assert_eq!(explain(&table, row).cause().as_str(), row.cause, "{}", row.case);
    }
}

/// The wording is in `snapshots/`, in one file per cause.
///
/// After a change of the wording, run `INSTA_UPDATE=always cargo test --lib denial` and review the changed snapshots.
#[test]
fn denial_wording_matches_the_snapshots() {
    let table = table();
    for cause in DenialCause::ALL {
        let mut wording = String::new();
        for row in table.rows.iter().filter(|row| row.cause == cause.as_str()) {
            let denial = explain(&table, row);
            let (line, reason, help) = (denial.to_string(), denial.reason(), denial.help());
            // The snapshot shows the line's parts below each other.
            let start =
                line.strip_suffix(&format!(" {reason} — {help}")).expect("the line ends with its parts");
            writeln!(wording, "# {}\n{start}\n    {reason}\n    — {help}\n", row.case).unwrap();
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(cause.as_str(), wording));
    }
}

#[test]
fn readme_shows_a_denial_of_the_table() {
    let table = table();
    let row = table.rows.iter().find(|row| row.readme).expect("a row is for the README");
    let line = explain(&table, row).to_string();
    // The README may wrap the line.
    let readme: Vec<_> = include_str!("../../README.md").split_whitespace().collect();
    assert!(readme.join(" ").contains(&line), "README.md must show this denial:\n{line}");
}

#[test]
fn denial_table_has_every_cause_and_service() {
    let table = table();
    for cause in DenialCause::ALL {
        assert!(table.rows.iter().any(|row| row.cause == cause.as_str()), "{cause}");
    }
    for service in table.services.keys() {
        assert!(table.rows.iter().any(|row| &row.service == service), "{service}");
    }
}

#[test]
fn output_is_one_line_without_secrets_or_personal_data() {
    let table = table();
    for row in &table.rows {
        let mut row = row.clone();
        row.headers.push(["set-cookie".into(), "CANARY".into()]);
        row.headers.push(["x-request-id".into(), "CANARY".into()]);
        row.headers.push(["x-correlation-id".into(), "CANARY".into()]);
        for [_, value] in &mut row.headers {
            *value = value.replace("error_description=\"", "error_description=\"CANARY ");
        }
        let issue = json!({"severity": "error", "code": "CANARY", "diagnostics": "CANARY", "details": {"text": "CANARY"},
            "expression": ["CANARY"], "location": ["CANARY"]});
        match row.body.pointer_mut("/issue").and_then(Value::as_array_mut) {
            Some(issues) => issues.push(issue),
            None => row.body = json!(format!("{} CANARY", row.body.as_str().unwrap_or_default())),
        }
        if row.token.is_object() {
            row.token["sub"] = json!("CANARY");
            row.token["upn"] = json!("CANARY");
        }
        let secret = token(&table, &row.token);
        let denial = explain(&table, &row);
        for text in [format!("{denial}"), format!("{denial:?}"), format!("{:?}", denial.claims())] {
            assert!(!text.contains("CANARY"), "{}: {text}", row.case);
            assert!(
                secret.split('.').all(|part| part.len() < 5 || !text.contains(part)),
                "{}: {text}",
                row.case
            );
            assert!(!text.contains(['\n', '\r']) && text.len() < 1_500, "{}: {text}", row.case);
        }
    }
}

#[test]
fn hostile_values_cannot_forge_log_lines_or_exceed_the_length_limit() {
    let table = table();
    let hostile = format!("https://x\u{202e}\u{7}`\"{}", "y".repeat(9_000));
    let mut row = table.rows[0].clone();
    row.token = json!({"like": "fhir", "aud": hostile, "oid": hostile, "tid": hostile, "appid": hostile, "iss": hostile, "idtyp": hostile});
    row.resource = Some(hostile.clone());
    for status in [401, 403] {
        for description in
            ["The audience is invalid", "The issuer is invalid", "The signature is invalid", ""]
        {
            row.status = status;
            let resource = hostile.replace('\u{7}', "").replace(['"', '`'], "\\\"");
            row.headers = vec![[
                "www-authenticate".into(),
                format!(
                    "Bearer resource_id=\"{resource}\", error=\"invalid_token\", error_description=\"{description}\""
                ),
            ]];
            row.body = json!({"resourceType": "OperationOutcome", "issue": [{"code": "forbidden"}]});
            let denial = explain(&table, &row);
            for text in [format!("{denial}"), format!("{denial:?}")] {
                assert!(text.chars().all(|c| c.is_ascii_graphic() || " —…".contains(c)), "{text}");
                assert!(text.len() < 3_000, "{}", text.len());
            }
        }
    }
}

#[test]
fn random_responses_and_tokens_do_not_panic() {
    let mut random = RandomBytes::new(4);
    let endpoint = Url::parse("https://contoso.example").unwrap();
    for round in 0..1_000 {
        let mut headers = HeaderMap::new();
        let visible =
            |bytes: Vec<u8>| bytes.into_iter().filter(|b| !b.is_ascii_control()).collect::<Vec<_>>();
        let mut value = b"Bearer error=\"invalid_token\", ".to_vec();
        value.extend(visible(random.bytes(60, b"resource_id=\"\\,audience is invalid")));
        headers.insert("www-authenticate", HeaderValue::from_bytes(&value).unwrap());
        let sent = visible(random.bytes(60, b"Bearer eyJ.."));
        let denial = Denial::new(Evidence {
            service: [ServiceKind::Fhir, ServiceKind::Dicom][round % 2],
            endpoint: &endpoint,
            resource: "https://dicom.healthcareapis.azure.com",
            status: [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::OK][round % 3],
            headers: &headers,
            body: random.bytes(60, b"{\"resourceType\":[]}").into(),
            authorization: &HeaderValue::from_bytes(&sent).unwrap(),
            now: SystemTime::UNIX_EPOCH,
            refresh: RefreshAttempt::Replayed,
        });
        assert!(denial.to_string().chars().all(|c| !c.is_control()));
    }
}

#[test]
fn getters_return_the_ids_and_the_response() {
    let table = table();
    let mut row = table.rows[0].clone();
    row.body = json!({"resourceType": "OperationOutcome", "id": "07d1ecac-c62f-47d5-8338-44b86b846edd", "issue": [{"code": "login"}]});
    let denial = explain(&table, &row);
    assert_eq!(denial.request_id(), Some("07d1ecac-c62f-47d5-8338-44b86b846edd"));
    assert_eq!(denial.correlation_id(), None);
    row.headers.push(["X-Request-Id".into(), "r".into()]);
    row.headers.push(["X-Correlation-Id".into(), "c".into()]);
    let denial = explain(&table, &row);
    assert_eq!((denial.request_id(), denial.correlation_id()), (Some("r"), Some("c")));
    assert_eq!(
        (denial.status(), denial.received_at(), denial.issue_codes()),
        (StatusCode::UNAUTHORIZED, now(), &["login"][..])
    );
    assert_eq!(denial.body(), &Bytes::from(row.body.to_string()));
    assert_eq!(denial.headers()["x-request-id"], "r");
    assert!(denial.challenges()[0].is("bearer"));
    assert_eq!(denial.claims().unwrap().audiences().len(), 1);
    assert!(
        !denial.help().is_empty()
            && denial.resource() == "https://contoso-records.fhir.azurehealthcareapis.com"
    );
    let line = denial.to_string();
    assert!(line.contains(denial.reason()) && line.ends_with(denial.help()));
    assert!(line.contains(denial.service().label()) && line.contains(denial.resource()));
}

#[test]
fn only_unknown_cause_has_possible_causes() {
    let table = table();
    for row in &table.rows {
        let denial = explain(&table, row);
        match denial.possible_causes() {
            [] => assert_ne!(row.cause, "unknown"),
            [first, second] => {
                assert_eq!(row.cause, "unknown");
                assert_ne!(first, second);
                let list = format!("; possible causes: (1) {first}; (2) {second}");
                assert!(denial.reason().ends_with(&list), "{denial}");
            }
            causes => panic!("{}: {causes:?}", row.case),
        }
    }
}

#[test]
fn denial_is_send_sync_and_clone() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Denial>();
}
