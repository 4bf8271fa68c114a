//! Reads `Accept` and `Content-Type` headers.

use http::{HeaderMap, HeaderName};
use mime::Mime;

/// Returns the media types in all headers with this name, or `None` if one of them is invalid.
pub(super) fn parse_all(headers: &HeaderMap, name: HeaderName) -> Option<Vec<Mime>> {
    let mut media_types = Vec::new();
    for value in headers.get_all(name) {
        let list = value.to_str().ok()?;
        for item in split(list).into_iter().map(str::trim).filter(|item| !item.is_empty()) {
            media_types.push(parse(item)?);
        }
    }
    Some(media_types)
}

/// Parses a media type. A semicolon at its end is ignored, as in ASP.NET.
pub(super) fn parse(text: &str) -> Option<Mime> {
    text.trim_matches([' ', '\t', ';']).parse().ok()
}

/// Returns the value of a parameter without quotes.
pub(super) fn parameter<'a>(media_type: &'a Mime, name: &str) -> Option<&'a str> {
    media_type.get_param(name).map(|value| value.as_str())
}

/// Splits a list at commas outside quotes.
fn split(list: &str) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    list.split(|c| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == ',' && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::ACCEPT};

    use super::*;

    fn parsed(values: &[&str]) -> Option<Vec<String>> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let media_types = parse_all(&headers, ACCEPT)?;
        let text = |m: &Mime| {
            format!(
                "{} {} {}",
                m.essence_str(),
                parameter(m, "type").unwrap_or("-"),
                parameter(m, "q").unwrap_or("-")
            )
        };
        Some(media_types.iter().map(text).collect())
    }

    #[test]
    fn lists_quotes_and_parameters_are_read() {
        for (values, expected) in [
            (&[][..], &[][..]),
            (&[""], &[]),
            (&["*/*"], &["*/* - -"]),
            (&["a/b, c/d;q=0.5", "e/f"], &["a/b - -", "c/d - 0.5", "e/f - -"]),
            (&["application/dicom;"], &["application/dicom - -"]),
            (
                &["multipart/related; type=\"application/dicom, x\" ;q=1"],
                &["multipart/related application/dicom, x 1"],
            ),
            (&["Multipart/Related; TYPE=\"application/dicom\""], &["multipart/related application/dicom -"]),
            (&["application/dicom; transfer-syntax=*"], &["application/dicom - -"]),
        ] {
            let expected: Vec<_> = expected.iter().map(|&text| text.to_owned()).collect();
            assert_eq!(parsed(values), Some(expected), "{values:?}");
        }
    }

    #[test]
    fn invalid_media_types_are_detected() {
        for value in ["a", "a/b c", "a/b; type=\"x", "a/b, c", "a/b; =x", "a/b; type=c/d", "\u{e9}/b"] {
            assert_eq!(parsed(&[value]), None, "{value}");
        }
    }
}
