//! [`Job`]: an export that is in progress, complete or failed.

use std::{collections::BTreeMap, mem};

use azure_core::time::OffsetDateTime;
use serde::Serialize;

use super::{request::ExportRequest, resources::resources};
use crate::{
    fhir::{
        instant::instant,
        outcome::Outcome,
        resource::Resource,
        store::{Store, new_id},
    },
    storage::Storage,
};

/// The highest number of resources in a file (Azure documentation `export-data.md`).
const MAX_FILE_COUNT: usize = 5_000;

pub(super) struct Job {
    /// The number of requests for the status until the job has ended.
    polls: usize,
    started: OffsetDateTime,
    url: String,
    result: Result<Files, Outcome>,
}

#[derive(Default)]
struct Files {
    /// The files that are not in the storage yet.
    pending: Vec<(String, String)>,
    output: Vec<Output>,
}

/// A file in the manifest, with its path in place of the URL.
#[derive(Clone, Serialize)]
struct Output {
    #[serde(rename = "type")]
    resource_type: String,
    url: String,
    count: usize,
}

/// The response to a completed job (`fhir-server ExportJobResult.cs`).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    transaction_time: String,
    request: &'a str,
    /// Always `false`, although the files need a token of the storage (`fhir-server GetExportRequestHandler.cs`).
    requires_access_token: bool,
    output: Vec<Output>,
    error: [Output; 0],
    issues: [Output; 0],
}

/// The status of a job.
pub(super) enum Poll {
    InProgress,
    /// The manifest.
    Complete(String),
    Failed(Outcome),
}

impl Job {
    /// Starts a job with the current content of the store, unless a filter is invalid.
    pub(super) fn new(
        request: &ExportRequest,
        store: &Store,
        url: String,
        origin: &str,
        now: OffsetDateTime,
        polls: usize,
    ) -> Result<Self, Outcome> {
        let result = resources(request, store, origin, now)
            .map(|exported| Files::new(&folder(request.container.as_deref(), now), &exported));
        match result {
            // The service checks the filters before it starts the job (`fhir-server CreateExportRequestHandler.cs`).
            Err(outcome) if !request.filters.is_empty() => Err(outcome),
            result => Ok(Self { polls, started: now, url, result }),
        }
    }

    /// Returns the status, and moves the files to the storage when the job is complete.
    pub(super) fn poll(&mut self, storage: &Storage, storage_origin: &str) -> Poll {
        if let Some(polls) = self.polls.checked_sub(1) {
            self.polls = polls;
            return Poll::InProgress;
        }
        match &mut self.result {
            Err(outcome) => Poll::Failed(outcome.clone()),
            Ok(files) => {
                for (path, content) in mem::take(&mut files.pending) {
                    storage.put(&path, content, self.started);
                }
                let absolute =
                    |file: &Output| Output { url: format!("{storage_origin}{}", file.url), ..file.clone() };
                let manifest = Manifest {
                    transaction_time: instant(self.started),
                    request: &self.url,
                    requires_access_token: false,
                    output: files.output.iter().map(absolute).collect(),
                    error: [],
                    issues: [],
                };
                Poll::Complete(serde_json::to_string(&manifest).unwrap_or_default())
            }
        }
    }
}

/// Returns the path of the folder: in a given container one with the time and an id, otherwise a new container
/// (`fhir-server CreateExportRequestHandler.cs`, `appsettings.json`; Azure documentation `export-data.md`).
fn folder(container: Option<&str>, now: OffsetDateTime) -> String {
    let id = new_id();
    match container {
        None => format!("/{id}"),
        Some(container) => {
            let time: String = instant(now).chars().take("2024-01-01T00:00:00".len()).collect();
            format!("/{container}/{}-{id}", time.replace(['-', ':'], ""))
        }
    }
}

impl Files {
    fn new(folder: &str, exported: &BTreeMap<&str, Vec<&Resource>>) -> Self {
        let mut files = Self::default();
        for (resource_type, resources) in exported {
            for (index, resources) in resources.chunks(MAX_FILE_COUNT).enumerate() {
                // The names have two numbers (Azure documentation `export-data.md`).
                let path = format!("{folder}/{resource_type}-{}-1.ndjson", index + 1);
                let content = resources.iter().flat_map(|resource| [resource.text(), "\n"]).collect();
                files.output.push(Output {
                    resource_type: (*resource_type).to_owned(),
                    url: path.clone(),
                    count: resources.len(),
                });
                files.pending.push((path, content));
            }
        }
        files
    }
}
