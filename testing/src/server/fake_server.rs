//! [`FakeServer`]: a fake FHIR service and a fake DICOM service.

use std::{fmt, sync::Arc};

use azure_healthcare_auth::{DicomAudience, DicomVersion, FhirAudience};
use http::header;
use tokio::sync::oneshot;

use super::{pipeline::Shared, request::ReceivedRequest};
use crate::{
    credentials::FakeCredential,
    dicom::DicomService,
    fault::{Fault, RequestFilter},
    fhir::FhirService,
    service::FakeService,
};

/// A fake FHIR service and a fake DICOM service in this process, each on its own port on `127.0.0.1`.
///
/// # Tokens
///
/// The fake services check tokens as the real services do:
///
/// - They reject a request (401) without a token, or with one that is malformed, without an `exp` claim, not valid yet,
///   expired, for a different audience or from a different tenant, checked in this order.
/// - They deny a request (403) if its token has no role that allows the request.
///
/// The `aud` claim must match the expected audience exactly, and a token is expired from the second in its `exp` claim
/// on. The real services are believed to ignore a trailing `/` in the audience and to allow five minutes of clock
/// skew. Tests should not rely on either. Signatures are not checked, because the tokens of [`FakeCredential`] are not
/// signed.
///
/// # FHIR
///
/// The service stores resources of all types in FHIR R4, and does not check their content:
///
/// - read, version read, create, update, patch (JSON Patch, and FHIR Patch with `replace`), delete, history, `batch` and
///   `transaction`, with `If-Match` and `If-None-Exist`, conditional update and conditional delete;
/// - searches by `_id`, `_lastUpdated`, `identifier`, `name`, `family`, `birthdate`, `patient` and `subject`, sent or posted,
///   with `_count`, `_sort`, `_total`, `_summary=count` and `next` links. An unknown parameter is an error, because ignoring it
///   would return resources that the search excludes;
/// - `$export`, whose files are on a storage service of its own that needs its own token;
/// - `GET metadata` and `GET .well-known/smart-configuration`, which need no token.
///
/// # DICOM
///
/// - STOW-RS, WADO-RS, QIDO-RS and delete, under `v1` and `v2`. Ask for files with `transfer-syntax=*`, in their own
///   transfer syntax: only files with implicit VR are converted, to explicit VR little endian.
/// - `GET changefeed` and `GET changefeed/latest`, each with the paging rules of its version. Every change of an instance
///   appears there, and every current one can be retrieved.
///
/// # Content
///
/// By default, there are 25 Patients with the ids `example-0001` to `example-0025`, and 25 changes of DICOM instances. After
/// the twelfth change the sequence numbers skip 20, so `v1` has an empty page in the middle. A test adds its own data, before
/// the start with [`FakeServerBuilder`](crate::FakeServerBuilder), and later with [`put_resource`](Self::put_resource),
/// [`add_instance`](Self::add_instance) and [`add_change`](Self::add_change).
///
/// # Unsupported requests
///
/// A request that the fake does not support gets 501 and the name of the missing feature, never 404. A path that the real
/// FHIR service does not have either, such as that of an unknown resource type, gets 404. A
/// [fallback](crate::FakeServerBuilder::fallback) of the test can handle both.
///
/// Both services stop when the `FakeServer` is dropped.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{DicomVersion, HealthcareClient};
/// use azure_healthcare_auth_testing::FakeServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let fake_server = FakeServer::start().await;
///
/// // The code under test gets an audience and a credential, as it does for the real service.
/// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// let patients: serde_json::Value = fhir.get("Patient").query("_count", "5").send().await?.json()?;
///
/// assert_eq!(patients["entry"].as_array().map(Vec::len), Some(5));
/// assert_eq!(fake_server.credential().calls(), 1);
/// assert_eq!(fake_server.requests()[0].url().query(), Some("_count=5"));
///
/// // The DICOM service needs a different token.
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
    pub(super) fhir_service: Arc<FhirService>,
    pub(super) dicom_service: Arc<DicomService>,
    /// Stops both services when it is dropped.
    pub(super) _running: oneshot::Sender<()>,
}

impl FakeServer {
    /// Returns the audience of the FHIR service. Its resource is the service's own origin, `http://127.0.0.1:{port}`.
    #[must_use]
    pub fn fhir(&self) -> FhirAudience {
        self.fhir.clone()
    }

