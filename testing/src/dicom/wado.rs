//! Retrieves instances, metadata and frames: WADO-RS (`dicom-server RetrieveController.cs`,
//! `RetrieveResourceService.cs`).

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, header};
use serde_json::Value;

use super::{
    accept::{self, Representation, Resource},
    call::Call,
    file::{DicomFile, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN},
    frames,
    instance::Instance,
    multipart::{self, Part},
    reply,
};

/// The boundary of the parts of a response, which no file contains by chance.
const BOUNDARY: &str = "b3c7a1f2-5d0e-4b6a-9c8d-1e2f3a4b5c6d";

/// Responds with the files of a study, a series or an instance.
pub(super) async fn retrieve(call: Call) -> Response {
    let resource = if call.uids.len() == 3 { Resource::Instance } else { Resource::StudyOrSeries };
    let Some(representation) = accept::choose(&call.headers, resource) else {
        return not_acceptable("The service has no representation that the request accepts.");
    };
    let instances = find(&call);
    if instances.is_empty() {
        return not_found(&call);
    }
    // The service transcodes only one instance.
    if instances.len() > 1 && representation.transfer_syntax.is_some() {
        return not_acceptable("Several instances are available only with `transfer-syntax=*`.");
    }
    let mut bodies = Vec::new();
    for instance in instances {
        match transcode(&instance, &representation) {
            Some(body) => bodies.push(body),
            None => return reply::unsupported("the conversion to the requested transfer syntax"),
        }
    }
    respond(&representation, bodies)
}

/// Responds with the metadata of the instances in a study or a series, or of an instance.
pub(super) async fn metadata(call: Call) -> Response {
    if !accept::accepts_json(&call.headers) {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    let store = call.service.store();
    let (versions, metadata): (Vec<u64>, Vec<Value>) = store
        .find(&call.partition, &call.uids)
        .map(|stored| (stored.version, Value::Object(stored.instance.metadata.clone())))
        .unzip();
    let Some(version) = versions.iter().max() else { return not_found(&call) };
    // The service does not quote its entity tags (`dicom-server ETagGenerator.cs`).
    let etag =
        if call.uids.len() == 3 { version.to_string() } else { format!("{version}-{}", versions.len()) };
    let is_cached = |value: &http::HeaderValue| value.as_bytes().eq_ignore_ascii_case(etag.as_bytes());
    if call.headers.get(header::IF_NONE_MATCH).is_some_and(is_cached) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(header::ETAG, etag)], reply::dicom_json(StatusCode::OK, &metadata)).into_response()
}

/// Responds with frames of an instance, which the last segment of the path lists.
pub(super) async fn frames(call: Call) -> Response {
    let Some(representation) = accept::choose(&call.headers, Resource::Frames) else {
        return not_acceptable("The service has no representation that the request accepts.");
    };
    let bad_request = |text: &str| reply::text(StatusCode::BAD_REQUEST, text);
    let numbers: Option<Vec<usize>> =
        call.last_segment.split(',').map(|number| number.trim().parse().ok()).collect();
    let Some(numbers) = numbers.filter(|numbers| !numbers.contains(&0)) else {
        return bad_request("The numbers of frames must be positive.");
    };
    if numbers.len() > 1 && !representation.multipart {
        return bad_request("Several frames need a multipart response.");
    }
    let Some(instance) = find(&call).pop() else { return not_found(&call) };
    let Ok(file) = DicomFile::parse(&instance.file) else { return not_found(&call) };
    let original = file.transfer_syntax();
    let transfer_syntax = representation.transfer_syntax.clone().unwrap_or_else(|| original.to_owned());
    // The bytes of uncompressed pixels are the same with explicit and implicit VR.
    let is_converted = original == IMPLICIT_LITTLE_ENDIAN && transfer_syntax == EXPLICIT_LITTLE_ENDIAN;
    if transfer_syntax != original && !is_converted {
        return reply::unsupported("the conversion to the requested transfer syntax");
    }
    let all = frames::split(file.data_set()).unwrap_or_default();
    let mut bodies = Vec::new();
    for number in numbers {
        match all.get(number - 1) {
            Some(frame) => bodies.push((transfer_syntax.clone(), frame.clone())),
            None => return reply::text(StatusCode::NOT_FOUND, "The frame does not exist."),
        }
    }
    respond(&representation, bodies)
}

/// Deletes a study, a series or an instance.
pub(super) async fn delete(call: Call) -> Response {
    // Read the clock before locking, because a test's clock may call a method of the fake server.
    let now = call.service.clock.now();
    if call.service.store().delete(now, &call.partition, &call.uids) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        not_found(&call)
    }
}

/// Returns the instances that a path names. They share their bytes with the store.
fn find(call: &Call) -> Vec<Instance> {
    let store = call.service.store();
    store.find(&call.partition, &call.uids).map(|stored| stored.instance.clone()).collect()
}

/// Returns an instance as a file and the transfer syntax of the file, or `None` if the fake cannot convert it.
fn transcode(instance: &Instance, representation: &Representation) -> Option<(String, Bytes)> {
    match &representation.transfer_syntax {
        Some(wanted) if *wanted != instance.transfer_syntax => {
            if wanted != EXPLICIT_LITTLE_ENDIAN {
                return None;
            }
            let file = DicomFile::parse(&instance.file).ok()?;
            Some((wanted.clone(), file.to_explicit_little_endian()?))
        }
        _ => Some((instance.transfer_syntax.clone(), instance.file.clone())),
    }
}

/// Returns the response with one body or with several parts (`dicom-server ResourceResult.cs`).
fn respond(representation: &Representation, bodies: Vec<(String, Bytes)>) -> Response {
    let parts = bodies.into_iter().map(|(transfer_syntax, body)| {
        let content_type = format!("{}; transfer-syntax={transfer_syntax}", representation.media_type);
        Part { content_type: Some(content_type), body }
    });
    let parts: Vec<_> = parts.collect();
    if representation.multipart {
        let content_type = format!("multipart/related; boundary={BOUNDARY}");
        return ([(header::CONTENT_TYPE, content_type)], multipart::write(&parts, BOUNDARY)).into_response();
    }
    match parts.into_iter().next() {
        Some(Part { content_type: Some(content_type), body }) => {
            ([(header::CONTENT_TYPE, content_type)], body).into_response()
        }
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

fn not_acceptable(text: &str) -> Response {
    reply::text(StatusCode::NOT_ACCEPTABLE, text)
}

fn not_found(call: &Call) -> Response {
    let resource = match call.uids.len() {
        1 => "study",
        2 => "series",
        _ => "instance",
    };
    reply::text(StatusCode::NOT_FOUND, format!("The {resource} does not exist."))
}
