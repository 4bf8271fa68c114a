//! [`instant`], [`partial_instant`]: the times of FHIR.

use std::time::SystemTime;

use azure_core::time::{Duration, OffsetDateTime, parse_rfc3339};

/// Converts to a time with the precision of the store, a millisecond (`fhir-server ResourceSurrogateIdHelper.cs`).
///
/// A time that [`OffsetDateTime`] cannot represent becomes the Unix epoch.
pub(crate) fn from_system_time(time: SystemTime) -> OffsetDateTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since = i64::try_from(since.as_millis()).map(Duration::milliseconds).unwrap_or_default();
    OffsetDateTime::UNIX_EPOCH.checked_add(since).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// Formats a time as `meta.lastUpdated`: in UTC, without trailing zeros in the fraction
/// (`fhir-server SqlServerFhirDataStore.cs`).
pub(crate) fn instant(time: OffsetDateTime) -> String {
    let (date, month) = (time.date(), u8::from(time.month()));
    let (hour, minute, second) = time.time().as_hms();
    let fraction = match time.millisecond() {
        0 => String::new(),
        milliseconds => format!(".{milliseconds:03}").trim_end_matches('0').to_owned(),
    };
    format!(
        "{:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}{fraction}+00:00",
        date.year(),
        date.day()
    )
}

/// Returns the start of the period that a FHIR date, partial date or instant denotes.
pub(crate) fn partial_instant(text: &str) -> Option<OffsetDateTime> {
    const START: &str = "0000-01-01T00:00:00Z";
    let rest = if [4, 7, 10].contains(&text.len()) { START.get(text.len()..)? } else { "" };
    parse_rfc3339(&format!("{text}{rest}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_milliseconds_without_trailing_zeros() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00+00:00"),
            (1_704_096_000_000, "2024-01-01T08:00:00+00:00"),
            (1_704_096_000_120, "2024-01-01T08:00:00.12+00:00"),
            (1_704_096_000_007, "2024-01-01T08:00:00.007+00:00"),
        ] {
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(milliseconds);
            let precise = time + std::time::Duration::from_micros(999);
            assert_eq!(instant(from_system_time(precise)), expected);
            assert_eq!(partial_instant(expected), Some(from_system_time(time)));
        }
    }

    #[test]
    fn times_out_of_range_become_the_epoch() {
        let before = SystemTime::UNIX_EPOCH - std::time::Duration::from_secs(1);
        let far = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1 << 40);
        for time in [before, far] {
            assert_eq!(from_system_time(time), OffsetDateTime::UNIX_EPOCH);
        }
    }

    #[test]
    fn partial_dates_denote_their_start() {
        for (text, expected) in [
            ("2024", Some("2024-01-01T00:00:00+00:00")),
            ("2024-02", Some("2024-02-01T00:00:00+00:00")),
            ("2024-02-03", Some("2024-02-03T00:00:00+00:00")),
            ("2024-02-03T04:05:06Z", Some("2024-02-03T04:05:06+00:00")),
            ("2024-02-30", None),
            ("yesterday", None),
            ("", None),
            ("é24", None),
        ] {
            assert_eq!(partial_instant(text).map(instant).as_deref(), expected, "{text}");
        }
    }
}
