//! Whether a request is sent again, as a pure function of what it is and what happened.
//!
//! A request that may have acted is not sent twice unless its method makes that harmless (RFC 9110 section 9.2.2):
//! a duplicated Patient is a clinical fault.

use std::time::{Duration, SystemTime};

use azure_core::time::parse_rfc7231;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

const MAX_RETRIES: u32 = 3;
/// From the first send to the last: who waits for the answer gets one within this time and one attempt more.
pub(super) const LONGEST: Duration = Duration::from_secs(30);
/// Before the first repeat, where the service does not say; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// What a second send of the same request could do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Safety {
    /// Nothing that the first has not.
    Repeatable,
    /// It could act again, so it is only sent where the first cannot have acted.
    OnlyIfNotProcessed,
    /// The first may have started work that goes on by itself.
    Never,
}

pub(super) fn safety(method: &Method, url: &Url, headers: &HeaderMap, told_repeatable: bool) -> Safety {
    if asks_for_async(headers) {
        return Safety::Never;
    }
    let harmless = match *method {
        Method::GET | Method::HEAD | Method::OPTIONS => true,
        // With a query it acts on whatever matches, and after the first time that can be something else.
        Method::PUT | Method::DELETE => url.query().is_none(),
        // A search by POST only reads, and keeps what it looks for out of URLs.
        Method::POST => url.path().ends_with("/_search"),
        _ => false,
    };
    if harmless || told_repeatable { Safety::Repeatable } else { Safety::OnlyIfNotProcessed }
}

/// `Prefer: respond-async` (RFC 7240 section 4.1), wherever it stands and whatever stands beside it.
fn asks_for_async(headers: &HeaderMap) -> bool {
    const ASYNC: &[u8] = b"respond-async";
    let asks = |value: &HeaderValue| {
        value.as_bytes().windows(ASYNC.len()).any(|part| part.eq_ignore_ascii_case(ASYNC))
    };
    headers.get_all("prefer").iter().any(asks)
}

/// How one attempt ended, where it did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No connection was made: the service has not seen the request.
    NotConnected,
    /// The connection broke or went quiet: nobody knows what the service has done.
    Broken,
    /// The body that the caller gave broke off: sent again, it would be another request.
    BrokenOff,
    /// Nothing was sent, and the next time it would be no different.
    Unsendable,
    /// The service answered.
    Answered(StatusCode),
}

/// How long to wait before the request is sent again, or `None` if it is not.
///
/// `repeats` counts those already made, `elapsed` is the time since the first send, `asked` what the service wants
/// to be waited, `draw` a number from 0 to 1.
pub(super) fn repeat_after(
    safety: Safety,
    outcome: Outcome,
    asked: Option<Duration>,
    repeats: u32,
    elapsed: Duration,
    draw: f64,
) -> Option<Duration> {
    let unseen = match outcome {
        Outcome::NotConnected => true,
        Outcome::Broken => false,
        Outcome::BrokenOff | Outcome::Unsendable => return None,
        Outcome::Answered(status) => match status.as_u16() {
            429 => true,
            408 | 500 | 502 | 503 | 504 => false,
            _ => return None,
        },
    };
    let allowed = match safety {
        Safety::Repeatable => true,
        Safety::OnlyIfNotProcessed => unseen,
        Safety::Never => false,
    };
    if !allowed || repeats >= MAX_RETRIES {
        return None;
    }
    // Not sooner than asked, and spread, so that those who were turned away together do not come back together.
    let wait = match asked {
        Some(asked) => asked.saturating_add(asked.min(FIRST_WAIT).mul_f64(draw)),
        None => (FIRST_WAIT * 2_u32.saturating_pow(repeats)).mul_f64(0.5 + draw / 2.0),
    };
    (elapsed.saturating_add(wait) <= LONGEST).then_some(wait)
}

