use http::HeaderValue;
use serde_json::Value;

use super::*;

fn response(status: u16, body: &'static [u8]) -> Response {
    let head = Head {
        service: ServiceKind::Fhir,
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        attempts: 1,
    };
    Response { head, body: Bytes::from_static(body) }
}

#[test]
fn status_error_shows_only_a_plausible_request_id() {
    let long = "a".repeat(65);
    for (id, shown) in [
        ("4bf92f35-77b3-4da6-a3ce-929d0e0e4736", true),
        (&long[..64], true),
        (&long[..65], false),
        ("john doe", false),
        ("Patient/1", false),
    ] {
        for name in ["x-request-id", "x-ms-request-id", "request-id"] {
            let mut response = response(503, b"");
            response.head.headers.insert(name, HeaderValue::from_str(id).unwrap());
            let text = response.error_for_status().unwrap_err().to_string();
            assert_eq!(text.ends_with(&format!("503 Service Unavailable (request {id})")), shown, "{text}");
            assert!(shown || text.ends_with("503 Service Unavailable"), "{text}");
        }
    }
}

#[test]
fn decode_error_reports_the_position_and_no_content() {
    for (body, problem) in [
        (&b""[..], "empty (line 1, column 0)"),
        (b"[1,", "truncated JSON (line 1, column 3)"),
        (b"<html>", "not JSON (line 1, column 1)"),
        (b"[1, true]", "JSON that does not match the requested type (line 1, column 8)"),
    ] {
        let error = response(200, body).json::<Vec<u32>>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert_eq!(error.to_string(), format!("the response body is {problem}"));
    }
    assert_eq!(response(200, b"a\xff").text().unwrap_err().kind(), ErrorKind::Decode);
    assert_eq!(response(500, b"1").json::<u32>().unwrap_err().kind(), ErrorKind::Status);
}

#[test]
fn body_is_read_as_text_or_json() {
    assert_eq!(response(404, "größer".as_bytes()).text().unwrap(), "größer");
    assert_eq!(response(201, b"17").json::<u32>().unwrap(), 17);
    // Only a 204 may have an empty body.
    assert_eq!(response(204, b"").json::<Value>().unwrap(), Value::Null);
    assert!(response(200, b"").json::<Value>().is_err());
}

#[test]
fn response_converts_to_http_response() {
    let mut response = response(404, b"missing");
    response.head.headers.insert("etag", HeaderValue::from_static("W/\"1\""));
    let converted = http::Response::from(response);
    assert_eq!((converted.status().as_u16(), &converted.body()[..]), (404, &b"missing"[..]));
    assert_eq!(converted.headers().len(), 1);
    assert_eq!(converted.headers()["etag"], "W/\"1\"");
}
