//! [`Exports`]: exports everything in the FHIR service to files of this service.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use azure_healthcare_auth::{FhirAudience, HealthcareClient};
use serde::{Deserialize, Serialize};
use tokio::{
    fs,
    sync::watch,
    time::{sleep, timeout},
};
use uuid::Uuid;

use crate::{
    failure::{Failure, Result},
    operation::{Operation, Poll},
    storage::Storage,
};

/// The exports since this process was started.
#[derive(Clone)]
pub struct Exports {
    fhir: HealthcareClient<FhirAudience>,
    storage: Storage,
    folder: PathBuf,
    /// The time between two requests for the status, unless the service asks for another one.
    interval: Duration,
    jobs: Arc<Mutex<HashMap<Uuid, Job>>>,
}

#[derive(Clone)]
struct Job {
    operation: Arc<Operation>,
    status: watch::Receiver<Status>,
}

#[derive(Clone, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Status {
    InProgress {
        /// The time until the FHIR service is asked again.
        #[serde(skip)]
        next_poll: Duration,
    },
    Complete {
        files: Vec<String>,
    },
    /// The log has the reason.
    Failed,
    Cancelled,
}

#[derive(Deserialize)]
struct Manifest {
    output: Vec<Output>,
}

#[derive(Deserialize)]
struct Output {
    #[serde(rename = "type")]
    resource_type: String,
    url: String,
}

impl Exports {
    pub fn new(
        fhir: HealthcareClient<FhirAudience>,
        storage: Storage,
        folder: PathBuf,
        interval: Duration,
    ) -> Self {
        Self { fhir, storage, folder, interval, jobs: Arc::default() }
    }

    /// Starts an export, which a task collects when it is complete.
    pub async fn start(&self) -> Result<Uuid> {
        let operation = Arc::new(Operation::start(&self.fhir, "$export").await?);
        let id = Uuid::new_v4();
        let (status, receiver) = watch::channel(Status::InProgress { next_poll: Duration::ZERO });
        self.jobs().insert(id, Job { operation: operation.clone(), status: receiver });
        let this = self.clone();
        tokio::spawn(async move {
            let folder = this.folder.join(id.to_string());
            status.send_replace(match this.collect(&operation, &status, &folder).await {
                Ok(files) => Status::Complete { files },
                // It was cancelled, here or by someone else.
                Err(Failure::NotFound(_)) => Status::Cancelled,
                Err(error) => {
                    tracing::error!(%error, "the export failed");
                    Status::Failed
                }
            });
        });
        Ok(id)
    }

    /// Returns the status of an export once it is no longer in progress, or at the latest after `wait`.
    pub async fn status(&self, id: Uuid, wait: Duration) -> Result<Status> {
        let mut status = self.job(id)?.status;
        let ended = status.wait_for(|status| !matches!(status, Status::InProgress { .. }));
        // Both errors mean that it still is in progress.
        drop(timeout(wait, ended).await);
        Ok(status.borrow().clone())
    }

    /// Cancels an export. Its status changes with the next poll.
    pub async fn cancel(&self, id: Uuid) -> Result<()> {
        self.job(id)?.operation.cancel().await
    }

    /// Waits for the end of the operation and downloads its files.
    async fn collect(
        &self,
        operation: &Operation,
        status: &watch::Sender<Status>,
        folder: &Path,
    ) -> Result<Vec<String>> {
        let manifest: Manifest = loop {
            match operation.poll().await? {
                Poll::Complete(response) => break response.json()?,
                Poll::InProgress(wait) => {
                    let next_poll = wait.unwrap_or(self.interval);
                    status.send_replace(Status::InProgress { next_poll });
                    sleep(next_poll).await;
                }
            }
        };
        fs::create_dir_all(folder).await?;
        let mut files = Vec::new();
        for (index, Output { resource_type, url }) in manifest.output.iter().enumerate() {
            if !resource_type.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                return Err(Failure::Unexpected("the type of an exported file is not a resource type"));
            }
            let name = format!("{resource_type}-{index}.ndjson");
            self.storage.download(url, &folder.join(&name)).await?;
            files.push(name);
        }
        Ok(files)
    }

    fn job(&self, id: Uuid) -> Result<Job> {
        self.jobs().get(&id).cloned().ok_or(Failure::NotFound("export"))
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
