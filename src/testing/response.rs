//! [`FakeResponse`]: a response before it is sent.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

/// A response and the way in which it is sent.
#[derive(Clone, Debug)]
pub(super) struct FakeResponse {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// The time to wait before the response is sent.
    pub(super) delay: Duration,
    /// Set if the connection is closed in the middle of the response.
    pub(super) truncated: bool,
}

impl FakeResponse {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Vec::new(), delay: Duration::ZERO, truncated: false }
    }

    pub(super) fn text(status: StatusCode, text: &str) -> Self {
        Self { body: text.into(), ..Self::empty(status) }.with(CONTENT_TYPE, "text/plain; charset=utf-8")
    }

    pub(super) fn json(status: StatusCode, content_type: &str, value: &Value) -> Self {
        Self { body: value.to_string().into_bytes(), ..Self::empty(status) }.with(CONTENT_TYPE, content_type)
    }

    /// Sets a header. Characters other than printable ASCII become `?`, because some values contain parts of a token.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        if let Ok(value) = HeaderValue::try_from(value.chars().map(printable).collect::<String>()) {
            self.headers.insert(name, value);
        }
        self
    }
}

#[cfg(test)]
impl FakeResponse {
    /// Returns the body as JSON.
    pub(super) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the header `name`, or an empty string if there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Returns the request for a line such as `GET /Patient`, with a body and no headers.
#[cfg(test)]
pub(super) fn request(line: &str, body: &str) -> wiremock::Request {
    let (method, target) = line.split_once(' ').unwrap();
    wiremock::Request {
        url: format!("http://localhost{target}").parse().unwrap(),
        method: method.parse().unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unprintable_characters_in_header_values_become_question_marks() {
        let response = FakeResponse::empty(StatusCode::OK).with(CONTENT_TYPE, "a\r\nb\u{e9}\0 ~");
        assert_eq!(response.header("content-type"), "a??b?? ~");
    }
}
