//! The text of search parameters: separators, escapes and folding.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

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

/// Returns a text that is equal for texts that differ only in case and accents, as in the database's collation
/// `Latin1_General_100_CI_AI_SC` (`fhir-server StringSearchParam.sql`).
pub(super) fn fold(text: &str) -> String {
    text.nfd().filter(|&c| !is_combining_mark(c)).flat_map(char::to_lowercase).collect()
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

    #[test]
    fn folded_text_has_neither_case_nor_accents() {
        for (text, expected) in
            [("Müller", "muller"), ("MU\u{308}LLER", "muller"), ("Éxàmplé", "example"), ("a b-1", "a b-1")]
        {
            assert_eq!(fold(text), expected);
        }
    }
}
