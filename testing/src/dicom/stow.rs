//! Stores instances: STOW-RS (`dicom-server StoreController.cs`, `StoreService.cs`).

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dicom_dictionary_std::tags;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use super::{
    accept::{self, DICOM},
    call::Call,
    file::{self, DicomFile},
    instance::Instance,
    json::{self, DataSet},
    media_type, multipart, reply,
    validate::{self, Problem},
};

// The reasons of a failure or a warning (`v2-conformance-statement.md`).
const VALIDATION_FAILED: u16 = 43264;
/// The documented reason. The source of the real server uses 43264 here too.
const OTHER_STUDY: u16 = 43265;
const ALREADY_EXISTS: u16 = 45070;
const IMPLICIT_VR: u16 = 45063;
const HAS_INVALID_ATTRIBUTES: u16 = 1;

/// The sequences of a response.
#[derive(Default)]
struct Report {
    stored: Vec<Value>,
    failed: Vec<Value>,
    has_warnings: bool,
}

pub(super) async fn store(call: Call, body: Bytes) -> Response {
    if !accept::accepts_json(&call.headers) {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    let files = match files(&call.headers, body) {
        Ok(files) => files,
        Err((status, text)) => return reply::text(status, text),
    };
    if files.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    let mut report = Report::default();
    for file in files {
        store_file(&call, file, &mut report);
    }
    report.into_response(&call)
}

/// Returns the files in a body, or the status and the text of an error.
fn files(headers: &HeaderMap, body: Bytes) -> Result<Vec<Bytes>, (StatusCode, &'static str)> {
    let unsupported = |text| (StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(content_type) = content_type.and_then(media_type::parse) else {
        return Err(unsupported("The request has no valid content type."));
    };
    match content_type.essence_str() {
        DICOM => return Ok(vec![body].into_iter().filter(|body| !body.is_empty()).collect()),
        "multipart/related" => {}
        _ => return Err(unsupported("The content type is not supported.")),
    }
    let Some(boundary) = media_type::parameter(&content_type, "boundary").filter(|text| !text.is_empty())
    else {
        return Err(unsupported("The content type has no boundary."));
    };
    let Some(parts) = multipart::parse(&body, boundary) else {
        return Err((StatusCode::BAD_REQUEST, "The multipart body is not valid."));
    };
    let root_type = media_type::parameter(&content_type, "type").map(str::to_owned);
    let mut files = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        // The first part can have its type in the header of the request (RFC 2387 §3.1).
        let part_type = part.content_type.or_else(|| root_type.clone().filter(|_| index == 0));
        let part_type = part_type.as_deref().and_then(media_type::parse);
        if part_type.is_none_or(|part_type| part_type.essence_str() != DICOM) {
            return Err(unsupported("The content type of a part is not supported."));
        }
        files.push(part.body);
    }
    Ok(files)
}

fn store_file(call: &Call, bytes: Bytes, report: &mut Report) {
    let Ok(file) = DicomFile::parse(&bytes) else {
        return report.add_failure(&DataSet::new(), VALIDATION_FAILED, None);
    };
    let mut metadata = file.metadata();
    let study = json::text(&metadata, tags::STUDY_INSTANCE_UID);
    let expected = call.uids.first();
    if study.is_some() && expected.is_some_and(|expected| study.as_ref() != Some(expected)) {
        return report.add_failure(&metadata, OTHER_STUDY, None);
    }
    let problems = validate::problems(&metadata, call.version);
    if problems.iter().any(|problem| problem.is_fatal) {
        return report.add_failure(&metadata, VALIDATION_FAILED, Some(&problems));
    }
    for problem in &problems {
        metadata.remove(&json::key(problem.tag));
    }
    let item = metadata.clone();
    let Ok(instance) = Instance::new(&file, bytes, metadata) else {
        return report.add_failure(&item, VALIDATION_FAILED, None);
    };
    let uids = instance.uids.clone();
    // Read the clock before locking, because a test's clock may call a method of the fake server.
    let now = call.service.clock.now();
    if call.service.store().create(now, &call.partition, instance).is_err() {
        return report.add_failure(&item, ALREADY_EXISTS, None);
    }
    let warning = if file.transfer_syntax() == file::IMPLICIT_LITTLE_ENDIAN {
        Some(IMPLICIT_VR)
    } else {
        (!problems.is_empty()).then_some(HAS_INVALID_ATTRIBUTES)
    };
    let [study, series, sop] = &uids;
    let url = format!("{}/studies/{study}/series/{series}/instances/{sop}", call.base);
    report.add_success(&item, &url, warning, (call.version >= 2).then_some(&problems));
}

impl Report {
    fn add_success(
        &mut self,
        data_set: &DataSet,
        url: &str,
        warning: Option<u16>,
        problems: Option<&Vec<Problem>>,
    ) {
        let mut item = references(data_set);
        item.insert(json::key(tags::RETRIEVE_URL), json!({"vr": "UR", "Value": [url]}));
        if let Some(warning) = warning {
            item.insert(json::key(tags::WARNING_REASON), json!({"vr": "US", "Value": [warning]}));
            self.has_warnings = true;
        }
        if let Some(problems) = problems {
            item.insert(json::key(tags::FAILED_ATTRIBUTES_SEQUENCE), comments(problems));
        }
        self.stored.push(item.into());
    }

    fn add_failure(&mut self, data_set: &DataSet, reason: u16, problems: Option<&Vec<Problem>>) {
        let mut item = references(data_set);
        item.insert(json::key(tags::FAILURE_REASON), json!({"vr": "US", "Value": [reason]}));
        if let Some(problems) = problems {
            item.insert(json::key(tags::FAILED_ATTRIBUTES_SEQUENCE), comments(problems));
        }
        self.failed.push(item.into());
    }

    fn into_response(self, call: &Call) -> Response {
        let status = match (self.stored.is_empty(), self.failed.is_empty()) {
            (true, _) => StatusCode::CONFLICT,
            (false, false) => StatusCode::ACCEPTED,
            (false, true) if call.version >= 2 && self.has_warnings => StatusCode::ACCEPTED,
            (false, true) => StatusCode::OK,
        };
        let mut data_set = DataSet::new();
        if let (Some(study), false) = (call.uids.first(), self.stored.is_empty()) {
            let url = format!("{}/studies/{study}", call.base);
            data_set.insert(json::key(tags::RETRIEVE_URL), json!({"vr": "UR", "Value": [url]}));
        }
        for (tag, items) in
            [(tags::FAILED_SOP_SEQUENCE, self.failed), (tags::REFERENCED_SOP_SEQUENCE, self.stored)]
        {
            if !items.is_empty() {
                data_set.insert(json::key(tag), sequence(items));
            }
        }
        reply::dicom_json(status, &data_set)
    }
}

/// Returns an item that names an instance, as far as its UIDs are known.
fn references(data_set: &DataSet) -> DataSet {
    let names = [
        (tags::SOP_CLASS_UID, tags::REFERENCED_SOP_CLASS_UID),
        (tags::SOP_INSTANCE_UID, tags::REFERENCED_SOP_INSTANCE_UID),
    ];
    let mut item = DataSet::new();
    for (from, to) in names {
        if let Some(uid) = json::text(data_set, from) {
            item.insert(json::key(to), json!({"vr": "UI", "Value": [uid]}));
        }
    }
    item
}

fn comments(problems: &[Problem]) -> Value {
    let comment = |problem: &Problem| json!({"00000902": {"vr": "LO", "Value": [problem.comment]}});
    sequence(problems.iter().map(comment).collect())
}

/// A sequence without items has no `Value` in the DICOM JSON model.
fn sequence(items: Vec<Value>) -> Value {
    if items.is_empty() { json!({"vr": "SQ"}) } else { json!({"vr": "SQ", "Value": items}) }
}
