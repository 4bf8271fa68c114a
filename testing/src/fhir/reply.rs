//! [`resource`], [`bundle`]: successful responses.

use axum::response::{IntoResponse, Response};
use azure_core::time::to_rfc7231;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{outcome::FHIR_JSON, resource::Resource};

/// Returns a response that contains FHIR JSON.
pub(crate) fn json(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, FHIR_JSON)], text).into_response()
}

/// Returns a response that contains a resource, with its version and time (`fhir-server FhirResultExtensions.cs`).
pub(crate) fn resource(status: StatusCode, resource: &Resource) -> Response {
    let mut response = json(status, resource.text().to_owned());
    set(&mut response, header::ETAG, &resource.etag());
    set(&mut response, header::LAST_MODIFIED, &to_rfc7231(&resource.last_updated()));
    response
}

/// Returns the URL of a version of a resource (`fhir-server UrlResolver.cs`).
pub(crate) fn version_url(origin: &str, resource: &Resource) -> String {
    format!("{origin}/{}/{}/_history/{}", resource.resource_type(), resource.id(), resource.version())
}

/// Sets a header. All values consist of ids, numbers and URLs, so they are valid.
pub(crate) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}
