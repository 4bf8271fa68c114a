//! [`FakeResponse`]: a response before it is sent.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;
use url::Url;

/// A request whose body is complete.
pub(crate) struct Request {
    pub(crate) url: Url,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) id: String,
}

impl Request {
    pub(crate) async fn read(origin: &str, request: axum::extract::Request) -> Self {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        Self {
            url: Url::parse(&format!("{origin}{target}")).unwrap(),
            id: head.extensions.get::<crate::context::RequestId>().map_or("", |id| &id.0).to_owned(),
            method: head.method,
            headers: head.headers,
            body: http_body_util::BodyExt::collect(body).await.unwrap().to_bytes().into(),
        }
    }
}

impl axum::response::IntoResponse for FakeResponse {
    fn into_response(self) -> axum::response::Response {
        let mut response = axum::response::Response::new(self.body.into());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// A response and the way in which it is sent.
#[derive(Clone, Debug)]
pub(crate) struct FakeResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl FakeResponse {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Vec::new() }
    }

    pub(crate) fn text(status: StatusCode, text: &str) -> Self {
        Self { body: text.into(), ..Self::empty(status) }.with(CONTENT_TYPE, "text/plain; charset=utf-8")
    }

    pub(crate) fn json(status: StatusCode, content_type: &str, value: &Value) -> Self {
        Self { body: value.to_string().into_bytes(), ..Self::empty(status) }.with(CONTENT_TYPE, content_type)
    }

    /// Sets a header. Characters other than printable ASCII become `?`, because some values contain parts of a token.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
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
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Returns the header `name`, or an empty string if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Returns the request for a line such as `GET /Patient`, with a body and no headers.
#[cfg(test)]
pub(crate) fn request(line: &str, body: &str) -> Request {
    let (method, target) = line.split_once(' ').unwrap();
    Request {
        url: format!("http://localhost{target}").parse().unwrap(),
        method: method.parse().unwrap(),
        headers: HeaderMap::new(),
        body: body.into(),
        id: "id".to_owned(),
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
