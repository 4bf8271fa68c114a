//! The fake blob storage that contains the files of an export.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use azure_core::time::{OffsetDateTime, to_rfc7231};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

const VERSION: HeaderName = HeaderName::from_static("x-ms-version");
const RANGE: HeaderName = HeaderName::from_static("x-ms-range");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
const BLOB_TYPE: HeaderName = HeaderName::from_static("x-ms-blob-type");

/// The first version of the storage service that accepts tokens (Azure documentation
/// `authorize-with-azure-active-directory.md`).
const FIRST_VERSION_WITH_TOKENS: &str = "2017-11-09";

/// The content of the storage: files by their path, such as `/container/folder/Patient-1.ndjson`.
#[derive(Default)]
pub(crate) struct Storage(Mutex<BTreeMap<String, File>>);

#[derive(Clone)]
struct File {
    content: Bytes,
    modified: OffsetDateTime,
}

impl Storage {
    /// Adds or replaces a file.
    pub(crate) fn put(&self, path: &str, content: impl Into<Bytes>, now: OffsetDateTime) {
        self.files().insert(path.to_owned(), File { content: content.into(), modified: now });
    }

    fn get(&self, path: &str) -> Option<File> {
        self.files().get(path).cloned()
    }

    fn has_container(&self, path: &str) -> bool {
        let container = path.split('/').nth(1).unwrap_or_default();
        let prefix = format!("/{container}/");
        self.files().range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix))
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, File>> {
        // A panic in another thread cannot leave the files inconsistent, because every change is one insertion.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn router(storage: Arc<Storage>) -> Router {
    Router::new().fallback(respond).with_state(storage)
}

async fn respond(State(storage): State<Arc<Storage>>, request: Request) -> Response {
    let path = request.uri().path();
    match *request.method() {
        Method::GET | Method::HEAD if request.uri().query().is_some() => {
            unsupported("operations with a query")
        }
        Method::GET | Method::HEAD => read(&storage, path, request.headers()),
        _ => unsupported("requests other than `GET` and `HEAD`"),
    }
}

/// *Get Blob* and *Get Blob Properties* (Azure documentation `rest/api/storageservices/get-blob`).
fn read(storage: &Storage, path: &str, headers: &HeaderMap) -> Response {
    // Versions are dates, which compare as text. The default version is an old one.
    let version = headers.get(VERSION).and_then(|version| version.to_str().ok());
    if version.is_none_or(|version| version < FIRST_VERSION_WITH_TOKENS) {
        let message = "The request needs the header `x-ms-version` with a version that accepts tokens.";
        return error(StatusCode::FORBIDDEN, "AuthenticationFailed", message);
    }
    let Some(file) = storage.get(path) else {
        return if storage.has_container(path) {
            error(StatusCode::NOT_FOUND, "BlobNotFound", "The file does not exist.")
        } else {
            error(StatusCode::NOT_FOUND, "ContainerNotFound", "The container does not exist.")
        };
    };
    let (status, content, content_range) = match range(headers) {
        Some((first, last)) => {
            let length = file.content.len();
            let end = last.map_or(length, |last| last.saturating_add(1).min(length));
            if first >= length || first >= end {
                let message = "The range is outside of the file.";
                return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message);
            }
            let content_range = format!("bytes {first}-{}/{length}", end - 1);
            (StatusCode::PARTIAL_CONTENT, file.content.slice(first..end), Some(content_range))
        }
        None => (StatusCode::OK, file.content, None),
    };
    let mut response = (status, content).into_response();
    let headers = response.headers_mut();
    set(headers, header::CONTENT_TYPE, "application/octet-stream");
    set(headers, header::ACCEPT_RANGES, "bytes");
    set(headers, header::LAST_MODIFIED, &to_rfc7231(&file.modified));
    set(headers, header::ETAG, &format!("\"0x{:X}\"", file.modified.unix_timestamp_nanos() / 100));
    set(headers, BLOB_TYPE, "BlockBlob");
    set(headers, VERSION, version.unwrap_or_default());
    if let Some(content_range) = content_range {
        set(headers, header::CONTENT_RANGE, &content_range);
    }
    response
}

/// Returns the first and the last byte of the requested range. `x-ms-range` takes precedence over `Range` (Azure
/// documentation `specifying-the-range-header-for-blob-service-operations`).
fn range(headers: &HeaderMap) -> Option<(usize, Option<usize>)> {
    let value = headers.get(RANGE).or_else(|| headers.get(header::RANGE))?.to_str().ok()?;
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
    Some((first.parse().ok()?, last))
}

