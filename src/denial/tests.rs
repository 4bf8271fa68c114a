//! What a [`Denial`] says, from a table that can be read without the code: `denials.json`.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use url::Url;

use super::{Denial, Evidence, Renewal};
use crate::ServiceKind;
use crate::claims::samples::{Noise, jws};

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
    renewal: Option<String>,
    cause: String,
    line: String,
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

fn table() -> Table {
    serde_json::from_str(include_str!("denials.json")).unwrap()
}

/// The token of a row: a text as it is, or a named set of claims with some changed; times count from now.
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
    jws(&Value::Object(claims))
}

fn deny(table: &Table, row: &Row) -> Denial {
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
        renewal: match row.renewal.as_deref() {
            None => Renewal::NotTried,
            Some("nothing new") => Renewal::NothingNew,
            Some("replayed") => Renewal::Replayed,
            Some(other) => panic!("unknown renewal {other}"),
        },
    })
}

#[test]
fn every_row_of_the_table_is_told_in_its_words() {
    let table = table();
    let mut wrong = Vec::new();
    for row in &table.rows {
        let denial = deny(&table, row);
        assert_eq!(denial.cause().to_string(), denial.cause().as_str());
        if denial.cause().as_str() != row.cause || denial.to_string() != row.line {
            wrong.push(format!("{}:\n  {}\n  {denial}", row.case, denial.cause()));
        }
    }
    assert!(table.rows.len() >= 40);
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_readme_shows_a_row_of_the_table() {
    let words: Vec<_> = include_str!("../../README.md").split_whitespace().collect();
    let row = table().rows.into_iter().find(|row| row.case.contains("as the README shows it")).unwrap();
    assert!(words.join(" ").contains(&row.line), "{}", row.line);
}

#[test]
fn the_table_has_every_cause_and_both_services() {
    let table = table();
    for cause in "wrong-audience trailing-slash ended not-yet-valid wrong-tenant wrong-signature no-role not-about-roles unknown".split(' ') {
        assert!(table.rows.iter().any(|row| row.cause == cause), "{cause}");
    }
    for service in table.services.keys() {
        assert!(table.rows.iter().any(|row| &row.service == service), "{service}");
    }
}

#[test]
fn a_denial_is_one_line_without_secret_or_patient() {
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
        let denial = deny(&table, &row);
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
fn hostile_values_can_neither_forge_a_line_nor_fill_one() {
    let table = table();
    let evil = format!("https://x\u{202e}\u{7}`\"{}", "y".repeat(9_000));
    let mut row = table.rows[0].clone();
    row.token = json!({"like": "fhir", "aud": evil, "oid": evil, "tid": evil, "appid": evil, "iss": evil, "idtyp": evil});
    row.resource = Some(evil.clone());
    for status in [401, 403] {
        for words in ["The audience is invalid", "The issuer is invalid", "The signature is invalid", ""] {
            row.status = status;
            let wanted = evil.replace('\u{7}', "").replace(['"', '`'], "\\\"");
            row.headers = vec![[
                "www-authenticate".into(),
                format!(
                    "Bearer resource_id=\"{wanted}\", error=\"invalid_token\", error_description=\"{words}\""
                ),
            ]];
            row.body = json!({"resourceType": "OperationOutcome", "issue": [{"code": "forbidden"}]});
            let denial = deny(&table, &row);
            for text in [format!("{denial}"), format!("{denial:?}")] {
                assert!(text.chars().all(|c| c.is_ascii_graphic() || " —…".contains(c)), "{text}");
                assert!(text.len() < 3_000, "{}", text.len());
            }
        }
    }
}

#[test]
fn any_answer_and_any_token_make_a_denial() {
    let mut noise = Noise::new(4);
    let endpoint = Url::parse("https://contoso.example").unwrap();
    for round in 0..1_000 {
        let mut headers = HeaderMap::new();
        let visible =
            |bytes: Vec<u8>| bytes.into_iter().filter(|b| !b.is_ascii_control()).collect::<Vec<_>>();
        let mut value = b"Bearer error=\"invalid_token\", ".to_vec();
        value.extend(visible(noise.bytes(60, b"resource_id=\"\\,audience is invalid")));
        headers.insert("www-authenticate", HeaderValue::from_bytes(&value).unwrap());
        let sent = visible(noise.bytes(60, b"Bearer eyJ.."));
        let denial = Denial::new(Evidence {
            service: [ServiceKind::Fhir, ServiceKind::Dicom][round % 2],
            endpoint: &endpoint,
            resource: "https://dicom.healthcareapis.azure.com",
            status: [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::OK][round % 3],
            headers: &headers,
            body: noise.bytes(60, b"{\"resourceType\":[]}").into(),
            authorization: &HeaderValue::from_bytes(&sent).unwrap(),
            now: SystemTime::UNIX_EPOCH,
            renewal: Renewal::Replayed,
        });
        assert!(denial.to_string().chars().all(|c| !c.is_control()));
    }
}

#[test]
fn ids_and_the_raw_answer_are_there_for_who_asks() {
    let table = table();
    let mut row = table.rows[0].clone();
    row.body = json!({"resourceType": "OperationOutcome", "id": "07d1ecac-c62f-47d5-8338-44b86b846edd", "issue": [{"code": "login"}]});
    let denial = deny(&table, &row);
    assert_eq!(denial.request_id(), Some("07d1ecac-c62f-47d5-8338-44b86b846edd"));
    assert_eq!(denial.correlation_id(), None);
    row.headers.push(["X-Request-Id".into(), "r".into()]);
    row.headers.push(["X-Correlation-Id".into(), "c".into()]);
    let denial = deny(&table, &row);
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
    assert!(line.contains(denial.service().to_string().as_str()) && line.contains(denial.resource()));
}

#[test]
fn only_the_unknown_has_likeliest_causes() {
    let table = table();
    for row in &table.rows {
        let denial = deny(&table, row);
        match denial.possible_causes() {
            Some([first, second]) => {
                assert_eq!(row.cause, "unknown");
                assert!(
                    first != second && denial.reason().contains(first) && denial.reason().contains(second)
                );
            }
            None => assert_ne!(row.cause, "unknown"),
        }
    }
}

#[test]
fn a_denial_can_be_sent_and_shared() {
    fn check<T: Clone + Send + Sync + 'static>() {}
    check::<Denial>();
}
