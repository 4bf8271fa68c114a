//! The routes of the change feed, in both API versions (`dicom-server ChangeFeedController.cs`).

use std::{ops::RangeInclusive, sync::Arc, time::SystemTime};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use azure_core::time::{OffsetDateTime, parse_rfc3339};
use http::{StatusCode, Uri};
use serde_json::Value;
use url::form_urlencoded;

use super::{
    feed::{Entry, Feed},
    reply,
    service::DicomService,
};

/// The largest offset: the maximum of a signed 64-bit integer.
const MAX_OFFSET: u64 = i64::MAX.unsigned_abs();

/// Returns the routes of the change feed.
pub(super) fn routes() -> Router<Arc<DicomService>> {
    let page = |page: PageFn| {
        get(async move |State(service): State<Arc<DicomService>>, uri: Uri| respond(&service, &uri, page))
    };
    Router::new()
        .route("/v1/changefeed", page(by_sequence))
        .route("/v2/changefeed", page(by_time))
        .route("/v1/changefeed/latest", page(latest_by_sequence))
        .route("/v2/changefeed/latest", page(latest_by_time))
}

type PageFn = fn(&[Entry<'_>], &Query<'_>) -> Result<Value, InvalidParameter>;

fn respond(service: &DicomService, uri: &Uri, page: PageFn) -> Response {
    // Read the clock before locking, because a test's clock may call a method of the fake server.
    let now = service.clock.now();
    let store = service.store();
    page_of(&store.feed, now, uri.query().unwrap_or_default(), page)
}

fn page_of(feed: &Feed, now: SystemTime, query: &str, page: PageFn) -> Response {
    match page(&feed.visible(now), &Query(query)) {
        // ASP.NET sends 204 for a response that is null, as `latest` is for an empty feed.
        Ok(Value::Null) => StatusCode::NO_CONTENT.into_response(),
        Ok(value) => reply::json(&value),
        Err(InvalidParameter { name, message }) => {
            let text = format!("The query parameter '{name}' is invalid. {message}");
            reply::text(StatusCode::BAD_REQUEST, text)
        }
    }
}

/// Returns the changes with `offset < sequence <= offset + limit` (`GetChangeFeedV39.sql`).
fn by_sequence(visible: &[Entry<'_>], query: &Query<'_>) -> Result<Value, InvalidParameter> {
    let offset = query.number("offset", 0..=MAX_OFFSET, 0)?;
    let end = offset.saturating_add(query.number("limit", 1..=100, 10)?);
    let metadata = query.includes_metadata()?;
    let selected = visible.iter().filter(|entry| offset < entry.sequence() && entry.sequence() <= end);
    Ok(selected.map(|entry| entry.to_json(metadata)).collect())
}

/// Returns at most `limit` changes with `startTime <= timestamp < endTime`, after skipping `offset` of them
/// (`GetChangeFeedByTimeV39.sql`).
fn by_time(visible: &[Entry<'_>], query: &Query<'_>) -> Result<Value, InvalidParameter> {
    let offset = query.number("offset", 0..=MAX_OFFSET, 0)?;
    let limit = query.number("limit", 1..=200, 100)?;
    let metadata = query.includes_metadata()?;
    let (start, end) = (query.time("startTime")?, query.time("endTime")?);
    if let (Some(start), Some(end)) = (start, end)
        && end <= start
    {
        return Err(invalid("endTime", "It must be after the start time."));
    }
    let mut selected: Vec<_> = visible
        .iter()
        .filter(|entry| {
            let time = OffsetDateTime::from(entry.timestamp());
            start.is_none_or(|start| start <= time) && end.is_none_or(|end| time < end)
        })
        .collect();
    // The entries are in the order of their sequence numbers, which remains for equal timestamps.
    selected.sort_by_key(|entry| entry.timestamp());
    let [offset, limit] = [offset, limit].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    Ok(selected.into_iter().skip(offset).take(limit).map(|entry| entry.to_json(metadata)).collect())
}

/// Returns the change with the highest sequence number, or `null`.
fn latest_by_sequence(visible: &[Entry<'_>], query: &Query<'_>) -> Result<Value, InvalidParameter> {
    let metadata = query.includes_metadata()?;
    Ok(visible.last().map_or(Value::Null, |entry| entry.to_json(metadata)))
}

/// Returns the change with the latest timestamp, or `null`.
fn latest_by_time(visible: &[Entry<'_>], query: &Query<'_>) -> Result<Value, InvalidParameter> {
    let metadata = query.includes_metadata()?;
    let latest = visible.iter().max_by_key(|entry| (entry.timestamp(), entry.sequence()));
    Ok(latest.map_or(Value::Null, |entry| entry.to_json(metadata)))
}

/// A query parameter with an invalid value.
struct InvalidParameter {
    name: &'static str,
    message: String,
}

fn invalid(name: &'static str, message: impl Into<String>) -> InvalidParameter {
    InvalidParameter { name, message: message.into() }
}

/// The query of a request. The names of its parameters are case-insensitive.
struct Query<'a>(&'a str);

impl Query<'_> {
    /// Returns the value of the first parameter with this name.
    fn parameter(&self, name: &str) -> Option<String> {
        let mut parameters = form_urlencoded::parse(self.0.as_bytes());
        parameters.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.into_owned())
    }

    fn number(
        &self,
        name: &'static str,
        allowed: RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, InvalidParameter> {
        let Some(value) = self.parameter(name) else { return Ok(default) };
        let number = value.parse().ok().filter(|number| allowed.contains(number));
        number.ok_or_else(|| {
            invalid(name, format!("It must be a number from {} to {}.", allowed.start(), allowed.end()))
        })
    }

    /// Returns the value of `includeMetadata`, which defaults to `true`.
    fn includes_metadata(&self) -> Result<bool, InvalidParameter> {
        match self.parameter("includeMetadata").unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(invalid("includeMetadata", "It must be `true` or `false`.")),
        }
    }

    /// Returns a time, or `None` if the parameter is missing or empty. A time needs an offset
    /// (`MandatoryTimeZoneBinder.cs`).
    fn time(&self, name: &'static str) -> Result<Option<OffsetDateTime>, InvalidParameter> {
        let Some(value) = self.parameter(name).filter(|value| !value.trim().is_empty()) else {
            return Ok(None);
        };
        match parse_rfc3339(&value) {
            Ok(time) => Ok(Some(time)),
            Err(_) => Err(invalid(
                name,
                "It must be a time in RFC 3339 format with an offset, in which `+` is encoded.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, time::Duration};

    use serde_json::json;

    use super::{
        super::change::{ChangeTiming, FakeChange},
        *,
    };

    /// Returns a feed with `count` synthetic changes.
    fn synthetic(count: usize) -> Feed {
        let mut feed = Feed::default();
        for index in 0..count {
            let instance = format!("2.25.{index}");
            feed.record_synthetic(FakeChange::create(["2.25", "2.25", &instance]).metadata(&json!({"a": 1})));
        }
        feed
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Returns the status and the JSON body of the response to a path with a query.
    fn send(feed: &Feed, target: &str) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let page: PageFn = match path {
            "/v1/changefeed" => by_sequence,
            "/v2/changefeed" => by_time,
            "/v1/changefeed/latest" => latest_by_sequence,
            "/v2/changefeed/latest" => latest_by_time,
            _ => panic!("{path}"),
        };
        let response = page_of(feed, at(2_000_000_000), query, page);
        let status = response.status().as_u16();
        if status == 400 {
            assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
        }
        let value = page(&feed.visible(at(2_000_000_000)), &Query(query)).unwrap_or(Value::Null);
        (status, value)
    }

    fn sequences(feed: &Feed, target: &str) -> Vec<u64> {
        let (status, value) = send(feed, target);
        assert_eq!(status, 200, "{target}");
        value.as_array().unwrap().iter().map(|entry| entry["sequence"].as_u64().unwrap()).collect()
    }

    #[test]
    fn v1_pages_by_sequence_number_and_has_an_empty_page() {
        let feed = synthetic(25);
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
            assert_eq!(sequences(&feed, &format!("/v1/changefeed{query}")), expected, "{query}");
        }
    }

    #[test]
    fn v2_pages_by_offset_and_ends_with_a_short_page() {
        let feed = synthetic(25);
        let all: Vec<u64> = (1..=12).chain(33..=45).collect();
        assert_eq!(sequences(&feed, "/v2/changefeed"), all);
        assert_eq!(sequences(&feed, "/v2/changefeed?offset=10&limit=10"), all[10..20]);
        assert_eq!(sequences(&feed, "/v2/changefeed?offset=20&limit=10"), all[20..]);
        assert_eq!(sequences(&feed, "/v2/changefeed?offset=25"), [0; 0]);
        let feed = synthetic(250);
        assert_eq!(sequences(&feed, "/v2/changefeed").len(), 100);
        assert_eq!(sequences(&feed, "/v2/changefeed?limit=200").len(), 200);
    }

    #[test]
    fn v2_start_time_is_inclusive_and_end_time_exclusive() {
        let feed = synthetic(25);
        for (query, expected) in [
            ("startTime=2024-01-01T08:01:00Z&endTime=2024-01-01T08:03:00Z", vec![2, 3]),
            ("endTime=2024-01-01T08:01:00Z", vec![1]),
            ("endTime=2024-01-01T08:01:00.0000001Z", vec![1, 2]),
            ("startTime=2024-01-01T09:01:00%2B01:00&limit=1", vec![2]),
            ("startTime=2024-01-01T08:01:00Z&offset=1&limit=1", vec![3]),
            ("startTime=&endtime=2024-01-01T08:01:00-00:00", vec![1]),
            ("startTime=2030-01-01T00:00:00Z", vec![]),
        ] {
            assert_eq!(sequences(&feed, &format!("/v2/changefeed?{query}")), expected, "{query}");
        }
    }

    #[test]
    fn invalid_parameters_get_400() {
        let feed = synthetic(1);
        for target in [
            "/v1/changefeed?limit=0",
            "/v1/changefeed?limit=101",
            "/v1/changefeed?offset=-1",
            "/v1/changefeed?offset=",
            "/v1/changefeed?offset=9223372036854775808",
            "/v2/changefeed?limit=201",
            "/v2/changefeed?includemetadata=1",
            "/v2/changefeed/latest?includeMetadata=no",
            "/v2/changefeed?startTime=2024-01-01T08:01:00",
            "/v2/changefeed?startTime=2024-01-01T08:01:00+00:00",
            "/v2/changefeed?startTime=2024-01-01T08:01:00Z&endTime=2024-01-01T08:01:00Z",
        ] {
            assert_eq!(send(&feed, target).0, 400, "{target}");
        }
    }

    #[test]
    fn metadata_is_included_by_default() {
        for path in ["/v1/changefeed", "/v2/changefeed"] {
            for (query, included) in
                [("", true), ("?includemetadata=", true), ("?includeMetadata=FALSE", false)]
            {
                let (_, entries) = send(&synthetic(1), &format!("{path}{query}"));
                assert_eq!(entries[0].get("metadata").is_some(), included, "{path}{query}");
            }
        }
    }

    #[test]
    fn latest_of_an_empty_feed_is_no_content() {
        for version in ["v1", "v2"] {
            assert_eq!(sequences(&Feed::default(), &format!("/{version}/changefeed")), [0; 0]);
            assert_eq!(send(&Feed::default(), &format!("/{version}/changefeed/latest")).0, 204);
        }
    }

    #[test]
    fn latest_is_the_highest_sequence_number_in_v1_and_the_latest_time_in_v2() {
        let mut feed = Feed::default();
        feed.record(at(100), FakeChange::create(["1", "1", "1"]));
        feed.set_next_timing(ChangeTiming::new().started_before(Duration::from_secs(50)));
        feed.record(at(110), FakeChange::create(["1", "1", "2"]));
        feed.set_next_timing(ChangeTiming::new().visible_after(Duration::from_secs(3_000_000_000)));
        feed.record(at(120), FakeChange::create(["1", "1", "3"]));
        let latest =
            |version: &str| send(&feed, &format!("/{version}/changefeed/latest")).1["sequence"].clone();
        assert_eq!((latest("v1"), latest("v2")), (json!(2), json!(1)));
    }

    #[test]
    fn changes_with_equal_timestamps_are_ordered_by_sequence_number() {
        let mut feed = Feed::default();
        for (time, instance) in [(200, "1"), (100, "2"), (200, "3"), (100, "4")] {
            feed.record(at(time), FakeChange::create(["1", "1", instance]));
        }
        assert_eq!(sequences(&feed, "/v2/changefeed"), [2, 4, 1, 3]);
        assert_eq!(sequences(&feed, "/v1/changefeed"), [1, 2, 3, 4]);
        assert_eq!(sequences(&feed, "/v2/changefeed?offset=1&limit=2"), [4, 1]);
    }

    #[test]
    fn pages_of_both_versions_cover_each_visible_change_once() {
        // A fixed mixture of gaps, ties, early starts and late commits.
        for seed in 0..200_u64 {
            let mut feed = Feed::default();
            let mut state = seed;
            let mut next = |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % below
            };
            for index in 0..30 {
                let timing = ChangeTiming::new()
                    .skip_sequences(if next(4) == 0 { next(40) } else { 0 })
                    .started_before(Duration::from_secs(next(3)));
                feed.set_next_timing(timing);
                feed.record(at(1_000 + index / 3), FakeChange::create(["1", "1", &index.to_string()]));
            }
            let all: BTreeSet<_> = feed.visible(at(5_000)).iter().map(Entry::sequence).collect();
            let limit = 1 + next(7);

            let mut by_offset = Vec::new();
            loop {
                let page =
                    sequences(&feed, &format!("/v2/changefeed?offset={}&limit={limit}", by_offset.len()));
                by_offset.extend(&page);
                if page.len() < usize::try_from(limit).unwrap() {
                    break;
                }
            }
            assert_eq!((by_offset.len(), by_offset.into_iter().collect::<BTreeSet<_>>()), (30, all.clone()));

            let latest = all.last().copied().unwrap();
            let offsets = (0..=latest).step_by(usize::try_from(limit).unwrap());
            let pages = offsets.map(|offset| format!("/v1/changefeed?offset={offset}&limit={limit}"));
            let by_number: Vec<_> = pages.flat_map(|target| sequences(&feed, &target)).collect();
            assert_eq!(by_number, all.into_iter().collect::<Vec<_>>(), "seed {seed}");
        }
    }
}
