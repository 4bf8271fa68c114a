//! Checks values by their value representation (PS3.5 §6.2).

use dicom_core::{
    VR,
    value::deserialize::{parse_date, parse_time_partial},
};

use super::uid;

/// Returns what is wrong with a text. An empty one is always valid.
pub(super) fn value_problem(vr: VR, value: &str) -> Option<&'static str> {
    let value = value.trim_end_matches([' ', '\0']);
    if value.is_empty() {
        return None;
    }
    let (is_valid, reason) = match vr {
        VR::DA => (is_date(value), "The value is not a date such as 20240131."),
        VR::TM => (is_time(value), "The value is not a time such as 235959.999999."),
        VR::UI => (uid::is_valid(value), "The value is not a UID."),
        VR::CS => (
            value.len() <= 16
                && value.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b" _".contains(&b)),
            "The value is not a code of at most 16 uppercase letters, digits, spaces and underscores.",
        ),
        // The converter to JSON turns valid numbers into numbers.
        VR::IS | VR::DS => (false, "The value is not a number."),
        VR::SH => (value.chars().count() <= 16, "The value has more than 16 characters."),
        VR::LO | VR::PN => (value.chars().count() <= 64, "The value has more than 64 characters."),
        _ => (true, ""),
    };
    (!is_valid).then_some(reason)
}

/// Returns `true` for a date in the format `YYYYMMDD`.
pub(super) fn is_date(text: &str) -> bool {
    // The parser ignores what follows.
    text.len() == 8 && parse_date(text.as_bytes()).is_ok()
}

/// Returns `true` for a time in the format `HH[MM[SS[.F{1,6}]]]`.
fn is_time(text: &str) -> bool {
    parse_time_partial(text.as_bytes()).is_ok_and(|(_, rest)| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_must_fit_its_value_representation() {
        let long = "a".repeat(65);
        for (vr, value, valid) in [
            (VR::DA, "20240229", true),
            (VR::DA, "20230229", false),
            (VR::DA, "19000229", false),
            (VR::DA, "20000229", true),
            (VR::DA, "20241301", false),
            (VR::DA, "20240100", false),
            (VR::DA, "2024013", false),
            (VR::DA, "202401311", false),
            (VR::TM, "235960.999999", true),
            (VR::TM, "235959.9", true),
            (VR::TM, "23", true),
            (VR::TM, "2360", false),
            (VR::TM, "2359.1", false),
            (VR::TM, "23595", false),
            (VR::TM, "235959.9999999", false),
            (VR::UI, "1.2 ", true),
            (VR::UI, "1.2a", false),
            (VR::CS, "MR_1 A", true),
            (VR::CS, "mr", false),
            (VR::CS, "AAAAAAAAAAAAAAAAA", false),
            (VR::IS, "seven", false),
            (VR::SH, "aaaaaaaaaaaaaaaa", true),
            (VR::SH, "aaaaaaaaaaaaaaaaa", false),
            (VR::LO, &long, false),
            (VR::PN, &long[1..], true),
            (VR::LT, &long, true),
        ] {
            assert_eq!(value_problem(vr, value).is_none(), valid, "{vr} {value}");
        }
        for vr in [VR::DA, VR::TM, VR::UI, VR::IS] {
            assert_eq!(value_problem(vr, " \0"), None, "{vr}");
        }
    }
}
