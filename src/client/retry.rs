//! The retry policy, as pure functions.
//!
//! A request that the service may have processed is retried only if it is idempotent (RFC 9110 section 9.2.2), because
//! a duplicated Patient is a clinical hazard.

use std::time::{Duration, SystemTime};

use azure_core::time::parse_rfc7231;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

const MAX_RETRIES: u32 = 3;
/// The maximum time between the first attempt and the start of the last one.
pub(super) const MAX_ELAPSED: Duration = Duration::from_secs(30);
/// The delay before the first retry if the service does not send one. It doubles with each retry.
const FIRST_DELAY: Duration = Duration::from_millis(500);

/// The conditions under which a request may be retried after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RetrySafety {
    /// Sending the request twice has the same effect as sending it once.
    Idempotent,
    /// Sending the request twice may have another effect, so it is retried only if the service did not process it.
    OnlyIfNotProcessed,
    /// The request may have started a long-running operation.
    Never,
}

/// Classifies a request. `marked_idempotent` is the caller's own statement.
pub(super) fn retry_safety(
    method: &Method,
    url: &Url,
    headers: &HeaderMap,
    marked_idempotent: bool,
) -> RetrySafety {
    if prefers_async(headers) {
        return RetrySafety::Never;
    }
    let idempotent = match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => true,
        // With a query, the request changes the resource that matches, which may be a different one the second time.
        Method::PUT | Method::DELETE => url.query().is_none(),
        // A FHIR search with POST only reads.
        Method::POST => url.path().ends_with("/_search"),
        _ => false,
    };
    if idempotent || marked_idempotent { RetrySafety::Idempotent } else { RetrySafety::OnlyIfNotProcessed }
}

/// Returns `true` if a `Prefer` header contains `respond-async` (RFC 7240 section 4.1), in any position and case.
fn prefers_async(headers: &HeaderMap) -> bool {
    const RESPOND_ASYNC: &[u8] = b"respond-async";
    let contains = |value: &HeaderValue| {
        value.as_bytes().windows(RESPOND_ASYNC.len()).any(|part| part.eq_ignore_ascii_case(RESPOND_ASYNC))
    };
    headers.get_all("prefer").iter().any(contains)
}

/// The kind of failure of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// No connection was made, so the service did not receive the request.
    NotConnected,
    /// The connection was lost or made no progress. The service may have processed the request.
    ConnectionLost,
    /// The stream of the request body failed, so another attempt could send another body.
    RequestBody,
    /// The request cannot be sent, and another attempt would fail in the same way.
    InvalidRequest,
    /// The service returned this status.
    Status(StatusCode),
}

/// Returns the delay before the next attempt, or `None` if the request must not be retried.
///
/// `retry_after` is the delay that the service asked for, `retries` the number of retries so far, `elapsed` the time
/// since the first attempt, and `jitter` a random number from 0 to 1.
pub(super) fn retry_delay(
    safety: RetrySafety,
    failure: FailureKind,
    retry_after: Option<Duration>,
    retries: u32,
    elapsed: Duration,
    jitter: f64,
) -> Option<Duration> {
    let not_processed = match failure {
        FailureKind::NotConnected => true,
        FailureKind::ConnectionLost => false,
        FailureKind::RequestBody | FailureKind::InvalidRequest => return None,
        FailureKind::Status(status) => match status.as_u16() {
            429 => true,
            408 | 500 | 502 | 503 | 504 => false,
            _ => return None,
        },
    };
    let allowed = match safety {
        RetrySafety::Idempotent => true,
        RetrySafety::OnlyIfNotProcessed => not_processed,
        RetrySafety::Never => false,
    };
    if !allowed || retries >= MAX_RETRIES {
        return None;
    }
    // Jitter prevents clients that were throttled together from retrying together. It never shortens `retry_after`.
    let delay = match retry_after {
        Some(delay) => delay.saturating_add(delay.min(FIRST_DELAY).mul_f64(jitter)),
        None => (FIRST_DELAY * 2_u32.saturating_pow(retries)).mul_f64(0.5 + jitter / 2.0),
    };
    (elapsed.saturating_add(delay) <= MAX_ELAPSED).then_some(delay)
}

