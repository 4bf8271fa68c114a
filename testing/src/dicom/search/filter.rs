//! [`Filter`]: a condition on the value of an attribute.

use crate::fold::{fold, fold_case};

/// A condition on the value of an attribute.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// The text is equal, except for its case.
    Text(String),
    /// The name is equal, except for its case and accents.
    Name(String),
    /// Every word is the start of a part of the name.
    Words(Vec<String>),
    /// The date is in a range, including its ends.
    Dates { first: String, last: String },
}

impl Filter {
    pub(super) fn text(value: &str) -> Self {
        Self::Text(fold_case(value))
    }

    pub(super) fn name(value: &str) -> Self {
        Self::Name(fold(value))
    }

    pub(super) fn words(value: &str) -> Self {
        Self::Words(parts(&fold(value)).map(str::to_owned).collect())
    }

    /// Returns `true` if the value fulfills the condition.
    pub(super) fn matches(&self, value: &str) -> bool {
        match self {
            Self::Text(expected) => fold_case(value) == *expected,
            Self::Name(expected) => fold(value) == *expected,
            Self::Words(words) => {
                let value = fold(value);
                words.iter().all(|word| parts(&value).any(|part| part.starts_with(&**word)))
            }
            Self::Dates { first, last } => (first.as_str()..=last.as_str()).contains(&value),
        }
    }
}

fn parts(name: &str) -> impl Iterator<Item = &str> {
    name.split([' ', '^', '=', ',']).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_names_words_and_dates_match() {
        let dates =
            |first: &str, last: &str| Filter::Dates { first: first.to_owned(), last: last.to_owned() };
        for (filter, value, matches) in [
            (Filter::text("ct"), "CT", true),
            (Filter::text("C"), "CT", false),
            (Filter::text("é"), "e", false),
            (Filter::name("MULLER^a"), "Müller^A", true),
            (Filter::name("Müller"), "Müller^A", false),
            (Filter::words("joh"), "John^Doe", true),
            (Filter::words("jo do"), "John^Doe", true),
            (Filter::words("Doe^John"), "John^Doe", true),
            (Filter::words("ohn"), "John^Doe", false),
            (Filter::words("jo x"), "John^Doe", false),
            (dates("20240101", "20240131"), "20240131", true),
            (dates("20240101", "20240131"), "20240201", false),
            (dates("", "20240131"), "19000101", true),
        ] {
            assert_eq!(filter.matches(value), matches, "{filter:?} {value}");
        }
    }
}
