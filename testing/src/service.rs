//! [`FakeService`]: the services of a fake server.

/// A service of a [`FakeServer`](crate::FakeServer).
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
