//! The DICOM service of the stand-in: the change feed and the metadata of an instance, in both versions of the API.

use std::ops::RangeInclusive;

use azure_core::time::parse_rfc3339;
use http::{Method, StatusCode, header};
use serde_json::json;
use url::Url;
use wiremock::Request;

use super::{
    answer::Answer,
    feed::{Feed, seconds, sequence},
};

const JSON: &str = "application/json; charset=utf-8";
const DICOM_JSON: &str = "application/dicom+json";

const NANOS: i128 = 1_000_000_000;

/// The largest signed number of 64 bits, on a machine of 64 bits.
const MAX_OFFSET: usize = isize::MAX.unsigned_abs();

/// The answer to a request that may not act, or not now.
pub(super) fn refusal(status: StatusCode) -> Answer {
    match status {
        StatusCode::FORBIDDEN => Answer::text(status, "Authorization failed."),
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => Answer::empty(status),
        _ => Answer::text(status, status.canonical_reason().unwrap_or("Not told.")),
    }
}

/// Answers a request that may act.
pub(super) fn answer(feed: &Feed, request: &Request) -> Answer {
    let path = request.url.path().to_ascii_lowercase();
    let path: Vec<_> = path.trim_matches('/').split('/').collect();
    let answered = match path.as_slice() {
        ["v1" | "v2", "changefeed"]
        | ["v1" | "v2", "changefeed", "latest"]
        | ["v1" | "v2", "studies", _, "series", _, "instances", _, "metadata"]
            if request.method != Method::GET =>
        {
            Ok(Answer::empty(StatusCode::METHOD_NOT_ALLOWED).with(header::ALLOW, "GET"))
        }
        ["v1", "changefeed"] => by_sequence(feed, &request.url),
        ["v2", "changefeed"] => by_time(feed, &request.url),
        ["v1" | "v2", "changefeed", "latest"] => latest(feed, &request.url),
        ["v1" | "v2", "studies", study, "series", series, "instances", instance, "metadata"] => {
            Ok(match feed.metadata([study, series, instance]) {
                Some(metadata) => Answer::json(StatusCode::OK, DICOM_JSON, &json!([metadata])),
                None => Answer::empty(StatusCode::NOT_FOUND),
            })
        }
        _ => Ok(Answer::empty(StatusCode::NOT_FOUND)),
    };
    answered.unwrap_or_else(|Invalid { name, said }| {
        let text = format!("The query parameter '{name}' is invalid. {said}");
        Answer::text(StatusCode::BAD_REQUEST, &text)
    })
}

/// A parameter with a value that it cannot have.
struct Invalid {
    name: &'static str,
    said: String,
}

fn invalid(name: &'static str, said: impl Into<String>) -> Invalid {
    Invalid { name, said: said.into() }
}

/// Those whose sequence is in `offset < sequence <= offset + limit`.
fn by_sequence(feed: &Feed, url: &Url) -> Result<Answer, Invalid> {
    let (offset, limit) = (number(url, "offset", 0..=MAX_OFFSET, 0)?, number(url, "limit", 1..=100, 10)?);
    let metadata = flag(url)?;
    let page = offset..offset.saturating_add(limit);
    let wanted = (0..feed.len()).filter(|index| page.contains(&(sequence(*index) - 1)));
    let entries: Vec<_> = wanted.map(|index| feed.entry(index, metadata)).collect();
    Ok(Answer::json(StatusCode::OK, JSON, &json!(entries)))
}

/// Those in `startTime <= timestamp < endTime`, of which `offset` are passed over and `limit` taken.
fn by_time(feed: &Feed, url: &Url) -> Result<Answer, Invalid> {
    let (offset, limit) = (number(url, "offset", 0..=MAX_OFFSET, 0)?, number(url, "limit", 1..=200, 100)?);
    let metadata = flag(url)?;
    let start = time(url, "startTime")?.unwrap_or(i128::MIN);
    let end = time(url, "endTime")?.unwrap_or(i128::MAX);
    if end <= start {
        return Err(invalid("endTime", "It must be after the start time."));
    }
    let wanted =
        (0..feed.len()).filter(|index| (start..end).contains(&(i128::from(seconds(*index)) * NANOS)));
    let entries: Vec<_> = wanted.skip(offset).take(limit).map(|index| feed.entry(index, metadata)).collect();
    Ok(Answer::json(StatusCode::OK, JSON, &json!(entries)))
}

fn latest(feed: &Feed, url: &Url) -> Result<Answer, Invalid> {
    let metadata = flag(url)?;
    Ok(match feed.len().checked_sub(1) {
        Some(last) => Answer::json(StatusCode::OK, JSON, &feed.entry(last, metadata)),
        // Not written down anywhere, but what ASP.NET makes of an answer that is null.
        None => Answer::empty(StatusCode::NO_CONTENT),
    })
}

/// The value of a parameter whose name is written in any case; of the first one, where it stands twice.
fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
}

