//! [`Period`]: a date or time with its precision, and how searches compare it.

use azure_core::time::{OffsetDateTime, parse_rfc3339};

/// The first and the last moment of a date or time, in units of 100 ns since the Unix epoch (`fhir-server
/// DateTimeSearchValue.cs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) start: i128,
    pub(crate) end: i128,
}

/// A prefix of a searched date (FHIR R4, *Search*, *Prefixes*).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparator {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

impl Period {
    /// Parses a year, a month, a day, or a time with minutes, seconds or up to seven decimals (`fhir-server
    /// PartialDateTime.cs`). A time without an offset is in UTC.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // .NET has no year 0.
        if text.starts_with("0000") {
            return None;
        }
        let (date, time) = text.split_once('T').map_or((text, None), |(date, time)| (date, Some(time)));
        let Some(time) = time else {
            let [first, last]: [&[&str]; 2] = match date {
                _ if has_shape(date, "0000") => [&["-01-01"], &["-12-31"]],
                _ if has_shape(date, "0000-00") => [&["-01"], &["-31", "-30", "-29", "-28"]],
                _ if has_shape(date, "0000-00-00") => [&[""], &[""]],
                _ => return None,
            };
            let day =
                |rest: &[&str], time| rest.iter().find_map(|rest| ticks(&format!("{date}{rest}T{time}Z")));
            return Some(Self { start: day(first, "00:00:00")?, end: day(last, LAST_TICK)? });
        };
        let (clock, offset) = match time.find(['Z', '+', '-']) {
            Some(index) => time.split_at_checked(index)?,
            None => (time, "Z"),
        };
        let offset_is_valid = offset == "Z" || has_shape(offset, "+00:00") || has_shape(offset, "-00:00");
        if !has_shape(date, "0000-00-00") || !offset_is_valid {
            return None;
        }
        let at = |clock: &str| ticks(&format!("{date}T{clock}{offset}"));
        if has_shape(clock, "00:00") {
            return Some(Self {
                start: at(&format!("{clock}:00"))?,
                end: at(&format!("{clock}:59.9999999"))?,
            });
        }
        let (whole, fraction) =
            clock.split_once('.').map_or((clock, None), |(whole, rest)| (whole, Some(rest)));
        // .NET has no leap seconds.
        if !has_shape(whole, "00:00:00") || whole.ends_with("60") {
            return None;
        }
        match fraction {
            None => Some(Self { start: at(whole)?, end: at(&format!("{whole}.9999999"))? }),
            Some(digits) => {
                let is_valid =
                    (1..=7).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
                let moment = at(clock).filter(|_| is_valid)?;
                Some(Self { start: moment, end: moment })
            }
        }
    }

    pub(crate) fn start_time(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(self.start.checked_mul(NANOS)?).ok()
    }

    /// A period that has ended when it started.
    pub(crate) fn at(time: OffsetDateTime) -> Self {
        let moment = time.unix_timestamp_nanos() / NANOS;
        Self { start: moment, end: moment }
    }

    /// A FHIR period, of which a missing start or end is unlimited (`fhir-server
    /// PeriodToDateTimeSearchValueConverter.cs`).
    pub(super) fn between(start: Option<&str>, end: Option<&str>) -> Option<Self> {
        Some(Self {
            start: start.map_or(Some(i128::MIN), |start| Some(Self::parse(start)?.start))?,
            end: end.map_or(Some(i128::MAX), |end| Some(Self::parse(end)?.end))?,
        })
    }
}

const LAST_TICK: &str = "23:59:59.9999999";
/// The nanoseconds of a unit.
const NANOS: i128 = 100;

fn ticks(text: &str) -> Option<i128> {
    parse_rfc3339(text).ok().map(|time| time.unix_timestamp_nanos() / NANOS)
}

/// Returns `true` if the text equals the shape, in which `0` is any digit.
fn has_shape(text: &str, shape: &str) -> bool {
    let mut bytes = text.bytes().zip(shape.bytes());
    text.len() == shape.len()
        && bytes.all(|(byte, shape)| if shape == b'0' { byte.is_ascii_digit() } else { byte == shape })
}

impl Comparator {
    /// Splits a value into its comparator and the rest.
    pub(super) fn split(text: &str) -> (Self, &str) {
        const ALL: [(&str, Comparator); 9] = [
            ("eq", Comparator::Eq),
            ("ne", Comparator::Ne),
            ("gt", Comparator::Gt),
            ("lt", Comparator::Lt),
            ("ge", Comparator::Ge),
            ("le", Comparator::Le),
            ("sa", Comparator::Sa),
            ("eb", Comparator::Eb),
            ("ap", Comparator::Ap),
        ];
        let found =
            ALL.iter().find_map(|(prefix, comparator)| Some((*comparator, text.strip_prefix(prefix)?)));
        found.unwrap_or((Self::Eq, text))
    }

