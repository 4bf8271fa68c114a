//! [`FakeServerBuilder`]: configures and starts a fake server.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use azure_healthcare_auth::{DicomAudience, DicomVersion, FhirAudience};
use bytes::Bytes;
use serde::Serialize;

use super::{
    fake_server::FakeServer,
    http::{listen, serve},
    pipeline::{Fallback, Pipeline, Shared},
};
use crate::{
    clock::Clock,
    credentials::FakeCredential,
    dicom::{self, DEFAULT_PARTITION, DicomService, Instance, Store},
    fhir::{self, Draft, Exports, FhirService},
    service::FakeService,
    storage,
    token::ChallengeFormat,
};

/// What a token for the blob storage is for.
const STORAGE_RESOURCE: &str = "https://storage.azure.com";

/// Configures and starts a [`FakeServer`].
///
/// A test can add resources of any type that implements [`Serialize`], such as `serde_json::Value`. They follow the
/// synthetic resources in search results. A resource with the `id` of an existing one replaces it.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::HealthcareClient;
/// use azure_healthcare_auth_testing::{ChallengeFormat, FakeServer};
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let fake_server = FakeServer::builder()
///     .challenge_format(ChallengeFormat::OpenSource)
///     .patients(0)
///     .resource(&json!({ "resourceType": "Patient", "id": "p1", "name": [{ "family": "Example" }] }))
///     .resource(&json!({
///         "resourceType": "Observation",
///         "id": "o1",
///         "status": "final",
///         "subject": { "reference": "Patient/p1" },
///     }))
///     .start()
///     .await;
///
/// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// let found: Value = fhir.get("Observation").query("patient", "p1").send().await?.json()?;
/// assert_eq!(found["entry"][0]["resource"]["id"], "o1");
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "the builder does nothing until `start` is called"]
pub struct FakeServerBuilder {
    patients: usize,
    changes: usize,
    challenge_format: ChallengeFormat,
    clock: Clock,
    resources: Vec<Draft>,
    instances: Vec<Instance>,
    has_partitions: bool,
    export_polls: usize,
    fallback: Option<Fallback>,
}

impl FakeServer {
    /// Starts both services with the default content: 25 Patients and 25 changes.
    ///
    /// Each service listens on a free port that the operating system chooses and speaks HTTP/1.1. Both run on one
    /// dedicated thread.
    ///
    /// # Panics
    ///
    /// Panics if the operating system provides no free port on `127.0.0.1` or no thread.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// Returns a builder to configure the services.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() {
    /// use azure_healthcare_auth_testing::{ChallengeFormat, FakeServer};
    ///
    /// let builder = FakeServer::builder().patients(0).changes(0).challenge_format(ChallengeFormat::OpenSource);
    /// let empty = builder.start().await;
    /// # }
    /// ```
    pub fn builder() -> FakeServerBuilder {
        FakeServerBuilder::new()
    }
}