/// Returns the response to a request that is rejected before the storage processes it.
///
/// The codes are those of the storage service for tokens (Azure documentation
/// `rest/api/storageservices/common-rest-api-error-codes`).
pub(crate) fn error_response(status: StatusCode) -> Response {
    match status {
        StatusCode::UNAUTHORIZED => {
            error(status, "InvalidAuthenticationInfo", "The storage rejected the token.")
        }
        StatusCode::FORBIDDEN => {
            error(status, "AuthorizationPermissionMismatch", "The token has no role that allows the request.")
        }
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            error(status, "ServerBusy", "The storage is busy.")
        }
        _ => error(status, "InternalError", status.canonical_reason().unwrap_or("Unknown status")),
    }
}

fn unsupported(feature: &str) -> Response {
    let message = format!("The fake storage does not support {feature}.");
    let mut response = error(StatusCode::NOT_IMPLEMENTED, "NotImplemented", &message);
    response.extensions_mut().insert(crate::context::Unsupported);
    response
}

/// Returns an error in XML, which starts with a byte order mark as that of the real service does.
fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut response = (status, body).into_response();
    set(response.headers_mut(), header::CONTENT_TYPE, "application/xml");
    set(response.headers_mut(), ERROR_CODE, code);
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;

    use super::*;

    async fn send(line: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, String) {
        let storage = Storage::default();
        storage.put("/exports/1/Patient-1.ndjson", "0123456789", OffsetDateTime::UNIX_EPOCH);
        let (method, target) = line.split_once(' ').unwrap();
        let mut request = http::Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = router(Arc::new(storage)).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (head.status.as_u16(), head.headers, String::from_utf8(body.into()).unwrap())
    }

    const V: (&str, &str) = ("x-ms-version", "2021-08-06");

    #[tokio::test]
    async fn file_is_returned_with_its_properties() {
        let (status, headers, body) = send("GET /exports/1/Patient-1.ndjson", &[V]).await;
        assert_eq!((status, body.as_str()), (200, "0123456789"));
        for (name, value) in [
            ("content-type", "application/octet-stream"),
            ("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT"),
            ("accept-ranges", "bytes"),
            ("x-ms-blob-type", "BlockBlob"),
        ] {
            assert_eq!(headers[name], value);
        }
    }

    #[tokio::test]
    async fn range_selects_a_part_of_the_file() {
        for (name, range, status, expected, content_range) in [
            ("range", "bytes=2-4", 206, "234", Some("bytes 2-4/10")),
            ("x-ms-range", "bytes=8-", 206, "89", Some("bytes 8-9/10")),
            ("range", "bytes=5-100", 206, "56789", Some("bytes 5-9/10")),
            ("range", "bytes=x", 200, "0123456789", None),
        ] {
            let (found, headers, body) = send("GET /exports/1/Patient-1.ndjson", &[V, (name, range)]).await;
            assert_eq!((found, body.as_str()), (status, expected), "{range}");
            assert_eq!(headers.get("content-range").map(|value| value.to_str().unwrap()), content_range);
        }
        for range in ["bytes=10-", "bytes=4-2"] {
            assert_eq!(
                send("GET /exports/1/Patient-1.ndjson", &[V, ("range", range)]).await.0,
                416,
                "{range}"
            );
        }
    }

    #[tokio::test]
    async fn token_needs_a_version_of_the_service_that_accepts_tokens() {
        for headers in [&[][..], &[("x-ms-version", "2015-02-21")]] {
            let (status, headers, _) = send("GET /exports/1/Patient-1.ndjson", headers).await;
            assert_eq!(
                (status, &headers["x-ms-error-code"]),
                (403, &"AuthenticationFailed".parse().unwrap())
            );
        }
    }

    #[tokio::test]
    async fn errors_are_xml_with_a_code() {
        for (line, status, code) in [
            ("GET /exports/1/Other-1.ndjson", 404, "BlobNotFound"),
            ("GET /exports", 404, "BlobNotFound"),
            ("GET /other/1/Patient-1.ndjson", 404, "ContainerNotFound"),
            ("PUT /exports/1/Patient-1.ndjson", 501, "NotImplemented"),
            ("GET /exports?restype=container&comp=list", 501, "NotImplemented"),
        ] {
            let (found, headers, body) = send(line, &[V]).await;
            assert_eq!((found, headers["x-ms-error-code"].to_str().unwrap()), (status, code), "{line}");
            assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
        }
        for (status, code) in [(401, "InvalidAuthenticationInfo"), (403, "AuthorizationPermissionMismatch")] {
            let response = error_response(StatusCode::from_u16(status).unwrap());
            assert_eq!(response.headers()["x-ms-error-code"], code);
        }
    }
}
