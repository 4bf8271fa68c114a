//! [`Answer`]: what is said to one request, before it goes on the wire.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

/// Status, headers and body, and what happens to them on the way.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// How long the service takes over it.
    pub(super) delay: Duration,
    /// Whether the connection is closed in the middle of it.
    pub(super) cut: bool,
}

impl Answer {
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Vec::new(), delay: Duration::ZERO, cut: false }
    }

    pub(super) fn text(status: StatusCode, text: &str) -> Self {
        Self { body: text.into(), ..Self::empty(status) }.with(CONTENT_TYPE, "text/plain; charset=utf-8")
    }

    pub(super) fn json(status: StatusCode, content_type: &str, value: &Value) -> Self {
        Self { body: value.to_string().into_bytes(), ..Self::empty(status) }.with(CONTENT_TYPE, content_type)
    }

    /// Sets a header. What is not visible ASCII in the value becomes a `?`: some of it comes out of tokens.
    pub(super) fn with(mut self, name: HeaderName, value: &str) -> Self {
        let visible = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        if let Ok(value) = HeaderValue::try_from(value.chars().map(visible).collect::<String>()) {
            self.headers.insert(name, value);
        }
        self
    }
}

#[cfg(test)]
impl Answer {
    /// The body, read as JSON.
    pub(super) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The header `name`. Empty where there is none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The request of a line such as `GET /Patient`, with a body and no headers.
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
    fn a_header_takes_any_text() {
        let answer = Answer::empty(StatusCode::OK).with(CONTENT_TYPE, "a\r\nb\u{e9}\0 ~");
        assert_eq!(answer.header("content-type"), "a??b?? ~");
    }
}
