//! GUIDs, such as the ids of tenants and applications.

/// Returns `true` for 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12 with hyphens between them.
pub(crate) fn is_guid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guid_has_five_groups_of_hexadecimal_digits() {
        for (text, expected) in [
            ("0a1b2c3d-0000-4000-8000-5741d1000002", true),
            ("0A1B2C3D-0000-4000-8000-5741D1000002", true),
            ("0a1b2c3d00004000-8000-5741d1000002", false),
            ("0a1b2c3d-0000-4000-8000-5741d100000x", false),
            ("contoso.onmicrosoft.com", false),
            ("", false),
        ] {
            assert_eq!(is_guid(text), expected, "{text}");
        }
    }
}
