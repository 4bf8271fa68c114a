//! Entry points for the fuzz targets.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use url::Url;

use crate::{
    ServiceKind,
    audience::check_uri,
    denial::{Denial, Evidence, RefreshAttempt},
};

/// Returns `true` if requests to `uri` are allowed for an audience with this endpoint.
pub fn is_allowed(endpoint: &Url, uri: &Uri) -> bool {
    check_uri(endpoint, uri).is_ok()
}

/// Diagnoses a response and returns all output that may be logged.
pub fn explain_denial(status: u16, challenge: &[u8], body: &[u8], token: &[u8]) -> String {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(challenge) {
        headers.insert(header::WWW_AUTHENTICATE, value);
    }
    let value = HeaderValue::from_bytes(&[b"Bearer ", token].concat());
    let resource = "https://contoso-records.fhir.azurehealthcareapis.com";
    let Ok(endpoint) = Url::parse(resource) else { return String::new() };
    let denial = Denial::new(Evidence {
        service: ServiceKind::Fhir,
        endpoint: &endpoint,
        resource,
        status: StatusCode::from_u16(status).unwrap_or_default(),
        headers: &headers,
        body: Bytes::copy_from_slice(body),
        authorization: &value.unwrap_or(HeaderValue::from_static("Bearer x")),
        now: std::time::SystemTime::now(),
        refresh: RefreshAttempt::NotTried,
    });
    format!("{denial} {denial:?} {:?} {:?}", denial.claims(), denial.challenges())
}