/// Returns the delay that the service asks for.
///
/// The headers are, by precedence, `x-ms-retry-after-ms` and `retry-after-ms` in milliseconds, and `Retry-After`
/// (RFC 9110 section 10.2.3) in seconds or as a date. A value that cannot be parsed is ignored.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |name: &str| text(name)?.parse::<u64>().ok();
    let milliseconds = number("x-ms-retry-after-ms").or_else(|| number("retry-after-ms"));
    if let Some(milliseconds) = milliseconds {
        return Some(Duration::from_millis(milliseconds));
    }
    let value = text(header::RETRY_AFTER.as_str())?;
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = u64::try_from(parse_rfc7231(value).ok()?.unix_timestamp()).ok()?;
    let date = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(date))?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safety_of(method: &str, path: &str, prefer: Option<&str>, marked: bool) -> RetrySafety {
        let url = Url::parse("https://fhir.contoso.example/r4/").unwrap().join(path).unwrap();
        let prefer = prefer.map(|value| (http::HeaderName::from_static("prefer"), value.parse().unwrap()));
        retry_safety(&method.parse().unwrap(), &url, &prefer.into_iter().collect(), marked)
    }

    #[test]
    fn retry_safety_depends_on_method_query_and_prefer_header() {
        use RetrySafety::{Idempotent, Never, OnlyIfNotProcessed};
        for (method, path, prefer, marked, expected) in [
            ("GET", "Patient", None, false, Idempotent),
            ("GET", "Patient?name=x", None, false, Idempotent),
            ("HEAD", "Patient/1", None, false, Idempotent),
            ("OPTIONS", "", None, false, Idempotent),
            ("PUT", "Patient/1", None, false, Idempotent),
            ("PUT", "Patient?identifier=1", None, false, OnlyIfNotProcessed),
            ("PUT", "Patient?", None, false, OnlyIfNotProcessed),
            ("DELETE", "Patient/1", None, false, Idempotent),
            ("DELETE", "Patient?name=x", None, false, OnlyIfNotProcessed),
            ("POST", "Patient", None, false, OnlyIfNotProcessed),
            ("POST", "", None, false, OnlyIfNotProcessed),
            ("POST", "Patient/_search", None, false, Idempotent),
            ("POST", "_search", None, false, Idempotent),
            ("POST", "Patient/_search?_count=1", None, false, Idempotent),
            ("POST", "Patient/x_search", None, false, OnlyIfNotProcessed),
            ("POST", "Patient?x=/_search", None, false, OnlyIfNotProcessed),
            ("PATCH", "Patient/1", None, false, OnlyIfNotProcessed),
            ("PATCH", "Patient/1", None, true, Idempotent),
            ("POST", "Patient", None, true, Idempotent),
            ("PURGE", "Patient/1", None, false, OnlyIfNotProcessed),
            ("GET", "$export", Some("respond-async"), false, Never),
            ("GET", "$export", Some("return=minimal, Respond-Async; wait=10"), true, Never),
            ("GET", "$export", Some("respond-async=true"), true, Never),
            ("GET", "$export", Some("respond-async; note=\"é\""), true, Never),
            ("PUT", "Patient/1", Some("return=minimal"), false, Idempotent),
        ] {
            assert_eq!(
                safety_of(method, path, prefer, marked),
                expected,
                "{method} {path} {prefer:?} {marked}"
            );
        }
    }

    #[test]
    fn failure_is_retried_only_if_it_is_transient_and_a_retry_is_safe() {
        use FailureKind::{ConnectionLost, InvalidRequest, NotConnected, RequestBody, Status};
        use RetrySafety::{Idempotent, Never, OnlyIfNotProcessed};
        let status = |status| Status(StatusCode::from_u16(status).unwrap());
        for (failure, if_idempotent, if_not_processed) in [
            (NotConnected, true, true),
            (ConnectionLost, true, false),
            (RequestBody, false, false),
            (InvalidRequest, false, false),
            (status(408), true, false),
            (status(429), true, true),
            (status(500), true, false),
            (status(502), true, false),
            (status(503), true, false),
            (status(504), true, false),
            (status(200), false, false),
            (status(404), false, false),
            (status(409), false, false),
            (status(412), false, false),
            (status(424), false, false),
            (status(501), false, false),
        ] {
            let retried = |safety| retry_delay(safety, failure, None, 0, Duration::ZERO, 0.5).is_some();
            assert_eq!(retried(Idempotent), if_idempotent, "{failure:?}");
            assert_eq!(retried(OnlyIfNotProcessed), if_not_processed, "{failure:?}");
            assert!(!retried(Never), "{failure:?}");
        }
    }

    #[test]
    fn retries_are_limited_in_number_and_time() {
        let delay = |retry_after: Option<u64>, retries, elapsed| {
            let failure = FailureKind::Status(StatusCode::SERVICE_UNAVAILABLE);
            let (retry_after, elapsed) = (retry_after.map(Duration::from_secs), Duration::from_secs(elapsed));
            retry_delay(RetrySafety::Idempotent, failure, retry_after, retries, elapsed, 1.0)
        };
        assert_eq!(delay(None, 0, 0), Some(Duration::from_millis(500)));
        assert_eq!(delay(None, 1, 1), Some(Duration::from_secs(1)));
        assert_eq!(delay(None, 2, 2), Some(Duration::from_secs(2)));
        assert_eq!(delay(None, 3, 3), None);
        assert_eq!(delay(None, 0, 30), None);
        assert_eq!(delay(Some(5), 0, 0), Some(Duration::from_millis(5_500)));
        assert_eq!(delay(Some(29), 0, 2), None);
        assert_eq!(delay(Some(86_400), 0, 0), None);
        assert_eq!(delay(Some(u64::MAX), 0, 0), None);
    }

    #[test]
    fn retry_after_is_read_from_three_headers() {
        // 2026-11-22T08:00:00Z
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_334_400);
        for (headers, expected) in [
            (&[][..], None),
            (&[("retry-after", "7")], Some(7_000)),
            (&[("retry-after", " 7 ")], Some(7_000)),
            (&[("retry-after", "Sun, 22 Nov 2026 08:00:09 GMT")], Some(9_000)),
            (&[("retry-after", "Sun, 22 Nov 2026 07:00:00 GMT")], Some(0)),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "99999999999999999999999")], None),
            (&[("retry-after-ms", "250"), ("retry-after", "7")], Some(250)),
            (&[("x-ms-retry-after-ms", "20"), ("retry-after-ms", "250"), ("retry-after", "7")], Some(20)),
            (&[("x-ms-retry-after-ms", "x"), ("retry-after", "7")], Some(7_000)),
        ] {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
                .collect();
            assert_eq!(retry_after(&map, now), expected.map(Duration::from_millis), "{headers:?}");
        }
    }
}