    /// Returns the audience of the DICOM service. Its resource is that of DICOM services in the public cloud.
    #[must_use]
    pub fn dicom(&self, version: DicomVersion) -> DicomAudience {
        let [v1, v2] = &self.dicom;
        match version {
            DicomVersion::V1 => v1.clone(),
            _ => v2.clone(),
        }
    }

    /// Returns the origin of the storage that contains the files of an export, `http://127.0.0.1:{port}`.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{ErrorKind, HealthcareClient};
    /// use azure_healthcare_auth_testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::builder().export_polls(0).start().await;
    /// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    /// let accepted = fhir.get("$export").header("prefer", "respond-async").send().await?;
    /// let status = accepted.headers()["content-location"].to_str().unwrap();
    /// let manifest: serde_json::Value = fhir.get(status).send().await?.json()?;
    /// let file = manifest["output"][0]["url"].as_str().unwrap();
    /// assert!(file.starts_with(fake_server.storage_origin()));
    ///
    /// // The client for the FHIR service sends no token to the storage.
    /// assert_eq!(fhir.get(file).send().await.unwrap_err().kind(), ErrorKind::UrlNotAllowed);
    /// assert_eq!(fake_server.storage_requests_with_token(), 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn storage_origin(&self) -> &str {
        &self.fhir_service.storage_origin
    }

    /// Returns a credential whose tokens both services accept.
    ///
    /// Every call returns the same credential, so [`FakeCredential::calls`] counts the calls of all its users. To
    /// get tokens that the services reject, create your own [`FakeCredential`].
    #[must_use]
    pub fn credential(&self) -> Arc<FakeCredential> {
        self.credential.clone()
    }

    /// Injects `fault` into the requests that `filter` selects. A number selects the next requests to any service.
    ///
    /// If several faults apply to a request, it gets the one that was injected first. Only a request with a valid token
    /// uses up a fault. A request whose token is rejected does not, nor does `GET metadata`, which needs no token.
    /// [`RequestFilter`] shows how to select a service, a method, a path or the entries of a batch.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{ErrorKind, HealthcareClient};
    /// use azure_healthcare_auth_testing::{FakeServer, Fault, RequestFilter};
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
    /// fake_server.inject_fault(RequestFilter::all(), Fault::MissingRole);
    /// let error = fhir.get("Patient").send().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Denied);
    ///
    /// fake_server.clear_faults();
    /// assert_eq!(fhir.get("Patient").send().await?.status(), 200);
    /// # Ok(()) }
    /// ```
    pub fn inject_fault(&self, filter: impl Into<RequestFilter>, fault: Fault) {
        self.shared.faults().add(filter.into(), fault);
    }

    /// Removes all faults that no request has used up.
    pub fn clear_faults(&self) {
        self.shared.faults().clear();
    }

    /// Returns the requests that all services have received so far, in the order in which they were handled.
    ///
    /// The list grows until [`clear_requests`](Self::clear_requests) is called.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.shared.requests().clone()
    }

    /// Forgets the requests that were received so far.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::HealthcareClient;
    /// use azure_healthcare_auth_testing::FakeServer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let fake_server = FakeServer::start().await;
    /// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    /// fhir.get("Patient").send().await?;
    /// fake_server.clear_requests();
    /// fhir.get("Patient").query("_count", "5").send().await?;
    /// assert_eq!(fake_server.requests()[0].url().query(), Some("_count=5"));
    /// # Ok(()) }
    /// ```
    pub fn clear_requests(&self) {
        self.shared.requests().clear();
    }

    /// Returns the number of requests to the export storage that had an `Authorization` header.
    ///
    /// Files of an export need a token for `https://storage.azure.com`. A client that sends the token of the FHIR service
    /// there leaks it, even though the storage rejects it. [`clear_requests`](Self::clear_requests) resets the number.
    #[must_use]
    pub fn storage_requests_with_token(&self) -> usize {
        let requests = self.shared.requests();
        let to_storage = requests.iter().filter(|request| request.service() == FakeService::Storage);
        to_storage.filter(|request| request.headers().contains_key(header::AUTHORIZATION)).count()
    }
}

/// Shows the URLs of both services, but neither their content nor the requests that they received.
impl fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, dicom] = &self.dicom;
        f.debug_struct("FakeServer")
            .field("fhir", &self.fhir.endpoint().as_str())
            .field("dicom", &dicom.endpoint().as_str())
            .finish_non_exhaustive()
    }
}
