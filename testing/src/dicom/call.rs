//! [`Call`]: what a path says about a request for instances.

use std::sync::Arc;

use axum::{extract::FromRequestParts, response::Response};
use http::{HeaderMap, Method, StatusCode, request::Parts};
use percent_encoding::percent_decode_str;

use super::{change::DEFAULT_PARTITION, reply, service::DicomService, uid};

/// A request for instances.
pub(super) struct Call {
    pub(super) service: Arc<DicomService>,
    /// The version of the API.
    pub(super) version: u8,
    /// The URL of the API or of the partition, without a trailing slash.
    pub(super) base: String,
    pub(super) partition: String,
    /// The UIDs of the study, the series and the instance, as far as the path has them.
    pub(super) uids: Vec<String>,
    /// The last segment of the path.
    pub(super) last_segment: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
}

impl FromRequestParts<Arc<DicomService>> for Call {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<DicomService>,
    ) -> Result<Self, Self::Rejection> {
        let bad_request = |text: &str| reply::text(StatusCode::BAD_REQUEST, text);
        let mut segments = parts.uri.path().split('/').skip(1);
        let version = segments.next().unwrap_or_default();
        let mut segments: Vec<String> =
            segments.map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect();
        let mut base = format!("{}/{version}", service.origin);
        let mut partition = None;
        if segments.first().is_some_and(|segment| segment == "partitions") && segments.len() > 1 {
            partition = segments.drain(..2).next_back();
        }
        // The rules are those of `dicom-server PopulateDataPartitionFilterAttribute.cs`.
        let partition = match (service.has_partitions, partition) {
            (false, None) => DEFAULT_PARTITION.to_owned(),
            (true, Some(name)) => {
                check_partition(service, &parts.method, &name).map_err(bad_request)?;
                base = format!("{base}/partitions/{name}");
                name
            }
            (false, Some(_)) => return Err(bad_request("Data partitions are not enabled.")),
            (true, None) => return Err(bad_request("The path has no data partition.")),
        };
        let mut uids = Vec::new();
        let mut rest = &segments[..];
        for name in ["studies", "series", "instances"] {
            let [first, uid, ..] = rest else { break };
            if first != name {
                break;
            }
            if !uid::is_valid(uid) {
                return Err(bad_request("The path has a UID that is not valid."));
            }
            uids.push(uid.clone());
            rest = rest.get(2..).unwrap_or_default();
        }
        Ok(Self {
            service: service.clone(),
            version: if version == "v1" { 1 } else { 2 },
            base,
            partition,
            uids,
            last_segment: segments.last().cloned().unwrap_or_default(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
        })
    }
}

/// Storing an instance creates its partition. For any other request, the partition must exist.
fn check_partition(service: &DicomService, method: &Method, name: &str) -> Result<(), &'static str> {
    // The rules are those of `dicom-server PartitionNameValidator.cs`.
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_allowed) {
        return Err("The name of the data partition is not valid.");
    }
    // Read the clock before locking, because a test's clock may call a method of the fake server.
    let now = service.clock.now();
    let mut store = service.store();
    if method == Method::POST {
        store.add_partition(now, name);
    }
    if store.has_partition(name) { Ok(()) } else { Err("The data partition does not exist.") }
}
