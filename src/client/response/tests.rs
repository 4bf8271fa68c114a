//! How an answer is read, and what is said of one that cannot be.

use http::HeaderValue;
use serde_json::Value;

use super::*;

fn answer(status: u16, body: &'static [u8]) -> Response {
    let head = Head {
        service: ServiceKind::Fhir,
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        attempts: 1,
    };
    Response { head, body: Bytes::from_static(body) }
}

#[test]
fn a_failure_is_told_with_the_request_id_and_with_nothing_else_in_its_place() {
    let long = "a".repeat(65);
    for (id, shown) in [
        ("4bf92f35-77b3-4da6-a3ce-929d0e0e4736", true),
        (&long[..64], true),
        (&long[..65], false),
        ("john doe", false),
        ("Patient/1", false),
    ] {
        for name in ["x-request-id", "x-ms-request-id", "request-id"] {
            let mut answer = answer(503, b"");
            answer.head.headers.insert(name, HeaderValue::from_str(id).unwrap());
            let text = answer.error_for_status().unwrap_err().to_string();
            assert_eq!(text.ends_with(&format!("503 Service Unavailable (request {id})")), shown, "{text}");
            assert!(shown || text.ends_with("503 Service Unavailable"), "{text}");
        }
    }
}

#[test]
fn a_body_that_cannot_be_read_says_what_it_is() {
    for (body, said) in [
        (&b""[..], "empty (line 1, column 0)"),
        (b"[1,", "JSON that breaks off (line 1, column 3)"),
        (b"<html>", "not JSON (line 1, column 1)"),
        (b"[1, true]", "JSON, but not of the type that was asked for (line 1, column 8)"),
    ] {
        let error = answer(200, body).json::<Vec<u32>>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(error.to_string(), format!("the answer's body is {said}"));
    }
    assert_eq!(answer(200, b"a\xff").text().unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(answer(500, b"1").json::<u32>().unwrap_err().kind(), ErrorKind::Status);
}

#[test]
fn a_body_is_read_as_it_is() {
    assert_eq!(answer(404, "größer".as_bytes()).text().unwrap(), "größer");
    assert_eq!(answer(201, b"17").json::<u32>().unwrap(), 17);
    // Nothing can only be read where nothing is what was to come.
    assert_eq!(answer(204, b"").json::<Value>().unwrap(), Value::Null);
    assert!(answer(200, b"").json::<Value>().is_err());
}
