//! The fake DICOM service: the change feed and the metadata of an instance, in both API versions.

use std::{
    ops::RangeInclusive,
    sync::{Arc, Mutex},
};

use axum::response::IntoResponse;

use azure_core::time::parse_rfc3339;
use http::{Method, StatusCode, header};
use serde_json::json;
use url::Url;
pub(crate) mod feed;

use self::feed::{Feed, seconds, sequence};
use crate::{
    clock::Clock,
    response::{FakeResponse, Request},
};

const JSON: &str = "application/json; charset=utf-8";
const DICOM_JSON: &str = "application/dicom+json";

const NANOS: i128 = 1_000_000_000;

/// The largest offset: the maximum of a signed 64-bit integer on a 64-bit platform.
const MAX_OFFSET: usize = isize::MAX.unsigned_abs();

/// The fake DICOM service.
pub(crate) struct DicomService {
    /// The origin of the service, without a trailing slash.
    pub(crate) origin: String,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<Mutex<Store>>,
}

/// The content of the DICOM service.
pub(crate) struct Store {
    pub(crate) feed: Feed,
}

pub(crate) fn router(service: Arc<DicomService>) -> axum::Router {
    let handler = async move |request: axum::extract::Request| {
        let request = Request::read(&service.origin, request).await;
        let store = service.store.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        respond(&store.feed, &request).into_response()
    };
    axum::Router::new().fallback(handler)
}

/// Returns the response to a request that is rejected before the service processes it.
pub(crate) fn error_response(status: StatusCode) -> axum::response::Response {
    let response = match status {
        StatusCode::FORBIDDEN => FakeResponse::text(status, "Authorization failed."),
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => FakeResponse::empty(status),
        _ => FakeResponse::text(status, status.canonical_reason().unwrap_or("Unknown status")),
    };
    response.into_response()
}

/// Responds to an authorized request.
pub(crate) fn respond(feed: &Feed, request: &Request) -> FakeResponse {
    let path = request.url.path().to_ascii_lowercase();
    let path: Vec<_> = path.trim_matches('/').split('/').collect();
    let result = match path.as_slice() {
        ["v1" | "v2", "changefeed"]
        | ["v1" | "v2", "changefeed", "latest"]
        | ["v1" | "v2", "studies", _, "series", _, "instances", _, "metadata"]
            if request.method != Method::GET =>
        {
            Ok(FakeResponse::empty(StatusCode::METHOD_NOT_ALLOWED).with(header::ALLOW, "GET"))
        }
        ["v1", "changefeed"] => by_sequence(feed, &request.url),
        ["v2", "changefeed"] => by_time(feed, &request.url),
        ["v1" | "v2", "changefeed", "latest"] => latest(feed, &request.url),
        ["v1" | "v2", "studies", study, "series", series, "instances", instance, "metadata"] => {
            Ok(match feed.metadata([study, series, instance]) {
                Some(metadata) => FakeResponse::json(StatusCode::OK, DICOM_JSON, &json!([metadata])),
                None => FakeResponse::empty(StatusCode::NOT_FOUND),
            })
        }
        _ => Ok(FakeResponse::empty(StatusCode::NOT_FOUND)),
    };
    result.unwrap_or_else(|InvalidParameter { name, message }| {
        let text = format!("The query parameter '{name}' is invalid. {message}");
        FakeResponse::text(StatusCode::BAD_REQUEST, &text)
    })
}

/// A query parameter with an invalid value.
struct InvalidParameter {
    name: &'static str,
    message: String,
}

fn invalid(name: &'static str, message: impl Into<String>) -> InvalidParameter {
    InvalidParameter { name, message: message.into() }
}

/// Returns the changes with `offset < sequence <= offset + limit`.
fn by_sequence(feed: &Feed, url: &Url) -> Result<FakeResponse, InvalidParameter> {
    let (offset, limit) = (number(url, "offset", 0..=MAX_OFFSET, 0)?, number(url, "limit", 1..=100, 10)?);
    let metadata = flag(url)?;
    let page = offset..offset.saturating_add(limit);
    let selected = (0..feed.len()).filter(|index| page.contains(&(sequence(*index) - 1)));
    let entries: Vec<_> = selected.map(|index| feed.entry(index, metadata)).collect();
    Ok(FakeResponse::json(StatusCode::OK, JSON, &json!(entries)))
}

