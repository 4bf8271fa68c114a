//! [`DicomVersion`].

use crate::named::named_values;

/// The version of the DICOM service's API, which is the last segment of its base URL.
///
/// `Display`, `FromStr` and serde use `v1` and `v2`.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{DicomAudience, DicomVersion};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let imaging = DicomAudience::workspace("contoso", "imaging");
/// for (version, base_path) in [(DicomVersion::V1, "/v1/"), (DicomVersion::V2, "/v2/")] {
///     assert_eq!(imaging.clone().version(version).build()?.endpoint().path(), base_path);
/// }
/// assert_eq!(imaging.build()?.version(), DicomVersion::V2);
///
/// assert_eq!("v1".parse(), Ok(DicomVersion::V1));
/// assert_eq!(DicomVersion::V2.as_str(), "v2");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DicomVersion {
    /// `/v1/`.
    V1,
    /// `/v2/`. The default.
    #[default]
    V2,
}

named_values!(DicomVersion: "version", V1 => "v1", V2 => "v2");