impl FakeServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            patients: 25,
            changes: 25,
            challenge_format: ChallengeFormat::default(),
            clock: Clock::default(),
            resources: Vec::new(),
            instances: Vec::new(),
            has_partitions: false,
            export_polls: 1,
            fallback: None,
        }
    }

    /// Sets the number of synthetic Patients (default: 25).
    pub fn patients(mut self, count: usize) -> Self {
        self.patients = count;
        self
    }

    /// Adds a FHIR resource of any type. There are no synthetic resources other than Patients.
    ///
    /// A resource with the type and id of an existing one replaces it.
    ///
    /// # Panics
    ///
    /// Panics if the value is not a FHIR resource, or if its `id` is not valid. The server assigns an id if there is none.
    #[track_caller]
    pub fn resource(mut self, resource: &impl Serialize) -> Self {
        match Draft::of(resource) {
            Ok(resource) => self.resources.push(resource),
            Err(reason) => fail(&format!("this resource cannot be served: {reason}")),
        }
        self
    }

    /// Sets the number of synthetic changes in the change feed of the DICOM service (default: 25).
    pub fn changes(mut self, count: usize) -> Self {
        self.changes = count;
        self
    }

    /// Adds a DICOM instance with the given data set in the DICOM JSON model (PS3.18 annex F).
    ///
    /// The service makes a file of it, as [`dicom_file`](crate::dicom_file) does. In the change feed, the creation of the
    /// instance follows all synthetic changes. An instance with the UIDs of one that was added before updates it.
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
    /// let uid = |uid: &str| json!({ "vr": "UI", "Value": [uid] });
    /// let instance = json!({ "0020000D": uid("2.25.1"), "0020000E": uid("2.25.2"), "00080018": uid("2.25.3") });
    /// let fake_server = FakeServer::builder().changes(0).instance(&instance).start().await;
    ///
    /// let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());
    /// let path = "studies/2.25.1/series/2.25.2/instances/2.25.3/metadata";
    /// let metadata: Value = dicom.get(path).send().await?.json()?;
    /// assert_eq!(metadata, json!([instance]));
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn instance(self, data_set: &impl Serialize) -> Self {
        self.with_instance(Instance::from_data_set(data_set))
    }

    /// Adds a DICOM instance as a file, as [`instance`](Self::instance) does with a data set.
    ///
    /// # Panics
    ///
    /// Panics if this is not a DICOM file, or if it has no UID of the study, the series or the instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth_testing::{FakeServer, dicom_file};
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let uid = |uid: &str| json!({ "vr": "UI", "Value": [uid] });
    /// let file = dicom_file(&json!({
    ///     "0020000D": uid("2.25.1"), "0020000E": uid("2.25.2"), "00080018": uid("2.25.3"),
    /// }));
    /// let fake_server = FakeServer::builder().instance_file(file).start().await;
    /// # }
    /// ```
    #[track_caller]
    pub fn instance_file(self, file: impl Into<Bytes>) -> Self {
        self.with_instance(Instance::from_file(file))
    }

    #[track_caller]
    fn with_instance(mut self, instance: Result<Instance, String>) -> Self {
        match instance {
            Ok(instance) => self.instances.push(instance),
            Err(reason) => fail(&format!("this instance cannot be served: {reason}")),
        }
        self
    }

    /// Sets whether the DICOM service has data partitions (default: `false`).
    ///
    /// With data partitions, paths to instances start with `partitions/{name}`. Storing an instance creates the partition.
    /// Synthetic instances, and those that a test adds, are in the partition `Microsoft.Default`.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{DicomVersion, HealthcareClient};
    /// use azure_healthcare_auth_testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::builder().data_partitions(true).start().await;
    /// let dicom = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), fake_server.credential());
    /// assert_eq!(dicom.get("partitions/Microsoft.Default/studies").send().await?.status(), 200);
    /// assert_eq!(dicom.get("studies").send().await?.status(), 400);
    /// # Ok(()) }
    /// ```
    pub fn data_partitions(mut self, enabled: bool) -> Self {
        self.has_partitions = enabled;
        self
    }

    /// Sets how often the status of an `$export` is 202 before the export is complete (default: once).
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::HealthcareClient;
    /// use azure_healthcare_auth_testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::builder().export_polls(0).start().await;
    /// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    /// let accepted = fhir.get("$export").header("prefer", "respond-async").send().await?;
    /// assert_eq!(accepted.status(), 202);
    /// let status = accepted.headers()["content-location"].to_str().unwrap();
    /// let manifest: serde_json::Value = fhir.get(status).send().await?.json()?;
    /// assert_eq!(manifest["output"][0]["type"], "Patient");
    /// # Ok(()) }
    /// ```
    pub fn export_polls(mut self, polls: usize) -> Self {
        self.export_polls = polls;
        self
    }

    /// Sets the format of the `WWW-Authenticate` header in 401 responses (default: [`ChallengeFormat::Managed`]).
    pub fn challenge_format(mut self, format: ChallengeFormat) -> Self {
        self.challenge_format = format;
        self
    }

    /// Sets the clock of the services (default: the system clock).
    ///
    /// The services check tokens with it, send it as `Date`, and use it for the time of a change.
    /// [`FakeServer::credential`] issues tokens with it. Other credentials, and the client under test, have clocks of
    /// their own. [`FakeClock`](crate::FakeClock) is a clock that a test moves.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::HealthcareClient;
    /// use azure_healthcare_auth_testing::{FakeCredential, FakeServer};
    /// use std::{
    ///     sync::Arc,
    ///     time::{Duration, SystemTime},
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// // The clock of the service is an hour ahead, so that it considers new tokens expired.
    /// let ahead = || SystemTime::now() + Duration::from_secs(60 * 60);
    /// let fake_server = FakeServer::builder().clock(ahead).start().await;
    /// let credential = FakeCredential::new().with_lifetime(Duration::from_secs(10 * 60));
    /// let fhir = HealthcareClient::new(fake_server.fhir(), Arc::new(credential));
    /// let error = fhir.get("Patient").send().await.unwrap_err();
    /// assert_eq!(error.denial().map(|denial| denial.status().as_u16()), Some(401));
    /// # Ok(()) }
    /// ```
    pub fn clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::of(now);
        self
    }

    /// Sets a handler for requests that the fake does not support.
    ///
    /// It is called after the checks of the token and its role, for requests that get 501, and for paths of the FHIR service
    /// that do not exist. It gets the request with its complete body. If it returns `None`, the response is the 501 or 404.
    /// It is not called for the entries of a `batch` or `transaction`.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::HealthcareClient;
    /// use azure_healthcare_auth_testing::{FakeServer, FakeService};
    /// use http::Response;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::builder()
    ///     .fallback(|service, request| match (service, request.uri().path()) {
    ///         (FakeService::Fhir, "/Patient/example-0001/$everything") => Some(Response::new("{}".into())),
    ///         _ => None,
    ///     })
    ///     .start()
    ///     .await;
    /// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    /// assert_eq!(fhir.get("Patient/example-0001/$everything").send().await?.bytes(), "{}");
    /// assert_eq!(fhir.get("Patient/example-0002/$everything").send().await?.status(), 501);
    /// # Ok(()) }
    /// ```
    pub fn fallback(
        mut self,
        handler: impl Fn(FakeService, &http::Request<Bytes>) -> Option<http::Response<Bytes>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.fallback = Some(Arc::new(handler));
        self
    }

    /// Starts both services.
    ///
    /// # Panics
    ///
    /// Panics if the operating system provides no free port on `127.0.0.1` or no thread.
    pub async fn start(self) -> FakeServer {
        self.try_start()
            .unwrap_or_else(|error| fail(&format!("the fake server could not be started: {error}")))
    }

    fn try_start(self) -> Result<FakeServer, Box<dyn std::error::Error>> {
        let [
            (fhir_listener, fhir_origin),
            (dicom_listener, dicom_origin),
            (storage_listener, storage_origin),
        ] = [listen()?, listen()?, listen()?];
        let fhir = FhirAudience::from_endpoint(&fhir_origin).build()?;
        let dicom = |version| DicomAudience::from_endpoint(&dicom_origin).version(version).build();
        let (dicom_v1, dicom_v2) = (dicom(DicomVersion::V1)?, dicom(DicomVersion::V2)?);

        let shared = Arc::new(Shared::default());
        let fhir_service = FhirService::new(
            &fhir_origin,
            &storage_origin,
            self.clock.clone(),
            shared.faults.clone(),
            self.patients,
            &self.resources,
        );
        let exports = Arc::new(Exports::new(self.export_polls));
        let fhir_service = Arc::new(FhirService { exports, ..fhir_service });
        let now = self.clock.now();
        let mut store = Store::new(now);
        store.add_synthetic(self.changes);
        for instance in self.instances {
            store.put(now, DEFAULT_PARTITION, instance);
        }
        let dicom_service = Arc::new(DicomService {
            origin: dicom_origin.clone(),
            clock: self.clock.clone(),
            has_partitions: self.has_partitions,
            store: Arc::new(Mutex::new(store)),
        });
        let pipeline = |service, origin, audience: &str, router| Pipeline {
            service,
            origin,
            audience: audience.to_owned(),
            challenge_format: self.challenge_format,
            clock: self.clock.clone(),
            router,
            fallback: self.fallback.clone(),
            shared: shared.clone(),
        };
        let running = serve(vec![
            (
                fhir_listener,
                pipeline(FakeService::Fhir, fhir_origin, fhir.resource(), fhir::router(fhir_service.clone())),
            ),
            (
                dicom_listener,
                pipeline(
                    FakeService::Dicom,
                    dicom_origin,
                    dicom_v1.resource(),
                    dicom::router(dicom_service.clone()),
                ),
            ),
            (
                storage_listener,
                pipeline(
                    FakeService::Storage,
                    storage_origin,
                    STORAGE_RESOURCE,
                    storage::router(fhir_service.exports.storage().clone()),
                ),
            ),
        ])?;
        let clock = self.clock;
        let credential = Arc::new(FakeCredential::new().with_clock(move || clock.now()));
        Ok(FakeServer {
            fhir,
            dicom: [dicom_v1, dicom_v2],
            credential,
            shared,
            fhir_service,
            dicom_service,
            _running: running,
        })
    }
}

/// Panics at the caller's location, because a mistake in the setup of a test must fail that test.
#[track_caller]
#[expect(clippy::panic, reason = "every public method that can call this documents it")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}

/// Shows the settings, but not the data that a test has added.
impl fmt::Debug for FakeServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeServerBuilder")
            .field("patients", &self.patients)
            .field("changes", &self.changes)
            .field("challenge_format", &self.challenge_format)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    #[should_panic = "this resource cannot be served: its `id` is not"]
    fn resource_with_invalid_id_panics() {
        let _ = FakeServer::builder().resource(&json!({"resourceType": "Patient", "id": "a/b"}));
    }

    #[test]
    fn debug_output_shows_no_added_data() {
        let builder = FakeServer::builder().resource(&json!({"resourceType": "Patient", "id": "hidden"}));
        let shown = format!("{builder:?}");
        assert!(
            shown.starts_with("FakeServerBuilder { patients: 25,") && !shown.contains("hidden"),
            "{shown}"
        );
    }
}
