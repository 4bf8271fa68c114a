//! [`Entry`] and [`Reply`]: an entry of a bundle, and the entry of the response.

use axum::body::Body;
use azure_core::time::parse_rfc7231;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, response::Parts};
use serde_json::Value;
use url::Url;

use super::super::{
    call::AssignedId,
    instant::instant,
    json::{Fields, Json},
    outcome::{FHIR_JSON, Issue, Outcome},
};

const IF_NONE_EXIST: HeaderName = HeaderName::from_static("if-none-exist");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The order in which entries are processed (`fhir-server BundleHandler.cs`, R4).
pub(super) const ORDER: [Method; 6] =
    [Method::DELETE, Method::POST, Method::PUT, Method::PATCH, Method::GET, Method::HEAD];

/// An entry of a `batch` or `transaction`.
pub(super) struct Entry {
    pub(super) full_url: Option<String>,
    /// `None` if the entry has no method, or one that FHIR does not know.
    pub(super) method: Option<Method>,
    pub(super) url: String,
    pub(super) if_none_exist: Option<String>,
    if_match: Option<String>,
    pub(super) resource: Option<Json>,
    /// The id that a transaction has assigned.
    pub(super) assigned_id: Option<String>,
}

impl Entry {
    pub(super) fn read(entry: &Json) -> Self {
        let request = |name: &str| {
            let text = entry.get("request").and_then(|request| request.get(name)).and_then(Json::as_str);
            text.filter(|text| !text.trim().is_empty())
        };
        let method = request("method").and_then(|method| method.parse().ok());
        Self {
            full_url: entry.get("fullUrl").and_then(Json::as_str).filter(|url| !url.trim().is_empty()),
            method: method.filter(|method| ORDER.contains(method)),
            url: request("url").unwrap_or_default(),
            if_none_exist: request("ifNoneExist"),
            if_match: request("ifMatch"),
            resource: entry.get("resource").cloned(),
            assigned_id: None,
        }
    }

    pub(super) fn resource_type(&self) -> Option<String> {
        self.resource.as_ref()?.get("resourceType")?.as_str()
    }

    /// Returns the request of this entry, or `None` if its URL is invalid.
    ///
    /// `ifNoneMatch` and `ifModifiedSince` have no effect, as the headers have none.
    pub(super) fn request(&self, method: &Method, origin: &str, outer: &HeaderMap) -> Option<Request<Body>> {
        // An absolute URL counts with its path only (`fhir-server BundleHandler.cs`).
        let url = Url::parse(&self.url).ok().filter(Url::has_host);
        let url =
            url.or_else(|| Url::parse(&format!("{origin}/{}", self.url.trim_start_matches('/'))).ok())?;
        let target =
            url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let (content_type, body) = self.content(method);
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = target.parse().ok()?;
        let headers = [
            (header::CONTENT_TYPE, content_type),
            (header::IF_MATCH, self.if_match.as_deref()),
            (IF_NONE_EXIST, self.if_none_exist.as_deref()),
        ];
        for (name, value) in headers {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                request.headers_mut().insert(name, value);
            }
        }
        if let Some(prefer) = outer.get(&PREFER) {
            request.headers_mut().insert(PREFER, prefer.clone());
        }
        if let Some(id) = &self.assigned_id {
            request.extensions_mut().insert(AssignedId(id.clone()));
        }
        Some(request)
    }

    /// Returns the content type and the body. A JSON Patch is the data of a Binary (`fhir-server BundleHandler.cs`).
    fn content(&self, method: &Method) -> (Option<&'static str>, Bytes) {
        let resource = || self.resource.as_ref().map(ToString::to_string).unwrap_or_default();
        match (method, self.resource_type().as_deref()) {
            (&Method::POST | &Method::PUT, _) | (&Method::PATCH, Some("Parameters")) => {
                (Some(FHIR_JSON), Bytes::from(resource()))
            }
            (&Method::PATCH, Some("Binary")) => {
                let text = |name: &str| self.resource.as_ref()?.get(name)?.as_str();
                let data = text("data").and_then(|data| STANDARD.decode(data.as_bytes()).ok());
                match text("contentType").as_deref() {
                    Some("application/json-patch+json") => {
                        (Some("application/json-patch+json"), data.unwrap_or_default().into())
                    }
                    _ => (None, Bytes::new()),
                }
            }
            _ => (None, Bytes::new()),
        }
    }
}

/// The result of an entry.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    location: Option<String>,
    etag: Option<String>,
    last_modified: Option<String>,
    resource: Option<Json>,
    outcome: Option<Json>,
}

impl Reply {
    pub(super) fn of(head: &Parts, body: &[u8]) -> Self {
        let header = |name: &HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        let last_modified = header(&header::LAST_MODIFIED).and_then(|value| parse_rfc7231(value).ok());
        let json = std::str::from_utf8(body).ok().and_then(|body| Json::parse(body).ok());
        let is_outcome = json.as_ref().and_then(|json| json.get("resourceType")?.as_str()).as_deref()
            == Some("OperationOutcome");
        let (resource, outcome) = if is_outcome { (None, json) } else { (json, None) };
        Self {
            status: head.status,
            location: header(&header::LOCATION).map(str::to_owned),
            etag: header(&header::ETAG).map(str::to_owned),
            last_modified: last_modified.map(instant),
            resource,
            outcome,
        }
    }

    /// Returns the result of an entry that no service has processed. Its outcome has no id.
    pub(super) fn of_outcome(outcome: &Outcome) -> Self {
        let mut value = outcome.value("", azure_core::time::OffsetDateTime::UNIX_EPOCH);
        if let Some(fields) = value.as_object_mut() {
            fields.remove("id");
        }
        Self {
            status: outcome.status(),
            location: None,
            etag: None,
            last_modified: None,
            resource: None,
            outcome: json_of(&value),
        }
    }

    /// Returns the issues of an error.
    pub(super) fn issues(&self) -> Vec<Issue> {
        let outcome = self.outcome.as_ref().map(Json::to_value).unwrap_or_default();
        let issues = outcome.get("issue").and_then(Value::as_array);
        issues.into_iter().flatten().map(Issue::read).collect()
    }

    /// Returns the entry of the response. The status has no reason phrase.
    pub(super) fn json(&self) -> Json {
        let mut response = Fields::default();
        response.set("status", Json::string(self.status.as_str()));
        let texts =
            [("location", &self.location), ("etag", &self.etag), ("lastModified", &self.last_modified)];
        for (name, text) in texts {
            if let Some(text) = text {
                response.set(name, Json::string(text));
            }
        }
        if let Some(outcome) = &self.outcome {
            response.set("outcome", outcome.clone());
        }
        let mut entry = Fields::default();
        if let Some(resource) = &self.resource {
            entry.set("resource", resource.clone());
        }
        entry.set("response", Json::Object(response));
        Json::Object(entry)
    }
}

fn json_of(value: &Value) -> Option<Json> {
    Json::parse(&value.to_string()).ok()
}
