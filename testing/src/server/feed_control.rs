//! How a test controls the change feed of a running [`FakeServer`].

use super::fake_server::FakeServer;
use crate::dicom::{ChangeTiming, FakeChange};

impl FakeServer {
    /// Adds a change to the change feed of the DICOM service, without an instance that can be retrieved.
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
    /// let uids = ["2.25.1", "2.25.2", "2.25.3"];
    /// let metadata = json!({ "00100020": { "vr": "LO", "Value": ["example-0001"] } });
    /// fake_server.add_change(FakeChange::create(uids).metadata(&metadata));
    /// fake_server.add_change(FakeChange::update(uids).partition("other"));
    /// fake_server.add_change(FakeChange::delete(uids));
    ///
    /// let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());
    /// let feed: Value = dicom.get("changefeed").send().await?.json()?;
    /// let entry = |index: usize| (feed[index]["action"].as_str(), feed[index]["state"].as_str());
    /// assert_eq!(entry(0), (Some("Create"), Some("Deleted")));
    /// assert_eq!(entry(1), (Some("Update"), Some("Current")));
    /// assert_eq!(entry(2), (Some("Delete"), Some("Deleted")));
    /// # Ok(()) }
    /// ```
    pub fn add_change(&self, change: FakeChange) {
        let now = self.dicom_service.clock.now();
        self.dicom_service.store().feed.record(now, change);
    }

    /// Sets the timing of the next change, whether a request or [`add_change`](Self::add_change) makes it.
    ///
    /// Timings from several calls apply to one change each, in order.
    ///
    /// # Examples
    ///
    /// A change that becomes visible after one with a higher sequence number and a later timestamp:
    ///
    /// ```
    /// use azure_healthcare_auth::{DicomVersion, HealthcareClient};
    /// use azure_healthcare_auth_testing::{FakeChange, ChangeTiming, FakeClock, FakeServer};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let clock = FakeClock::new();
    /// let now = { let clock = clock.clone(); move || clock.now() };
    /// let fake_server = FakeServer::builder().changes(0).clock(now).start().await;
    /// let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V1), fake_server.credential());
    /// let sequences = async || -> azure_healthcare_auth::Result<Vec<u64>> {
    ///     let feed: Vec<serde_json::Value> = dicom.get("changefeed").send().await?.json()?;
    ///     Ok(feed.iter().filter_map(|entry| entry["sequence"].as_u64()).collect())
    /// };
    ///
    /// let late = ChangeTiming::new()
    ///     .started_before(Duration::from_secs(1))
    ///     .visible_after(Duration::from_secs(5))
    ///     .skip_sequences(2);
    /// fake_server.set_next_change_timing(late);
    /// fake_server.add_change(FakeChange::create(["2.25.1", "2.25.2", "2.25.3"]));
    /// fake_server.add_change(FakeChange::create(["2.25.1", "2.25.2", "2.25.4"]));
    /// assert_eq!(sequences().await?, [4]);
    ///
    /// clock.advance(Duration::from_secs(5));
    /// assert_eq!(sequences().await?, [3, 4]);
    /// # Ok(()) }
    /// ```
    pub fn set_next_change_timing(&self, timing: ChangeTiming) {
        self.dicom_service.store().feed.set_next_timing(timing);
    }
}
