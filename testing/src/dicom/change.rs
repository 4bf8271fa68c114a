//! [`FakeChange`] and [`ChangeTiming`]: an entry of the change feed, and when it becomes visible.

use std::{fmt, time::Duration};

use serde::Serialize;
use serde_json::Value;

/// The partition of a service without data partitions (`dicom-server DefaultPartition.cs`).
pub(crate) const DEFAULT_PARTITION: &str = "Microsoft.Default";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Create,
    Update,
    Delete,
}

impl Action {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Update => "Update",
            Self::Delete => "Delete",
        }
    }
}

/// A change of a DICOM instance, for [`FakeServer::add_change`](crate::FakeServer::add_change).
///
/// The `Debug` output shows neither UIDs nor metadata.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{DicomVersion, HealthcareClient};
/// use azure_healthcare_auth_testing::{FakeChange, FakeServer};
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let fake_server = FakeServer::builder().changes(0).start().await;
/// let [first, second] = [["2.25.1", "2.25.2", "2.25.3"], ["2.25.1", "2.25.2", "2.25.4"]];
/// fake_server.add_change(FakeChange::create(first).partition("research"));
/// fake_server.add_change(FakeChange::update(first).partition("research").metadata(&json!({})));
/// fake_server.add_change(FakeChange::delete(second));
///
/// let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V1), fake_server.credential());
/// let feed: Value = dicom.get("changefeed").send().await?.json()?;
/// assert_eq!((&feed[0]["state"], &feed[1]["partitionName"]), (&json!("Replaced"), &json!("research")));
/// assert_eq!((&feed[2]["action"], feed[2].get("metadata")), (&json!("Delete"), None));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FakeChange {
    pub(crate) action: Action,
    pub(crate) partition: String,
    /// The UIDs of the study, the series and the instance.
    pub(crate) uids: [String; 3],
    pub(crate) metadata: Option<Value>,
}

impl FakeChange {
    fn new(action: Action, uids: [&str; 3]) -> Self {
        let uids = uids.map(str::to_owned);
        Self { action, partition: DEFAULT_PARTITION.to_owned(), uids, metadata: None }
    }

    /// The instance with these study, series and instance UIDs was created.
    #[must_use]
    pub fn create(uids: [&str; 3]) -> Self {
        Self::new(Action::Create, uids)
    }

    /// The instance with these study, series and instance UIDs was updated.
    #[must_use]
    pub fn update(uids: [&str; 3]) -> Self {
        Self::new(Action::Update, uids)
    }

    /// The instance with these study, series and instance UIDs was deleted.
    #[must_use]
    pub fn delete(uids: [&str; 3]) -> Self {
        Self::new(Action::Delete, uids)
    }

    /// Sets the data partition (default: `Microsoft.Default`).
    #[must_use]
    pub fn partition(mut self, name: impl Into<String>) -> Self {
        self.partition = name.into();
        self
    }

    /// Sets the metadata of the instance in the DICOM JSON model (default: none). A deleted instance has none.
    ///
    /// # Panics
    ///
    /// Panics if the value cannot be converted to JSON.
    #[must_use]
    #[track_caller]
    #[expect(clippy::panic, reason = "a mistake in the setup of a test must fail that test")]
    pub fn metadata(mut self, metadata: &impl Serialize) -> Self {
        match serde_json::to_value(metadata) {
            Ok(metadata) => self.metadata = (self.action != Action::Delete).then_some(metadata),
            Err(error) => panic!("the metadata of a change are not JSON: {error}"),
        }
        self
    }
}

impl fmt::Debug for FakeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeChange").field("action", &self.action).finish_non_exhaustive()
    }
}

/// When a change gets its timestamp and its sequence number, and when it becomes visible, for
/// [`FakeServer::set_next_change_timing`](crate::FakeServer::set_next_change_timing).
///
/// By default, a change gets both at once and is visible at once. In the real service it gets its timestamp when its
/// transaction starts, its sequence number later, and becomes visible when the transaction is committed. In between,
/// changes with higher numbers and later timestamps can become visible. A transaction that is rolled back leaves a gap in
/// the sequence numbers.
///
/// # Examples
///
/// The next change, as if its transaction had taken ten seconds and a thousand others had been rolled back:
///
/// ```
/// use azure_healthcare_auth_testing::{ChangeTiming, FakeServer};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let fake_server = FakeServer::start().await;
/// let slow = ChangeTiming::new().started_before(Duration::from_secs(10)).skip_sequences(1_000);
/// fake_server.set_next_change_timing(slow.visible_after(Duration::ZERO));
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a timing does nothing until it is passed to `FakeServer::set_next_change_timing`"]
pub struct ChangeTiming {
    pub(crate) started_before: Duration,
    pub(crate) visible_after: Duration,
    pub(crate) skip_sequences: u64,
}

impl ChangeTiming {
    /// Creates a timing for a change that is visible at once.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long before the change its transaction started (default: 0). The timestamp is that much earlier.
    pub fn started_before(mut self, duration: Duration) -> Self {
        self.started_before = duration;
        self
    }

    /// Sets how long after the change its transaction is committed (default: 0), on the clock of the fake server. Until
    /// then, the change is hidden. An instance is available at once.
    pub fn visible_after(mut self, duration: Duration) -> Self {
        self.visible_after = duration;
        self
    }

    /// Sets how many sequence numbers are left out before the change (default: 0).
    pub fn skip_sequences(mut self, count: u64) -> Self {
        self.skip_sequences = count;
        self
    }
}
