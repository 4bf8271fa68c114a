//! [`FakeServerBuilder`]: what a stand-in holds, and its start.

use std::{fmt, sync::Arc, time::SystemTime};

use serde::Serialize;

use super::{
    ChallengeFormat, FakeCredential, FakeServer,
    desk::{Desk, Shared},
    feed::Feed,
    seed::{self, Instance, Seeds},
    server::{listen, serve},
    store::Store,
};
use crate::{Audience, DicomAudience, DicomVersion, FhirAudience, ServiceKind, clock::Clock};

/// Starts a [`FakeServer`] that differs from the default.
///
/// What a test puts in is anything that `serde` can write: a `serde_json::Value`, or a type of one's own or of another
/// crate. It stands behind what is synthetic, and one with the `id` of another takes its place.
///
/// ```
/// use azure_healthcare_auth::{HealthcareClient, testing::{FakeServer, ChallengeFormat}};
/// use serde_json::{Value, json};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let fake_server = FakeServer::builder()
///     .wording(ChallengeFormat::OpenSource)
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
#[must_use = "a stand-in is started by `start()`"]
pub struct FakeServerBuilder {
    patients: usize,
    changes: usize,
    wording: ChallengeFormat,
    clock: Clock,
    seeds: Seeds,
}

impl FakeServerBuilder {
    pub(super) fn new() -> Self {
        let (wording, clock, seeds) = (ChallengeFormat::default(), Clock::default(), Seeds::default());
        Self { patients: 25, changes: 25, wording, clock, seeds }
    }

    /// How many synthetic Patients the FHIR service holds. Default: 25.
    pub fn patients(mut self, count: usize) -> Self {
        self.patients = count;
        self
    }

    /// Adds a Patient.
    ///
    /// # Panics
    ///
    /// Where it is not a Patient with an `id`.
    #[track_caller]
    pub fn patient(mut self, patient: &impl Serialize) -> Self {
        match seed::resource("Patient", patient) {
            Ok(patient) => self.seeds.patients.push(patient),
            Err(unfit) => misuse(&format!("this Patient cannot be served: {unfit}")),
        }
        self
    }

    /// Adds an Observation. There are no synthetic ones.
    ///
    /// # Panics
    ///
    /// Where it is not an Observation with an `id`.
    #[track_caller]
    pub fn observation(mut self, observation: &impl Serialize) -> Self {
        match seed::resource("Observation", observation) {
            Ok(observation) => self.seeds.observations.push(observation),
            Err(unfit) => misuse(&format!("this Observation cannot be served: {unfit}")),
        }
        self
    }

    /// How many synthetic changes the DICOM service's change feed holds. Default: 25.
    pub fn changes(mut self, count: usize) -> Self {
        self.changes = count;
        self
    }

    /// Adds an instance, given by its metadata in the JSON model of DICOM (PS3.18 annex F). In the change feed it is
    /// created after all that was there before.
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
    ///
    /// # Panics
    ///
    /// Where the UID of its study, of its series or its own is not in it.
    #[track_caller]
    pub fn instance(mut self, metadata: &impl Serialize) -> Self {
        match Instance::new(metadata) {
            Ok(instance) => {
                self.seeds.instances.retain(|other| other.uids != instance.uids);
                self.seeds.instances.push(instance);
            }
            Err(unfit) => misuse(&format!("this instance cannot be served: {unfit}")),
        }
        self
    }

    /// How a 401 words its `WWW-Authenticate` header. Default: [`ChallengeFormat::Managed`].
    pub fn wording(mut self, wording: ChallengeFormat) -> Self {
        self.wording = wording;
        self
    }

    /// Takes the time from `now`, by which both services judge tokens and [`FakeServer::credential`] issues them.
    /// Default: this machine's.
    ///
    /// For a test that lets tokens end: give the same one to
    /// [`AuthenticatorBuilder::clock`](crate::AuthenticatorBuilder::clock), and to a [`FakeCredential`] of one's own.
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
    /// As [`FakeServer::start`].
    pub async fn start(self) -> FakeServer {
        let started = self.started();
        started.unwrap_or_else(|error| misuse(&format!("no stand-in can be started here: {error}")))
    }

    fn started(self) -> Result<FakeServer, Box<dyn std::error::Error>> {
        let [(fhir_port, fhir_origin), (dicom_port, dicom_origin)] = [listen()?, listen()?];
        let fhir = FhirAudience::from_endpoint(&fhir_origin).build()?;
        let dicom = |version| DicomAudience::from_endpoint(&dicom_origin).version(version).build();
        let (dicom_v1, dicom_v2) = (dicom(DicomVersion::V1)?, dicom(DicomVersion::V2)?);

        let store = Store::new(self.patients, &self.seeds);
        let shared = Arc::new(Shared::new(store, Feed::new(self.changes, self.seeds.instances)));
        let desk = |service, origin: &str, audience: &dyn Audience| Desk {
            service,
            origin: origin.to_owned(),
            audience: audience.resource().to_owned(),
            wording: self.wording,
            clock: self.clock.clone(),
            shared: shared.clone(),
        };
        let fhir_desk = desk(ServiceKind::Fhir, &fhir_origin, &fhir);
        let dicom_desk = desk(ServiceKind::Dicom, &dicom_origin, &dicom_v1);
        let running = serve([(fhir_port, fhir_desk), (dicom_port, dicom_desk)])?;
        let credential = Arc::new(FakeCredential::new().with_clock(move || self.clock.now()));
        Ok(FakeServer { fhir, dicom: [dicom_v1, dicom_v2], credential, shared, _running: running })
    }
}

/// A test that is set up wrongly has to fail, and to say where: there is nobody to hand an error to.
#[track_caller]
#[expect(clippy::panic, reason = "documented on everything public that leads here")]
fn misuse(said: &str) -> ! {
    panic!("{said}")
}

/// What a test has put in is not shown.
impl fmt::Debug for FakeServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeServerBuilder")
            .field("patients", &self.patients)
            .field("changes", &self.changes)
            .field("wording", &self.wording)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    #[should_panic = "this Patient cannot be served: it needs an `id`"]
    fn what_cannot_be_served_fails_where_it_is_put_in() {
        let _ = FakeServer::builder().patient(&json!({"resourceType": "Patient"}));
    }

    #[test]
    fn what_is_put_in_is_not_shown() {
        let builder = FakeServer::builder().patient(&json!({"resourceType": "Patient", "id": "hidden"}));
        let shown = format!("{builder:?}");
        assert!(
            shown.starts_with("FakeServerBuilder { patients: 25,") && !shown.contains("hidden"),
            "{shown}"
        );
    }
}
