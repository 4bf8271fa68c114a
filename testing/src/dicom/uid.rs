//! The UIDs of a study, a series and an instance.

/// Returns `true` if the text is a UID that the service accepts, also in a path (`dicom-server UidValidation.cs`).
pub(super) fn is_valid(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && text.ends_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uid_has_digits_and_periods_and_ends_with_a_digit() {
        for valid in ["1", "1.2.840.10008", "0.01", ".1", &"1".repeat(64)] {
            assert!(is_valid(valid), "{valid}");
        }
        for invalid in ["", "1.", "1/2", "1-2", "a", "1 ", "١", &"1".repeat(65)] {
            assert!(!is_valid(invalid), "{invalid}");
        }
    }
}