/// Returns at most `limit` changes with `startTime <= timestamp < endTime`, after skipping `offset` of them.
fn by_time(feed: &Feed, url: &Url) -> Result<FakeResponse, InvalidParameter> {
    let (offset, limit) = (number(url, "offset", 0..=MAX_OFFSET, 0)?, number(url, "limit", 1..=200, 100)?);
    let metadata = flag(url)?;
    let start = time(url, "startTime")?.unwrap_or(i128::MIN);
    let end = time(url, "endTime")?.unwrap_or(i128::MAX);
    if end <= start {
        return Err(invalid("endTime", "It must be after the start time."));
    }
    let selected =
        (0..feed.len()).filter(|index| (start..end).contains(&(i128::from(seconds(*index)) * NANOS)));
    let entries: Vec<_> =
        selected.skip(offset).take(limit).map(|index| feed.entry(index, metadata)).collect();
    Ok(FakeResponse::json(StatusCode::OK, JSON, &json!(entries)))
}

/// Returns the last change.
fn latest(feed: &Feed, url: &Url) -> Result<FakeResponse, InvalidParameter> {
    let metadata = flag(url)?;
    Ok(match feed.len().checked_sub(1) {
        Some(last) => FakeResponse::json(StatusCode::OK, JSON, &feed.entry(last, metadata)),
        // This is undocumented. ASP.NET sends 204 for a response that is null.
        None => FakeResponse::empty(StatusCode::NO_CONTENT),
    })
}

/// Returns the value of the first parameter with this name, ignoring case.
fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
}

fn number(
    url: &Url,
    name: &'static str,
    allowed: RangeInclusive<usize>,
    default: usize,
) -> Result<usize, InvalidParameter> {
    let Some(value) = parameter(url, name) else { return Ok(default) };
    let number = value.parse().ok().filter(|number| allowed.contains(number));
    number.ok_or_else(|| {
        invalid(name, format!("It must be a number from {} to {}.", allowed.start(), allowed.end()))
    })
}

/// Returns the value of `includeMetadata`, which defaults to `true`.
fn flag(url: &Url) -> Result<bool, InvalidParameter> {
    match parameter(url, "includeMetadata").unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid("includeMetadata", "It must be `true` or `false`.")),
    }
}

