//! [`FakeService`]: the services of a fake server.

/// A service of a [`FakeServer`](crate::FakeServer).
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::HealthcareClient;
/// use azure_healthcare_auth_testing::{FakeServer, FakeService};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let fake_server = FakeServer::start().await;
/// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// fhir.get("Patient").send().await?;
///
/// let to_dicom = fake_server.requests().iter().filter(|request| request.service() == FakeService::Dicom).count();
/// assert_eq!(to_dicom, 0);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FakeService {
    /// The FHIR service.
    Fhir,
    /// The DICOM service.
    Dicom,
    /// The blob storage to which the FHIR service exports.
    Storage,
}
