//! What may be printed of foreign text, and what is read in it.

/// The longest audience, issuer or resource that is printed, in characters.
#[cfg(any(feature = "client", feature = "identity"))]
pub(crate) const LONG: usize = 200;
/// The longest id that is printed, in characters.
#[cfg(any(feature = "client", feature = "identity"))]
pub(crate) const SHORT: usize = 64;

/// `text` as it may stand in a line of a log: visible ASCII only, at most `limit` characters and `...`.
///
/// Everything else becomes `?`: control characters could forge a second line, bidirectional ones could show another
/// address than the one that is written, and blanks, quotes or back-ticks could end the quotation that the text stands in.
#[cfg(any(feature = "client", feature = "identity"))]
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(limit)
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '`' | '"') { c } else { '?' })
        .collect();
    if text.chars().nth(limit).is_some() {
        shown.push_str("...");
    }
    shown
}

/// Whether `text` has the shape of a GUID, with hyphens.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The tenant in the address of an authority or of an issuer: the first segment of its path, where that is a GUID.
///
/// A domain name, `common` or `organizations` gives `None`: they cannot be compared with a token's `tid`.
#[cfg(any(feature = "client", feature = "identity"))]
pub(crate) fn tenant_of(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    let first = url.path_segments()?.next()?;
    is_guid(first).then(|| first.to_ascii_lowercase())
}

#[cfg(all(test, any(feature = "client", feature = "identity")))]
mod tests {
    use super::*;

    #[test]
    fn only_visible_ascii_is_printed() {
        assert_eq!(printable("a\r\nb\u{202e}c`d\"e é\u{7f}", 99), "a??b?c?d?e???");
        assert_eq!(printable("https://x/?a=1", 99), "https://x/?a=1");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(printable("abcdef", 6), "abcdef");
        assert_eq!(printable("abcdefg", 6), "abcdef...");
    }

    #[test]
    fn a_tenant_is_read_from_an_authority_only_where_it_is_an_id() {
        const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        for address in [
            "https://login.microsoftonline.com/72F988BF-86f1-41af-91ab-2d7cd011db47",
            "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
            "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/",
        ] {
            assert_eq!(tenant_of(address).as_deref(), Some(TENANT));
        }
        for address in
            ["https://login.microsoftonline.com/common", "https://a/contoso.example", "72f9", "data:x"]
        {
            assert_eq!(tenant_of(address), None);
        }
        assert!(!is_guid("72f988bf-86f1-41af-91ab-2d7cd011db4g"));
        assert!(!is_guid("72f988bf086f1-41af-91ab-2d7cd011db47"));
    }
}
