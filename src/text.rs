//! Safe printing of text from other parties, and the ids in it.

/// The maximum length of an audience, issuer or resource in messages, in characters.
#[cfg(any(feature = "client", feature = "identity"))]
pub(crate) const MAX_RESOURCE_LEN: usize = 200;
/// The maximum length of an id in messages, in characters.
#[cfg(any(feature = "client", feature = "identity"))]
pub(crate) const MAX_ID_LEN: usize = 64;

/// Returns `text` in a form that is safe in a log line: visible ASCII, at most `limit` characters, then `...`.
///
/// Other characters become `?`, because control characters could start another line, bidirectional characters could
/// display a different URL, and spaces, quotes or backticks could end the quotation.
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

/// Returns `true` if `text` is a GUID with hyphens.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Returns the tenant in the URL of an authority or issuer: the first segment of its path, if that is a GUID.
///
/// Domain names, `common` and `organizations` return `None`, because they cannot be compared with a token's `tid`.
#[cfg(any(feature = "client", feature = "identity"))]
pub(crate) fn tenant_of(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    let first = url.path_segments()?.next()?;
    is_guid(first).then(|| first.to_ascii_lowercase())
}

#[cfg(all(test, any(feature = "client", feature = "identity")))]
mod tests {
    use super::*;

    #[test]
    fn characters_outside_visible_ascii_are_replaced() {
        assert_eq!(printable("a\r\nb\u{202e}c`d\"e é\u{7f}", 99), "a??b?c?d?e???");
        assert_eq!(printable("https://x/?a=1", 99), "https://x/?a=1");
    }

    #[test]
    fn long_text_is_truncated_with_dots() {
        assert_eq!(printable("abcdef", 6), "abcdef");
        assert_eq!(printable("abcdefg", 6), "abcdef...");
    }

    #[test]
    fn tenant_is_returned_only_if_it_is_a_guid() {
        const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
        for url in [
            "https://login.microsoftonline.com/72F988BF-86f1-41af-91ab-2d7cd011db47",
            "https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0",
            "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/",
        ] {
            assert_eq!(tenant_of(url).as_deref(), Some(TENANT));
        }
        for url in ["https://login.microsoftonline.com/common", "https://a/contoso.example", "72f9", "data:x"]
        {
            assert_eq!(tenant_of(url), None);
        }
        assert!(!is_guid("72f988bf-86f1-41af-91ab-2d7cd011db4g"));
        assert!(!is_guid("72f988bf086f1-41af-91ab-2d7cd011db47"));
    }
}