/// What the service asks to be waited: `x-ms-retry-after-ms` before `retry-after-ms` before `Retry-After`
/// (RFC 9110 section 10.2.3), the last in seconds or as a date. What cannot be read counts as not said.
pub(super) fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
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
    let until = u64::try_from(parse_rfc7231(value).ok()?.unix_timestamp()).ok()?;
    let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(until))?;
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safety_of(method: &str, path: &str, prefer: Option<&str>, told: bool) -> Safety {
        let url = Url::parse("https://fhir.contoso.example/r4/").unwrap().join(path).unwrap();
        let prefer = prefer.map(|value| (http::HeaderName::from_static("prefer"), value.parse().unwrap()));
        safety(&method.parse().unwrap(), &url, &prefer.into_iter().collect(), told)
    }

    #[test]
    fn only_what_cannot_act_twice_is_repeatable() {
        use Safety::{Never, OnlyIfNotProcessed, Repeatable};
        for (method, path, prefer, told, expected) in [
            ("GET", "Patient", None, false, Repeatable),
            ("GET", "Patient?name=x", None, false, Repeatable),
            ("HEAD", "Patient/1", None, false, Repeatable),
            ("OPTIONS", "", None, false, Repeatable),
            ("PUT", "Patient/1", None, false, Repeatable),
            ("PUT", "Patient?identifier=1", None, false, OnlyIfNotProcessed),
            ("PUT", "Patient?", None, false, OnlyIfNotProcessed),
            ("DELETE", "Patient/1", None, false, Repeatable),
            ("DELETE", "Patient?name=x", None, false, OnlyIfNotProcessed),
            ("POST", "Patient", None, false, OnlyIfNotProcessed),
            ("POST", "", None, false, OnlyIfNotProcessed),
            ("POST", "Patient/_search", None, false, Repeatable),
            ("POST", "_search", None, false, Repeatable),
            ("POST", "Patient/_search?_count=1", None, false, Repeatable),
            ("POST", "Patient/x_search", None, false, OnlyIfNotProcessed),
            ("POST", "Patient?x=/_search", None, false, OnlyIfNotProcessed),
            ("PATCH", "Patient/1", None, false, OnlyIfNotProcessed),
            ("PATCH", "Patient/1", None, true, Repeatable),
            ("POST", "Patient", None, true, Repeatable),
            ("PURGE", "Patient/1", None, false, OnlyIfNotProcessed),
            ("GET", "$export", Some("respond-async"), false, Never),
            ("GET", "$export", Some("return=minimal, Respond-Async; wait=10"), true, Never),
            ("GET", "$export", Some("respond-async=true"), true, Never),
            ("GET", "$export", Some("respond-async; note=\"é\""), true, Never),
            ("PUT", "Patient/1", Some("return=minimal"), false, Repeatable),
        ] {
            assert_eq!(safety_of(method, path, prefer, told), expected, "{method} {path} {prefer:?} {told}");
        }
    }

    #[test]
    fn what_happened_decides_together_with_what_it_was() {
        use Outcome::{Answered, Broken, BrokenOff, NotConnected, Unsendable};
        use Safety::{Never, OnlyIfNotProcessed, Repeatable};
        let answered = |status| Answered(StatusCode::from_u16(status).unwrap());
        for (outcome, repeatable, unseen_only) in [
            (NotConnected, true, true),
            (Broken, true, false),
            (BrokenOff, false, false),
            (Unsendable, false, false),
            (answered(408), true, false),
            (answered(429), true, true),
            (answered(500), true, false),
            (answered(502), true, false),
            (answered(503), true, false),
            (answered(504), true, false),
            (answered(200), false, false),
            (answered(404), false, false),
            (answered(409), false, false),
            (answered(412), false, false),
            (answered(424), false, false),
            (answered(501), false, false),
        ] {
            let again = |safety| repeat_after(safety, outcome, None, 0, Duration::ZERO, 0.5).is_some();
            assert_eq!(again(Repeatable), repeatable, "{outcome:?}");
            assert_eq!(again(OnlyIfNotProcessed), unseen_only, "{outcome:?}");
            assert!(!again(Never), "{outcome:?}");
        }
    }

    #[test]
    fn repeats_are_bounded_in_number_and_in_time() {
        let busy = Outcome::Answered(StatusCode::SERVICE_UNAVAILABLE);
        let after = |asked: Option<u64>, repeats, elapsed| {
            let asked = asked.map(Duration::from_secs);
            repeat_after(Safety::Repeatable, busy, asked, repeats, Duration::from_secs(elapsed), 1.0)
        };
        assert_eq!(after(None, 0, 0), Some(Duration::from_millis(500)));
        assert_eq!(after(None, 1, 1), Some(Duration::from_secs(1)));
        assert_eq!(after(None, 2, 2), Some(Duration::from_secs(2)));
        assert_eq!(after(None, 3, 3), None);
        assert_eq!(after(None, 0, 30), None);
        assert_eq!(after(Some(5), 0, 0), Some(Duration::from_millis(5_500)));
        assert_eq!(after(Some(29), 0, 2), None);
        assert_eq!(after(Some(86_400), 0, 0), None);
        assert_eq!(after(Some(u64::MAX), 0, 0), None);
    }

    #[test]
    fn the_service_says_how_long_in_four_ways() {
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
            assert_eq!(asked(&map, now), expected.map(Duration::from_millis), "{headers:?}");
        }
    }
}
