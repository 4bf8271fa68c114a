//! Spans of time in words.

use std::time::Duration;

/// A span of time as a person says it: `40 s`, `3 min`, `5 h`, `12 d`; rounded down.
pub(crate) fn span(time: Duration) -> String {
    const UNITS: [(u64, u64, &str); 3] = [(90, 1, "s"), (90 * 60, 60, "min"), (48 * 3600, 3600, "h")];
    let seconds = time.as_secs();
    for (below, unit, name) in UNITS {
        if seconds < below {
            return format!("{} {name}", seconds / unit);
        }
    }
    format!("{} d", seconds / 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_change_their_unit_at_the_edges() {
        for (seconds, words) in [
            (0, "0 s"),
            (89, "89 s"),
            (90, "1 min"),
            (180, "3 min"),
            (5_399, "89 min"),
            (5_400, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), words);
        }
    }
}
