//! Texts that are equal except for their case and accents.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Returns a text that is equal for texts that differ only in case and accents, as in the database's collation
/// `Latin1_General_100_CI_AI_SC` of both services (`fhir-server StringSearchParam.sql`).
pub(crate) fn fold(text: &str) -> String {
    text.nfd().filter(|&c| !is_combining_mark(c)).flat_map(char::to_lowercase).collect()
}

/// Returns a text that is equal for texts that differ only in case.
pub(crate) fn fold_case(text: &str) -> String {
    text.nfc().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_text_has_neither_case_nor_accents() {
        for (text, expected) in
            [("Müller", "muller"), ("MU\u{308}LLER", "muller"), ("Éxàmplé", "example"), ("a b-1", "a b-1")]
        {
            assert_eq!(fold(text), expected);
        }
    }

    #[test]
    fn text_with_folded_case_keeps_its_accents() {
        assert_eq!(fold_case("MU\u{308}LLER"), fold_case("Müller"));
        assert_ne!(fold_case("Muller"), fold_case("Müller"));
    }
}