/// Returns a time in nanoseconds since the Unix epoch, or `None` if the parameter is missing or empty.
fn time(url: &Url, name: &'static str) -> Result<Option<i128>, InvalidParameter> {
    let Some(value) = parameter(url, name).filter(|value| !value.trim().is_empty()) else { return Ok(None) };
    match parse_rfc3339(&value) {
        Ok(time) => Ok(Some(time.unix_timestamp_nanos())),
        Err(_) => Err(invalid(
            name,
            "It must be a time in RFC 3339 format with an offset, in which `+` is encoded.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::request;

    fn send(changes: usize, path: &str) -> FakeResponse {
        respond(&Feed::new(changes, Vec::new()), &request(&format!("GET {path}"), ""))
    }

    fn sequences(changes: usize, path: &str) -> Vec<u64> {
        let response = send(changes, path);
        assert_eq!(response.status, StatusCode::OK, "{path}");
        response.value().as_array().unwrap().iter().map(|entry| entry["sequence"].as_u64().unwrap()).collect()
    }

    #[test]
    fn v1_pages_by_sequence_number_and_has_an_empty_page() {
        for (query, expected) in [
            ("", (1..=10).collect()),
            ("?offset=10", vec![11, 12]),
            ("?offset=20", vec![]),
            ("?offset=30", (33..=40).collect()),
            ("?offset=40&limit=100", (41..=45).collect()),
            ("?offset=11&limit=1", vec![12]),
            ("?OFFSET=9223372036854775807&LIMIT=1", vec![]),
            ("?startTime=nonsense&limit=1", vec![1]),
        ] {
            assert_eq!(sequences(25, &format!("/v1/changefeed{query}")), expected, "{query}");
        }
    }

    #[test]
    fn v2_pages_by_offset_and_ends_with_a_short_page() {
        let all: Vec<u64> = (1..=12).chain(33..=45).collect();
        assert_eq!(sequences(25, "/v2/changefeed"), all);
        assert_eq!(sequences(25, "/v2/changefeed?offset=10&limit=10"), all[10..20]);
        assert_eq!(sequences(25, "/v2/changefeed?offset=20&limit=10"), all[20..]);
        assert_eq!(sequences(25, "/v2/changefeed?offset=25"), [0; 0]);
        assert_eq!(sequences(250, "/v2/changefeed").len(), 100);
        assert_eq!(sequences(250, "/V2/ChangeFeed?limit=200").len(), 200);
    }

    #[test]
    fn v2_start_time_is_inclusive_and_end_time_exclusive() {
        for (query, expected) in [
            ("startTime=2024-01-01T08:01:00Z&endTime=2024-01-01T08:03:00Z", vec![2, 3]),
            ("endTime=2024-01-01T08:01:00Z", vec![1]),
            ("endTime=2024-01-01T08:01:00.001Z", vec![1, 2]),
            ("startTime=2024-01-01T09:01:00%2B01:00&limit=1", vec![2]),
            ("startTime=2024-01-01T08:01:00Z&offset=1&limit=1", vec![3]),
            ("startTime=&endtime=2024-01-01T08:01:00-00:00", vec![1]),
            ("startTime=2030-01-01T00:00:00Z", vec![]),
        ] {
            assert_eq!(sequences(25, &format!("/v2/changefeed?{query}")), expected, "{query}");
        }
    }

    #[test]
    fn invalid_parameters_get_400() {
        for path in [
            "/v1/changefeed?limit=0",
            "/v1/changefeed?limit=101",
            "/v1/changefeed?offset=-1",
            "/v1/changefeed?offset=",
            "/v2/changefeed?limit=201",
            "/v2/changefeed?includemetadata=1",
            "/v2/changefeed/latest?includeMetadata=no",
            "/v2/changefeed?startTime=2024-01-01T08:01:00",
            "/v2/changefeed?startTime=2024-01-01T08:01:00+00:00",
            "/v2/changefeed?startTime=2024-01-01T08:01:00Z&endTime=2024-01-01T08:01:00Z",
        ] {
            let response = send(25, path);
            assert_eq!(response.status, StatusCode::BAD_REQUEST, "{path}");
            assert_eq!(response.header("content-type"), "text/plain; charset=utf-8");
        }
    }

    #[test]
    fn metadata_is_included_by_default() {
        for path in ["/v1/changefeed", "/v2/changefeed"] {
            for (query, included) in
                [("", true), ("?includemetadata=", true), ("?includeMetadata=FALSE", false)]
            {
                let entries = send(1, &format!("{path}{query}")).value();
                assert_eq!(entries[0].get("metadata").is_some(), included, "{path}{query}");
            }
        }
    }

    #[test]
    fn latest_is_the_last_change_or_no_content() {
        for version in ["v1", "v2"] {
            let path = format!("/{version}/changefeed/latest");
            assert_eq!(send(25, &path).value()["sequence"], 45);
            assert_eq!(sequences(0, &format!("/{version}/changefeed")), [0; 0]);
            // This is likely but not documented. Clients should treat an empty 200 the same.
            assert_eq!(send(0, &path).status, StatusCode::NO_CONTENT);
        }
    }

    #[test]
    fn instance_metadata_equals_that_of_the_feed() {
        let entry = send(1, "/v2/changefeed/latest").value();
        let path = "/v2/studies/2.25.1000000/series/2.25.2000000/instances/2.25.3000000/metadata";
        let response = send(1, path);
        assert_eq!(
            (response.status, response.header("content-type")),
            (StatusCode::OK, "application/dicom+json")
        );
        assert_eq!(response.value(), json!([entry["metadata"]]));
        assert_eq!(send(1, &path.replace("v2", "v1")).value(), response.value());
        for other in [path.replace("2.25.2", "2.25.9"), path.replace("/metadata", ""), format!("{path}/x")] {
            assert_eq!(send(1, &other).status, StatusCode::NOT_FOUND, "{other}");
        }
    }

    #[test]
    fn unknown_paths_get_404_and_wrong_methods_get_405() {
        for path in ["/", "/changefeed", "/v3/changefeed", "/v2/studies", "/v2/changefeed/first"] {
            assert_eq!(send(1, path).status, StatusCode::NOT_FOUND, "{path}");
        }
        for line in ["POST /v1/changefeed", "HEAD /v2/changefeed/latest"] {
            let response = respond(&Feed::new(1, Vec::new()), &request(line, ""));
            assert_eq!((response.status.as_u16(), response.header("allow")), (405, "GET"));
        }
    }
}