fn number(
    url: &Url,
    name: &'static str,
    allowed: RangeInclusive<usize>,
    default: usize,
) -> Result<usize, Invalid> {
    let Some(value) = parameter(url, name) else { return Ok(default) };
    let told = value.parse().ok().filter(|told| allowed.contains(told));
    told.ok_or_else(|| invalid(name, format!("It is a number, {} to {}.", allowed.start(), allowed.end())))
}

/// `includeMetadata`, which is true unless it is told otherwise.
fn flag(url: &Url) -> Result<bool, Invalid> {
    match parameter(url, "includeMetadata").unwrap_or_default().to_ascii_lowercase().as_str() {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(invalid("includeMetadata", "It is `true` or `false`.")),
    }
}

/// A time in nanoseconds since 1970. One that is left empty is not told.
fn time(url: &Url, name: &'static str) -> Result<Option<i128>, Invalid> {
    let Some(value) = parameter(url, name).filter(|value| !value.trim().is_empty()) else { return Ok(None) };
    match parse_rfc3339(&value) {
        Ok(time) => Ok(Some(time.unix_timestamp_nanos())),
        Err(_) => Err(invalid(name, "It is a time of RFC 3339, with a time zone whose `+` is encoded.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::answer::request;

    fn ask(changes: usize, path: &str) -> Answer {
        answer(&Feed::new(changes, Vec::new()), &request(&format!("GET {path}"), ""))
    }

    fn sequences(changes: usize, path: &str) -> Vec<u64> {
        let answer = ask(changes, path);
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        answer.value().as_array().unwrap().iter().map(|entry| entry["sequence"].as_u64().unwrap()).collect()
    }

    #[test]
    fn v1_pages_by_sequence_and_has_an_empty_page_in_the_middle() {
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
    fn v2_pages_by_position_and_a_short_page_is_the_end() {
        let all: Vec<u64> = (1..=12).chain(33..=45).collect();
        assert_eq!(sequences(25, "/v2/changefeed"), all);
        assert_eq!(sequences(25, "/v2/changefeed?offset=10&limit=10"), all[10..20]);
        assert_eq!(sequences(25, "/v2/changefeed?offset=20&limit=10"), all[20..]);
        assert_eq!(sequences(25, "/v2/changefeed?offset=25"), [0; 0]);
        assert_eq!(sequences(250, "/v2/changefeed").len(), 100);
        assert_eq!(sequences(250, "/V2/ChangeFeed?limit=200").len(), 200);
    }

    #[test]
    fn v2_starts_at_its_start_time_and_ends_before_its_end_time() {
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
    fn a_value_that_cannot_be_is_a_bad_request() {
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
            let answer = ask(25, path);
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        }
    }

    #[test]
    fn metadata_are_included_unless_told_otherwise() {
        for path in ["/v1/changefeed", "/v2/changefeed"] {
            for (query, included) in
                [("", true), ("?includemetadata=", true), ("?includeMetadata=FALSE", false)]
            {
                let entries = ask(1, &format!("{path}{query}")).value();
                assert_eq!(entries[0].get("metadata").is_some(), included, "{path}{query}");
            }
        }
    }

    #[test]
    fn the_latest_is_the_last_and_an_empty_feed_has_none() {
        for version in ["v1", "v2"] {
            let path = format!("/{version}/changefeed/latest");
            assert_eq!(ask(25, &path).value()["sequence"], 45);
            assert_eq!(sequences(0, &format!("/{version}/changefeed")), [0; 0]);
            // Likely, not known: a client should take an empty 200 for the same.
            assert_eq!(ask(0, &path).status, StatusCode::NO_CONTENT);
        }
    }

    #[test]
    fn the_metadata_of_an_instance_are_those_of_the_feed() {
        let entry = ask(1, "/v2/changefeed/latest").value();
        let path = "/v2/studies/2.25.1000000/series/2.25.2000000/instances/2.25.3000000/metadata";
        let answer = ask(1, path);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::OK, "application/dicom+json")
        );
        assert_eq!(answer.value(), json!([entry["metadata"]]));
        assert_eq!(ask(1, &path.replace("v2", "v1")).value(), answer.value());
        for other in [path.replace("2.25.2", "2.25.9"), path.replace("/metadata", ""), format!("{path}/x")] {
            assert_eq!(ask(1, &other).status, StatusCode::NOT_FOUND, "{other}");
        }
    }

    #[test]
    fn another_path_is_not_found_and_another_method_not_allowed() {
        for path in ["/", "/changefeed", "/v3/changefeed", "/v2/studies", "/v2/changefeed/first"] {
            assert_eq!(ask(1, path).status, StatusCode::NOT_FOUND, "{path}");
        }
        for line in ["POST /v1/changefeed", "HEAD /v2/changefeed/latest"] {
            let answer = answer(&Feed::new(1, Vec::new()), &request(line, ""));
            assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, "GET"));
        }
    }
}
