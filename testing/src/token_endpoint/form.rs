//! [`Form`]: the parameters of a token request.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

/// The parameters of a token request, including the client credentials in its `Authorization` header.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads the body if its `Content-Type` is that of a form, and the credentials of the scheme `Basic` (RFC 6749
    /// §2.3.1).
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let mut parameters = Vec::new();
        if is_form(headers) {
            parameters.extend(form_urlencoded::parse(body).into_owned());
        }
        if let Some((client, secret)) = basic(headers) {
            parameters.push(("client_id".to_owned(), client));
            parameters.push(("client_secret".to_owned(), secret));
        }
        Self(parameters)
    }

    /// Returns the first parameter with this name. An empty one counts as missing.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let first = self.0.iter().find(|(other, _)| other == name);
        first.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credentials) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let credentials = String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?;
    let (client, secret) = credentials.split_once(':')?;
    // Both are encoded like the values of a form.
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    Some((decode(client), decode(secret)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn body_is_read_only_with_the_content_type_of_a_form() {
        for (media_type, expected) in [
            ("application/x-www-form-urlencoded", Some("a b")),
            ("Application/X-WWW-Form-URLEncoded; charset=utf-8", Some("a b")),
            ("application/json", None),
            ("", None),
        ] {
            let form = Form::read(&headers(&[("content-type", media_type)]), b"scope=a+b&scope=c&empty=");
            assert_eq!((form.get("scope"), form.get("empty")), (expected, None), "{media_type}");
        }
    }

    #[test]
    fn basic_credentials_are_percent_encoded_and_follow_those_in_the_body() {
        let basic = |credentials: &str| format!("bASIC {}", STANDARD.encode(credentials));
        for (value, expected) in [
            (basic("id:a%2Bb+c"), (Some("id"), Some("a+b c"))),
            (basic("id:a:b"), (Some("id"), Some("a:b"))),
            (basic("id"), (None, None)),
            ("Basic ?".to_owned(), (None, None)),
            ("Bearer eyJ".to_owned(), (None, None)),
        ] {
            let form = Form::read(&headers(&[("authorization", &value)]), b"");
            assert_eq!((form.get("client_id"), form.get("client_secret")), expected, "{value}");
        }
        let both = headers(&[
            ("authorization", &basic("id:header")),
            ("content-type", "application/x-www-form-urlencoded"),
        ]);
        assert_eq!(Form::read(&both, b"client_secret=body").get("client_secret"), Some("body"));
    }
}
