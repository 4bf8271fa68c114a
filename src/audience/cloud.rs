//! [`Cloud`].

use crate::named::named_values;

/// The resource of all DICOM services in the public cloud. It is not their host.
pub(crate) const PUBLIC_DICOM: &str = "https://dicom.healthcareapis.azure.com";

/// An Azure cloud for which the endpoints of Azure Health Data Services are documented.
///
/// For any other cloud, set the endpoint with `from_endpoint` and the resource with `resource`. `Display`, `FromStr` and
/// serde use `public` and `us-government`.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Cloud, DicomAudience, FhirAudience};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let records = FhirAudience::workspace("contoso", "records").cloud(Cloud::UsGovernment).build()?;
/// assert_eq!(records.endpoint().as_str(), "https://contoso-records.fhir.azurehealthcareapis.us/");
///
/// let imaging = DicomAudience::workspace("contoso", "imaging").cloud(Cloud::UsGovernment);
/// assert!(imaging.clone().build().is_err()); // No resource is documented.
/// let imaging = imaging.resource("api://contoso-imaging").build()?;
/// assert_eq!(imaging.endpoint().as_str(), "https://contoso-imaging.dicom.azurehealthcareapis.us/v2/");
///
/// assert_eq!("us-government".parse(), Ok(Cloud::UsGovernment));
/// assert_eq!(Cloud::Public.as_str(), "public");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cloud {
    /// The public cloud, `azurehealthcareapis.com`. The default.
    #[default]
    Public,
    /// Azure for US Government, `azurehealthcareapis.us`.
    ///
    /// No resource is documented for its DICOM service, so `resource` is required there.
    UsGovernment,
}

named_values!(Cloud: "cloud", Public => "public", UsGovernment => "us-government");

impl Cloud {
    pub(super) fn domain(self) -> &'static str {
        match self {
            Self::Public => "azurehealthcareapis.com",
            Self::UsGovernment => "azurehealthcareapis.us",
        }
    }
}
