//! The control of the instances of a running [`FakeServer`].

use bytes::Bytes;
use serde::Serialize;

use super::fake_server::FakeServer;
use crate::dicom::{DEFAULT_PARTITION, Instance};

impl FakeServer {
    /// Adds a DICOM instance with the given data set in the DICOM JSON model (PS3.18 annex F), or updates the one with the
    /// same UIDs.
    ///
    /// The service makes a file of it, as [`dicom_file`](crate::dicom_file) does. The change is in the change feed.
    ///
    /// # Panics
    ///
    /// Panics if the value is not a data set in the DICOM JSON model, or if it has no UID of the study, the series or the
    /// instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{DicomVersion, HealthcareClient};
    /// use azure_healthcare_auth_testing::FakeServer;
    /// use serde_json::{Value, json};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::builder().changes(0).start().await;
    /// let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());
    ///
    /// let uid = |uid: &str| json!({ "vr": "UI", "Value": [uid] });
    /// let instance = json!({ "0020000D": uid("2.25.1"), "0020000E": uid("2.25.2"), "00080018": uid("2.25.3") });
    /// fake_server.add_instance(&instance);
    /// let found: Value = dicom.get("instances").send().await?.json()?;
    /// assert_eq!(found[0]["00080018"]["Value"][0], "2.25.3");
    ///
    /// assert!(fake_server.delete_instance("2.25.1", "2.25.2", "2.25.3"));
    /// let feed: Value = dicom.get("changefeed").send().await?.json()?;
    /// assert_eq!((&feed[0]["action"], &feed[1]["action"]), (&json!("Create"), &json!("Delete")));
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn add_instance(&self, data_set: &impl Serialize) {
        self.put_instance(DEFAULT_PARTITION, Instance::from_data_set(data_set));
    }

    /// Adds a DICOM instance to a data partition, which is created if it does not exist, as
    /// [`add_instance`](Self::add_instance) does.
    ///
    /// # Panics
    ///
    /// Panics if the value is not a data set in the DICOM JSON model, or if it has no UID of the study, the series or the
    /// instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{DicomVersion, HealthcareClient};
    /// use azure_healthcare_auth_testing::FakeServer;
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::builder().data_partitions(true).start().await;
    /// let uid = |uid: &str| json!({ "vr": "UI", "Value": [uid] });
    /// let instance = json!({ "0020000D": uid("2.25.1"), "0020000E": uid("2.25.2"), "00080018": uid("2.25.3") });
    /// fake_server.add_instance_to_partition("research", &instance);
    ///
    /// let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());
    /// assert_eq!(dicom.get("partitions/research/studies").send().await?.status(), 200);
    /// assert!(fake_server.delete_instance_from_partition("research", ["2.25.1", "2.25.2", "2.25.3"]));
    /// assert_eq!(dicom.get("partitions/research/studies").send().await?.status(), 204);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn add_instance_to_partition(&self, partition: &str, data_set: &impl Serialize) {
        self.put_instance(partition, Instance::from_data_set(data_set));
    }

    /// Adds a DICOM instance as a file, as [`add_instance`](Self::add_instance) does with a data set.
    ///
    /// # Panics
    ///
    /// Panics if this is not a DICOM file, or if it has no UID of the study, the series or the instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{DicomVersion, HealthcareClient};
    /// use azure_healthcare_auth_testing::{FakeServer, dicom_file};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let uid = |uid: &str| json!({ "vr": "UI", "Value": [uid] });
    /// let file = dicom_file(&json!({
    ///     "0020000D": uid("2.25.1"), "0020000E": uid("2.25.2"), "00080018": uid("2.25.3"),
    /// }));
    /// let fake_server = FakeServer::start().await;
    /// fake_server.add_instance_file(file.clone());
    ///
    /// let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());
    /// let request = dicom.get("studies/2.25.1/series/2.25.2/instances/2.25.3");
    /// let instance = request.header("accept", "application/dicom; transfer-syntax=*").send().await?;
    /// assert_eq!(instance.bytes(), &file[..]);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn add_instance_file(&self, file: impl Into<Bytes>) {
        self.put_instance(DEFAULT_PARTITION, Instance::from_file(file));
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "a mistake in the setup of a test must fail that test")]
    fn put_instance(&self, partition: &str, instance: Result<Instance, String>) {
        let now = self.dicom_service.clock.now();
        match instance {
            Ok(instance) => self.dicom_service.store().put(now, partition, instance),
            Err(reason) => panic!("this instance cannot be served: {reason}"),
        }
    }

    /// Deletes a DICOM instance as a client does. Returns `false` if there is none with these study, series and instance
    /// UIDs.
    pub fn delete_instance(&self, study: &str, series: &str, instance: &str) -> bool {
        self.delete_instance_from_partition(DEFAULT_PARTITION, [study, series, instance])
    }

    /// Deletes a DICOM instance from a data partition, as [`delete_instance`](Self::delete_instance) does.
    pub fn delete_instance_from_partition(&self, partition: &str, uids: [&str; 3]) -> bool {
        let now = self.dicom_service.clock.now();
        let uids = uids.map(str::to_owned);
        self.dicom_service.store().delete(now, partition, &uids)
    }
}
