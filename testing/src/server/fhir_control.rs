//! How a test controls the resources of a running [`FakeServer`].

use serde::Serialize;
use serde_json::Value;

use super::fake_server::FakeServer;
use crate::fhir::Draft;

impl FakeServer {
    /// Adds a FHIR resource or a new version of one, and returns its id.
    ///
    /// A resource without an `id` gets one. As for a resource that a client sends, the service sets `meta.versionId` and
    /// `meta.lastUpdated`, and equal content adds no version.
    ///
    /// # Panics
    ///
    /// Panics if the value is not a FHIR resource, or its `id` is invalid.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::HealthcareClient;
    /// use azure_healthcare_auth_testing::FakeServer;
    /// use serde_json::{Value, json};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::builder().patients(0).start().await;
    /// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    /// let id = fake_server.put_resource(&json!({ "resourceType": "Device", "status": "active" }));
    /// let path = format!("Device/{id}");
    /// assert_eq!(fhir.get(&path).send().await?.status(), 200);
    ///
    /// fhir.put(&path).json(&json!({ "resourceType": "Device", "id": id, "status": "inactive" })).send().await?;
    /// let device = fake_server.resource("Device", &id).unwrap();
    /// assert_eq!((&device["status"], &device["meta"]["versionId"]), (&json!("inactive"), &json!("2")));
    /// assert_eq!(fake_server.resources("Device"), [device]);
    ///
    /// assert!(fake_server.delete_resource("Device", &id));
    /// assert_eq!(fhir.get(&path).send().await?.status(), 410);
    /// assert_eq!(fake_server.resource("Device", &id), None);
    /// # Ok(()) }
    /// ```
    #[track_caller]
    #[expect(clippy::panic, reason = "a mistake in the setup of a test must fail that test")]
    pub fn put_resource(&self, resource: &impl Serialize) -> String {
        let draft = match Draft::of(resource) {
            Ok(draft) => draft,
            Err(reason) => panic!("this resource cannot be served: {reason}"),
        };
        let now = self.fhir_service.now();
        self.fhir_service.store().put(draft, now).id().to_owned()
    }

    /// Deletes a FHIR resource as a client does, so that reading it is 410 Gone. Returns `false` if there is none.
    pub fn delete_resource(&self, resource_type: &str, id: &str) -> bool {
        let now = self.fhir_service.now();
        self.fhir_service.store().delete(resource_type, id, now)
    }

    /// Returns the current version of a FHIR resource, or `None` if there is none or it was deleted.
    #[must_use]
    pub fn resource(&self, resource_type: &str, id: &str) -> Option<Value> {
        self.fhir_service.store().get(resource_type, id)
    }

    /// Returns the current version of all FHIR resources of a type, in the order of their last change.
    #[must_use]
    pub fn resources(&self, resource_type: &str) -> Vec<Value> {
        self.fhir_service.store().all(resource_type)
    }
}