    /// Returns `true` if the value of a resource matches (`fhir-server SearchValueExpressionBuilderHelper.cs`).
    pub(super) fn matches(self, value: Period, searched: Period, now: i128) -> bool {
        match self {
            Self::Eq => value.start >= searched.start && value.end <= searched.end,
            Self::Ne => value.start < searched.start || value.end > searched.end,
            Self::Lt => value.start < searched.start,
            Self::Gt => value.end > searched.end,
            Self::Le => value.start <= searched.end,
            Self::Ge => value.end >= searched.start,
            Self::Sa => value.start > searched.end,
            Self::Eb => value.end < searched.start,
            Self::Ap => {
                // A tenth of the time from the searched date until now. It is negative for a date in the future.
                let tolerance = (now - searched.start.max(searched.end)) / 10;
                value.start <= searched.end + tolerance && value.end >= searched.start - tolerance
            }
        }
    }
}

/// Returns a moment in units of 100 ns since the Unix epoch.
pub(super) fn moment(time: OffsetDateTime) -> i128 {
    Period::at(time).start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> Period {
        Period::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn partial_dates_last_until_the_end_of_their_unit() {
        for (text, start, end) in [
            ("2023", "2023-01-01T00:00:00.0000000Z", "2023-12-31T23:59:59.9999999Z"),
            ("9999", "9999-01-01T00:00:00.0Z", "9999-12-31T23:59:59.9999999Z"),
            ("2024-02", "2024-02-01T00:00:00.0Z", "2024-02-29T23:59:59.9999999Z"),
            ("2023-02", "2023-02-01T00:00:00.0Z", "2023-02-28T23:59:59.9999999Z"),
            ("2024-04-05", "2024-04-05T00:00:00.0Z", "2024-04-05T23:59:59.9999999Z"),
            ("2024-04-05T06:07", "2024-04-05T06:07:00.0Z", "2024-04-05T06:07:59.9999999Z"),
            ("2024-04-05T06:07:08", "2024-04-05T06:07:08.0Z", "2024-04-05T06:07:08.9999999Z"),
            ("2024-04-05T06:07:08.12Z", "2024-04-05T06:07:08.12Z", "2024-04-05T06:07:08.12Z"),
            ("2024-04-05T06:07:08+02:00", "2024-04-05T04:07:08.0Z", "2024-04-05T04:07:08.9999999Z"),
        ] {
            assert_eq!(period(text), Period { start: period(start).start, end: period(end).end }, "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "24",
            "0000",
            "2024-1",
            "2024-13",
            "2023-02-29",
            "2024-04-05T",
            "2024-04-05T06",
            "2024-04T06:07",
            "2024-04-05T06:07:60Z",
            "2024-04-05T06:07:08.Z",
            "2024-04-05T06:07:08.12345678Z",
            // A plus sign in a query is a space.
            "2024-04-05T06:07:08 02:00",
            "2024-04-05 06:07:08",
            "2024-04-05T06:07:08z",
            "2024-04-05T06:07:08+02",
            "yesterday",
            "é",
        ] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }

    #[test]
    fn comparators_consider_the_precision_of_both_dates() {
        let now = period("2024-01-01").start;
        for (searched, value, expected) in [
            ("1980-05", "1980-05-17", true),
            ("1980-05", "1980", false),
            ("eq1980-05-17", "1980-05-17", true),
            ("ne1980-05", "1980-05-17", false),
            ("ne1980-05", "1980", true),
            ("gt1980", "1980-12-31", false),
            ("gt1980-05", "1980", true),
            ("lt1980-05", "1980", true),
            ("lt1980", "1980-01-01", false),
            ("ge1980", "1980-01-01", true),
            ("ge1981", "1980-12-31", false),
            ("le1980", "1980-12-31", true),
            ("le1979", "1980-01-01", false),
            ("sa1980", "1980-12-31", false),
            ("sa1980", "1981", true),
            ("sa1980-05", "1980", false),
            ("eb1981", "1980", true),
            ("eb1980-05", "1980", false),
            // 44 years ago: four years in both directions.
            ("ap1980", "1984", true),
            ("ap1980", "1976", true),
            ("ap1980", "1986", false),
            ("ap1980", "1974", false),
            ("ap2023-12-31", "2024-02-01", false),
        ] {
            let (comparator, rest) = Comparator::split(searched);
            assert_eq!(comparator.matches(period(value), period(rest), now), expected, "{searched} {value}");
        }
    }

    #[test]
    fn fhir_period_may_be_open() {
        let [open, closed] =
            [Period::between(Some("2024"), None), Period::between(Some("2024"), Some("2025-01"))];
        assert_eq!(open, Some(Period { start: period("2024").start, end: i128::MAX }));
        assert_eq!(closed, Some(Period { start: period("2024").start, end: period("2025-01").end }));
        assert_eq!(Period::between(None, None), Some(Period { start: i128::MIN, end: i128::MAX }));
        assert_eq!(Period::between(None, Some("x")), None);
    }
}
