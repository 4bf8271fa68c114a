//! [`ChangeFeed`]: the changes in the DICOM service since a cursor, without losing any.
//!
//! A change gets its timestamp before it becomes visible. If the service makes every change visible within `settle` of
//! its timestamp, all changes before *now* − `settle` are visible, and reading up to that time loses none. *Now* is the
//! time of the service, not that of this machine.

use std::time::Duration;

use axum::http::header;
use azure_core::time::{OffsetDateTime, parse_rfc7231, rfc3339, to_rfc3339};
use azure_healthcare_auth::{DicomAudience, HealthcareClient};
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Failure, Result},
    instance::Instance,
};

/// The position of a change. The order is that of the feed.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Cursor {
    #[serde(with = "rfc3339")]
    timestamp: OffsetDateTime,
    sequence: u64,
}

#[derive(Deserialize)]
pub struct Change {
    #[serde(flatten)]
    cursor: Cursor,
    #[serde(flatten)]
    pub instance: Instance,
    pub action: Action,
    pub state: State,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
pub enum Action {
    Create,
    Update,
    Delete,
}

/// The state of the instance, compared with that after the change.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
pub enum State {
    Current,
    Replaced,
    Deleted,
}

/// Consecutive changes.
pub struct Batch {
    pub changes: Vec<Change>,
    /// The position of the last change. Store it once all changes are processed.
    pub cursor: Cursor,
}

/// One pass over the changes, up to a fixed time.
pub struct ChangeFeed<'a> {
    dicom: &'a HealthcareClient<DicomAudience>,
    /// The last change of earlier passes.
    start: Option<Cursor>,
    end: OffsetDateTime,
    page_size: usize,
    /// The number of changes since the timestamp of `start` that were read, or `None` after the last page.
    offset: Option<usize>,
}

impl<'a> ChangeFeed<'a> {
    /// Starts a pass after `start`, or at the beginning of the feed.
    pub async fn until_latest(
        dicom: &'a HealthcareClient<DicomAudience>,
        start: Option<Cursor>,
        settle: Duration,
        page_size: usize,
    ) -> Result<Self> {
        let latest = dicom.get("changefeed/latest").query("includemetadata", "false").send().await?;
        let latest = latest.error_for_status()?;
        let now = latest.headers().get(header::DATE).and_then(|date| parse_rfc7231(date.to_str().ok()?).ok());
        let end = now.ok_or(Failure::Unexpected("the DICOM service sent no valid Date"))? - settle;
        let is_empty = start.is_some_and(|start| start.timestamp >= end);
        Ok(Self { dicom, start, end, page_size, offset: (!is_empty).then_some(0) })
    }

    /// Returns the next changes, or `None` at the end of the pass.
    pub async fn try_next(&mut self) -> Result<Option<Batch>> {
        while let Some(offset) = self.offset {
            let mut changes = self.page(offset).await?;
            self.offset = (changes.len() == self.page_size).then_some(offset + changes.len());
            // The first changes of a pass are those with the timestamp of its start.
            changes.retain(|change| Some(change.cursor) > self.start);
            if let Some(cursor) = changes.last().map(|change| change.cursor) {
                return Ok(Some(Batch { changes, cursor }));
            }
        }
        Ok(None)
    }

    async fn page(&self, offset: usize) -> Result<Vec<Change>> {
        let mut request = self.dicom.get("changefeed").query("includemetadata", "false");
        if let Some(start) = &self.start {
            request = request.query("startTime", to_rfc3339(&start.timestamp));
        }
        let request = request.query("endTime", to_rfc3339(&self.end)).query("offset", offset.to_string());
        Ok(request.query("limit", self.page_size.to_string()).send().await?.json()?)
    }
}
