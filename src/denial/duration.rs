//! Durations in messages.

use std::time::Duration;

/// Formats a duration with one unit, rounded down: `less than 1 s`, `40 s`, `3 min`, `5 h`, `12 d`.
pub(super) fn format_duration(duration: Duration) -> String {
    const UNITS: [(u64, u64, &str); 3] = [(90, 1, "s"), (90 * 60, 60, "min"), (48 * 3600, 3600, "h")];
    let seconds = duration.as_secs();
    if seconds == 0 {
        return "less than 1 s".to_owned();
    }
    for (limit, unit, name) in UNITS {
        if seconds < limit {
            return format!("{} {name}", seconds / unit);
        }
    }
    format!("{} d", seconds / 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_duration_switches_units_at_the_limits() {
        for (seconds, expected) in [
            (0, "less than 1 s"),
            (1, "1 s"),
            (89, "89 s"),
            (90, "1 min"),
            (180, "3 min"),
            (5_399, "89 min"),
            (5_400, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(format_duration(Duration::from_secs(seconds)), expected);
        }
    }
}
