//! The text of search parameters: separators and escapes.

/// Splits a text at a separator that no backslash precedes (`fhir-server StringExtensions.cs`).
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut escaping = false;
    text.split(|c| {
        let escaped = escaping;
        escaping = !escaped && c == '\\';
        c == separator && !escaped
    })
    .collect()
}

/// Removes the backslashes before separators and backslashes (`fhir-server StringExtensions.cs`).
pub(super) fn unescape(text: &str) -> String {
    let text = text.replace("\\|", "|").replace("\\$", "$").replace("\\,", ",");
    text.replace("\\\\", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_after_a_backslash_do_not_split() {
        for (text, expected) in [
            ("a,b", &["a", "b"][..]),
            ("", &[""]),
            (",a,", &["", "a", ""]),
            ("a\\,b,c", &["a\\,b", "c"]),
            ("a\\\\,b", &["a\\\\", "b"]),
            ("a\\", &["a\\"]),
        ] {
            assert_eq!(split(text, ','), expected, "{text}");
        }
    }

    #[test]
    fn escaped_separators_become_plain() {
        for (text, expected) in [("a\\,b\\|c\\$d", "a,b|c$d"), ("a\\\\b", "a\\b"), ("a\\b", "a\\b")] {
            assert_eq!(unescape(text), expected);
        }
    }
}
