//! [`FakeServer`]: both services, in this process.

use std::{fmt, sync::Arc};

use tokio::sync::oneshot;

use super::{FakeCredential, FakeServerBuilder, Fault, ReceivedRequest, desk::Shared};
use crate::{DicomAudience, DicomVersion, FhirAudience};

/// A FHIR service and a DICOM service in this process, each on a port of its own on `127.0.0.1`.
///
/// They refuse as the services do. A request without a token, or with one that is not readable, not valid yet, ended,
/// for another audience or of another tenant (looked at in this order), is answered 401; a token without a role that
/// allows it, 403. The audience must be the right one character for character, and a token is over in the second that
/// it names; the services are believed to overlook a `/` at the end of the one and five minutes in the other, and a
/// test should not lean on that. The signature is not looked at: [`FakeCredential`]'s tokens have none.
///
/// What they serve is synthetic and the same every time, but for what a test [puts in](FakeServerBuilder):
///
/// - FHIR: `GET Patient` and `POST Patient/_search` with `_count` (default 10, at most 1,000), `_total` and `next`
///   links; `GET Patient/{id}`; `POST Patient`; `GET metadata`, without a token. The ids are `example-0001` and so on.
///   The same for `Observation`, of which there are none at first, with `patient` and `subject` for one Patient.
///   Every other search parameter is refused, because to ignore it would be to answer another question.
///   The `Content-Type` of a body counts, as it does for the open-source server: a resource without one is answered
///   415, and of a posted search without one the form is not read, so that everything is found.
/// - DICOM: `GET changefeed` and `GET changefeed/latest`, under `v1` and `v2`, each with its own way of paging. After
///   the twelfth change the sequence numbers leave a gap of 20, so that `v1` has an empty page in the middle. And
///   `GET studies/{study}/series/{series}/instances/{instance}/metadata`, of instances that are not deleted.
///
/// With a good token another path is answered 404 and another method 405, and without one 401 as everywhere.
///
/// Both stop when the stand-in is dropped.
///
/// ```
/// use azure_healthcare_auth::{DicomVersion, HealthcareClient, testing::FakeServer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let fake_server = FakeServer::start().await;
///
/// // What is under test gets the audience and the credential that it would get for the live service.
/// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// let patients: serde_json::Value = fhir.get("Patient").query("_count", "5").send().await?.json()?;
///
/// assert_eq!(patients["entry"].as_array().map(Vec::len), Some(5));
/// assert_eq!(fake_server.credential().calls(), 1);
/// assert_eq!(fake_server.received()[0].url().query(), Some("_count=5"));
///
/// // The DICOM service beside it wants another token.
/// let dicom = fhir.for_audience(fake_server.dicom(DicomVersion::V1))?;
/// dicom.get("changefeed/latest").send().await?.error_for_status()?;
/// assert_eq!(fake_server.credential().calls(), 2);
/// # Ok(()) }
/// ```
pub struct FakeServer {
    pub(super) fhir: FhirAudience,
    pub(super) dicom: [DicomAudience; 2],
    pub(super) credential: Arc<FakeCredential>,
    pub(super) shared: Arc<Shared>,
    /// Both services stop when this is dropped.
    pub(super) _running: oneshot::Sender<()>,
}

impl FakeServer {
    /// Starts both services with what they have by default: 25 Patients and 25 changes.
    ///
    /// Each gets a port that the system has free, and both a thread of their own. They speak HTTP/1.1.
    ///
    /// # Panics
    ///
    /// Where the system has no free port on `127.0.0.1`, or no thread.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    /// A stand-in that differs from the default.
    ///
    /// ```
    /// # #[tokio::main]
    /// # async fn main() {
    /// use azure_healthcare_auth::testing::{FakeServer, ChallengeFormat};
    ///
    /// let empty = FakeServer::builder().patients(0).changes(0).wording(ChallengeFormat::OpenSource).start().await;
    /// # }
    /// ```
    pub fn builder() -> FakeServerBuilder {
        FakeServerBuilder::new()
    }

    /// The FHIR service. Its tokens are for its own origin, `http://127.0.0.1:{port}`. Never panics.
    #[must_use]
    pub fn fhir(&self) -> FhirAudience {
        self.fhir.clone()
    }

    /// The DICOM service. Its tokens are for the audience that DICOM services have in the public cloud. Never panics.
    #[must_use]
    pub fn dicom(&self, version: DicomVersion) -> DicomAudience {
        let [v1, v2] = &self.dicom;
        match version {
            DicomVersion::V1 => v1.clone(),
            DicomVersion::V2 => v2.clone(),
        }
    }

    /// A credential whose tokens both services take. It is the same one every time, with one count of its calls.
    ///
    /// Tokens that they refuse come from a [`FakeCredential`] of one's own. Never panics.
    #[must_use]
    pub fn credential(&self) -> Arc<FakeCredential> {
        self.credential.clone()
    }

    /// Lets the next `requests` meet with this fault, whichever service they are for.
    ///
    /// Faults of several calls come one after another. Only a request whose token is good meets with one: what is
    /// answered 401 by itself does not count, and neither does `GET metadata`, which needs no token. Never panics.
    ///
    /// ```
    /// use azure_healthcare_auth::{ErrorKind, HealthcareClient, testing::{Fault, FakeServer}};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::start().await;
    /// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    ///
    /// fake_server.inject_fault(1, Fault::TruncatedBody);
    /// fake_server.inject_fault(1, Fault::Throttled(Duration::ZERO));
    /// let response = fhir.get("Patient").send().await?;
    /// assert_eq!((response.status().as_u16(), response.attempts()), (200, 3));
    ///
    /// fake_server.inject_fault(usize::MAX, Fault::MissingRole);
    /// let refused = fhir.get("Patient").send().await.unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Denied);
    ///
    /// fake_server.clear_faults();
    /// assert_eq!(fhir.get("Patient").send().await?.status(), 200);
    /// # Ok(()) }
    /// ```
    pub fn inject_fault(&self, requests: usize, fault: Fault) {
        self.shared.lock().faults.add(requests, fault);
    }

    /// Forgets the faults that are still to come. Never panics.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// What both services have received until now, in the order of their answers.
    ///
    /// All of it is kept until the stand-in is dropped. Never panics.
    #[must_use]
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.shared.lock().received.clone()
    }
}

/// The addresses of both services. What they hold and what they received is not shown.
impl fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, dicom] = &self.dicom;
        f.debug_struct("FakeServer")
            .field("fhir", &self.fhir.endpoint().as_str())
            .field("dicom", &dicom.endpoint().as_str())
            .finish_non_exhaustive()
    }
}
