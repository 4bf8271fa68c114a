//! [`ServiceKind`].

use crate::named::named_values;

/// The kind of a service of Azure Health Data Services.
///
/// `Display`, `FromStr` and serde use `fhir` and `dicom`.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Audience, DicomAudience, ServiceKind};
///
/// /// Returns the least privileged role that can read from the service.
/// fn reader_role(audience: &impl Audience) -> Option<&'static str> {
///     match audience.service() {
///         ServiceKind::Fhir => Some("FHIR Data Reader"),
///         ServiceKind::Dicom => Some("DICOM Data Reader"),
///         _ => None,
///     }
/// }
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let imaging = DicomAudience::workspace("contoso", "imaging").build()?;
/// assert_eq!(reader_role(&imaging), Some("DICOM Data Reader"));
/// assert_eq!(imaging.service().as_str(), "dicom");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ServiceKind {
    /// The FHIR service, and its predecessor Azure API for FHIR.
    Fhir,
    /// The DICOM service.
    Dicom,
}

named_values!(ServiceKind: "service kind", Fhir => "fhir", Dicom => "dicom");

impl ServiceKind {
    /// Returns the name of the service in messages for people.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Fhir => "FHIR",
            Self::Dicom => "DICOM",
        }
    }
}
