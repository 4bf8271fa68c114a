//! [`Worker`]: uploads new images, and keeps the archive equal to the DICOM service.

use std::time::Duration;

use axum::http::StatusCode;
use azure_healthcare_auth::{DicomAudience, HealthcareClient};
use serde::Serialize;
use tokio::{sync::watch, time::sleep};

use crate::{
    archive::Archive,
    change_feed::{Action, Change, ChangeFeed, State},
    failure::Result,
    outbox::Outbox,
};

/// The file as it was stored, without a multipart envelope.
const ACCEPT: &str = "application/dicom; transfer-syntax=*";

/// Uploads new images to the DICOM service, and copies all of its instances into a folder.
///
/// Only one worker may use a folder at a time.
pub struct Worker {
    pub(crate) dicom: HealthcareClient<DicomAudience>,
    pub(crate) outbox: Outbox,
    pub(crate) archive: Archive,
    pub(crate) settle: Duration,
    pub(crate) page_size: usize,
    pub(crate) interval: Duration,
    pub(crate) status: watch::Sender<WorkerStatus>,
}

/// The work that was done since this process was started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    /// The number of passes without an error.
    pub passes: usize,
    /// Images that the DICOM service has stored.
    pub uploaded: usize,
    /// Images that the DICOM service will not store. The folder `rejected` contains them.
    pub rejected: usize,
    /// Copies that were added to the archive or replaced there.
    pub stored: usize,
    /// Copies that were removed from the archive.
    pub removed: usize,
    /// The error of the last pass.
    pub error: Option<String>,
}

impl Worker {
    /// Works until the future is dropped.
    pub async fn run(&self) {
        loop {
            let wait = match self.run_once().await {
                Ok(()) => self.interval,
                Err(error) => error.retry_after().unwrap_or_default().max(self.interval),
            };
            sleep(wait).await;
        }
    }

    /// Uploads all new images, and copies all changes since the last pass that have settled.
    ///
    /// # Errors
    ///
    /// After an error, the next pass continues with what was not completed.
    pub async fn run_once(&self) -> Result<()> {
        let uploaded = self.upload().await;
        let result = uploaded.and(self.copy_changes().await);
        if let Err(error) = &result {
            tracing::error!(%error, "a pass of the worker failed");
        }
        self.status.send_modify(|status| {
            status.passes += usize::from(result.is_ok());
            status.error = result.as_ref().err().map(ToString::to_string);
        });
        result
    }

    async fn upload(&self) -> Result<()> {
        while let Some(uploaded) = self.outbox.upload_batch(&self.dicom).await? {
            tracing::info!(stored = uploaded.stored, rejected = uploaded.rejected, "images were uploaded");
            self.status.send_modify(|status| {
                status.uploaded += uploaded.stored;
                status.rejected += uploaded.rejected;
            });
        }
        Ok(())
    }

    async fn copy_changes(&self) -> Result<()> {
        let cursor = self.archive.cursor().await?;
        let mut feed = ChangeFeed::until_latest(&self.dicom, cursor, self.settle, self.page_size).await?;
        while let Some(batch) = feed.try_next().await? {
            for change in &batch.changes {
                self.copy(change).await?;
            }
            self.archive.store_cursor(&batch.cursor).await?;
            tracing::info!(changes = batch.changes.len(), "a batch of changes was copied");
        }
        Ok(())
    }

    async fn copy(&self, change: &Change) -> Result<()> {
        match (change.action, change.state) {
            (Action::Delete, _) => {
                if self.archive.remove(&change.instance).await? {
                    self.status.send_modify(|status| status.removed += 1);
                }
            }
            (Action::Create | Action::Update, State::Current) => {
                let request = self.dicom.get(change.instance.url_path()).header("accept", ACCEPT);
                let response = request.stream().await?;
                // It was deleted since the feed was read. Its deletion is a later change.
                if response.status() != StatusCode::NOT_FOUND {
                    self.archive.store(&change.instance, response.error_for_status()?).await?;
                    self.status.send_modify(|status| status.stored += 1);
                }
            }
            // A later change replaces or deletes this version.
            (Action::Create | Action::Update, State::Replaced | State::Deleted) => {}
        }
        Ok(())
    }
}
