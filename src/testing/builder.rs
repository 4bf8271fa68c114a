//! [`FakeServerBuilder`]: configures and starts a fake server.

use std::{fmt, sync::Arc, time::SystemTime};

use serde::Serialize;

use super::{
    ChallengeFormat, FakeCredential, FakeServer,
    feed::Feed,
    seed::{self, Instance, Seeds},
    server::{listen, serve},
    service::{FakeService, Shared},
    store::Store,
};
use crate::{Audience, DicomAudience, DicomVersion, FhirAudience, ServiceKind, clock::Clock};

/// Configures and starts a [`FakeServer`].
///
/// A test can add resources of any type that implements [`Serialize`], such as `serde_json::Value`. They follow the
/// synthetic resources in search results. A resource with the `id` of an existing one replaces it.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{HealthcareClient, testing::{ChallengeFormat, FakeServer}};
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let fake_server = FakeServer::builder()
///     .challenge_format(ChallengeFormat::OpenSource)
///     .patients(0)
///     .patient(&json!({ "resourceType": "Patient", "id": "p1", "name": [{ "family": "Example" }] }))
///     .observation(&json!({
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
    seeds: Seeds,
}

impl FakeServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            patients: 25,
            changes: 25,
            challenge_format: ChallengeFormat::default(),
            clock: Clock::default(),
            seeds: Seeds::default(),
        }
    }

    /// Sets the number of synthetic Patients (default: 25).
    pub fn patients(mut self, count: usize) -> Self {
        self.patients = count;
        self
    }

    /// Adds a Patient.
    ///
    /// # Panics
    ///
    /// Panics if the value is not a Patient with a valid `id`.
    #[track_caller]
    pub fn patient(mut self, patient: &impl Serialize) -> Self {
        match seed::resource("Patient", patient) {
            Ok(patient) => self.seeds.patients.push(patient),
            Err(reason) => fail(&format!("this Patient cannot be served: {reason}")),
        }
        self
    }

    /// Adds an Observation. There are no synthetic Observations.
    ///
    /// # Panics
    ///
    /// Panics if the value is not an Observation with a valid `id`.
    #[track_caller]
    pub fn observation(mut self, observation: &impl Serialize) -> Self {
        match seed::resource("Observation", observation) {
            Ok(observation) => self.seeds.observations.push(observation),
            Err(reason) => fail(&format!("this Observation cannot be served: {reason}")),
        }
        self
    }

    /// Sets the number of synthetic changes in the change feed of the DICOM service (default: 25).
    pub fn changes(mut self, count: usize) -> Self {
        self.changes = count;
        self
    }

    /// Adds a DICOM instance with the given metadata in the DICOM JSON model (PS3.18 annex F).
    ///
    /// In the change feed, its creation follows all earlier changes. An instance with the same UIDs as one that was
    /// added before replaces it.
    ///
    /// # Panics
    ///
    /// Panics if the metadata lacks the UID of the study, the series or the instance.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{DicomVersion, HealthcareClient, testing::FakeServer};
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
    pub fn instance(mut self, metadata: &impl Serialize) -> Self {
        match Instance::new(metadata) {
            Ok(instance) => {
                self.seeds.instances.retain(|other| other.uids != instance.uids);
                self.seeds.instances.push(instance);
            }
            Err(reason) => fail(&format!("this instance cannot be served: {reason}")),
        }
        self
    }

    /// Sets the format of the `WWW-Authenticate` header in 401 responses (default: [`ChallengeFormat::Managed`]).
    pub fn challenge_format(mut self, format: ChallengeFormat) -> Self {
        self.challenge_format = format;
        self
    }

    /// Sets the clock with which both services check tokens and [`FakeServer::credential`] issues them (default: the
    /// system clock).
    ///
    /// Use it in a test in which tokens expire. Give the same clock to
    /// [`AuthenticatorBuilder::clock`](crate::AuthenticatorBuilder::clock) and to every other [`FakeCredential`].
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, HealthcareClient, testing::FakeServer};
    /// use std::{sync::atomic::{AtomicU32, Ordering}, time::{Duration, SystemTime}};
    ///
    /// static HOURS: AtomicU32 = AtomicU32::new(0);
    /// fn now() -> SystemTime {
    ///     SystemTime::now() + Duration::from_secs(60 * 60) * HOURS.load(Ordering::Relaxed)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::builder().with_clock(now).start().await;
    /// let auth = Authenticator::builder(fake_server.fhir(), fake_server.credential()).clock(now).build();
    /// let fhir = HealthcareClient::from(auth);
    ///
    /// assert_eq!(fhir.get("Patient").send().await?.status(), 200);
    /// HOURS.store(2, Ordering::Relaxed);
    /// let response = fhir.get("Patient").send().await?;
    /// assert_eq!((response.status().as_u16(), response.attempts()), (200, 1));
    /// assert_eq!(fake_server.credential().calls(), 2);
    /// # Ok(()) }
    /// ```
    pub fn with_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::of(now);
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
        let [(fhir_listener, fhir_origin), (dicom_listener, dicom_origin)] = [listen()?, listen()?];
        let fhir = FhirAudience::from_endpoint(&fhir_origin).build()?;
        let dicom = |version| DicomAudience::from_endpoint(&dicom_origin).version(version).build();
        let (dicom_v1, dicom_v2) = (dicom(DicomVersion::V1)?, dicom(DicomVersion::V2)?);

        let store = Store::new(self.patients, &self.seeds);
        let shared = Arc::new(Shared::new(store, Feed::new(self.changes, self.seeds.instances)));
        let service = |service, origin: &str, audience: &dyn Audience| FakeService {
            service,
            origin: origin.to_owned(),
            audience: audience.resource().to_owned(),
            challenge_format: self.challenge_format,
            clock: self.clock.clone(),
            shared: shared.clone(),
        };
        let fhir_service = service(ServiceKind::Fhir, &fhir_origin, &fhir);
        let dicom_service = service(ServiceKind::Dicom, &dicom_origin, &dicom_v1);
        let running = serve([(fhir_listener, fhir_service), (dicom_listener, dicom_service)])?;
        let credential = Arc::new(FakeCredential::new().with_clock(move || self.clock.now()));
        Ok(FakeServer { fhir, dicom: [dicom_v1, dicom_v2], credential, shared, _running: running })
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
    #[should_panic = "this Patient cannot be served: it needs an `id`"]
    fn patient_without_id_panics() {
        let _ = FakeServer::builder().patient(&json!({"resourceType": "Patient"}));
    }

    #[test]
    fn debug_output_shows_no_added_data() {
        let builder = FakeServer::builder().patient(&json!({"resourceType": "Patient", "id": "hidden"}));
        let shown = format!("{builder:?}");
        assert!(
            shown.starts_with("FakeServerBuilder { patients: 25,") && !shown.contains("hidden"),
            "{shown}"
        );
    }
}
