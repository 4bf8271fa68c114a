//! Where requests go and what the token is for: [`FhirAudience`] and [`DicomAudience`].

mod address;
mod boundary;
#[cfg(feature = "serde")]
mod config;
mod dicom;
mod fhir;
mod refusal;

use std::fmt;
use url::Url;

use crate::Result;
#[cfg(feature = "client")]
pub(crate) use address::Place;
#[cfg(feature = "client")]
pub(crate) use address::is_loopback;
#[cfg(any(feature = "client", feature = "identity"))]
pub(crate) use address::place;
pub(crate) use boundary::check_host;
#[cfg(any(feature = "client", feature = "reqwest-middleware", feature = "tower"))]
pub(crate) use boundary::check_method;
#[cfg(feature = "tower")]
pub(crate) use boundary::check_uri;
#[cfg(any(feature = "client", feature = "identity"))]
pub(crate) use dicom::PUBLIC_DICOM;
pub use dicom::{DicomAudience, DicomAudienceBuilder, DicomVersion};
pub use fhir::{FhirAudience, FhirAudienceBuilder};

mod sealed {
    pub trait Sealed {
        fn address(&self) -> &super::address::Address;
    }
}

/// A service of Azure Health Data Services: where it is, and what a token for it must be asked for.
///
/// Only [`FhirAudience`] and [`DicomAudience`] implement it. They are different types, so a function that takes the
/// one cannot be handed the other, and what is written for both takes `A: Audience`:
///
/// ```
/// use azure_healthcare_auth::{Audience, DicomAudience, FhirAudience, Result};
///
/// fn describe(audience: &impl Audience) -> String {
///     format!("{} at {} wants {}", audience.service(), audience.endpoint(), audience.scope())
/// }
///
/// # fn main() -> Result<()> {
/// assert_eq!(
///     describe(&FhirAudience::workspace("contoso", "records").build()?),
///     "FHIR at https://contoso-records.fhir.azurehealthcareapis.com/ \
///      wants https://contoso-records.fhir.azurehealthcareapis.com/.default",
/// );
/// let imaging = DicomAudience::workspace("contoso", "imaging").build()?;
/// assert_eq!(
///     describe(&imaging),
///     "DICOM at https://contoso-imaging.dicom.azurehealthcareapis.com/v2/ \
///      wants https://dicom.healthcareapis.azure.com/.default",
/// );
/// // For `az account get-access-token --resource`:
/// assert_eq!(imaging.resource(), "https://dicom.healthcareapis.azure.com");
/// # Ok(()) }
/// ```
pub trait Audience: sealed::Sealed + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Which service it is.
    fn service(&self) -> ServiceKind;

    /// The base URL. It ends in `/`, and every request goes below it.
    fn endpoint(&self) -> &Url {
        self.address().endpoint()
    }

    /// What a token is asked for, and what stands in its `aud` claim.
    ///
    /// This is the value of `az account get-access-token --resource` and of `Get-AzAccessToken -ResourceUrl`.
    fn resource(&self) -> &str {
        self.address().resource()
    }

    /// The resource with `/.default`: what the v2 token endpoint of Microsoft Entra is asked for.
    fn scope(&self) -> &str {
        self.address().scope()
    }

    /// The URL of a path below the base, or of an absolute URL that is below it already.
    ///
    /// `?` begins the query, so an id that somebody typed is checked before it is put into a path. A leading `/` changes
    /// nothing: `/Patient` and `Patient` are the same, and both stay below a base path.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UrlNotAllowed`](crate::ErrorKind::UrlNotAllowed) for what leads out of the audience, or might on some
    /// server: another origin, a path outside the base, `..`, `//host`, a backslash, a control character, an encoded
    /// dot, slash, backslash, `?`, `#` or percent sign in the path, user info, a fragment.
    ///
    /// ```
    /// # use azure_healthcare_auth::{Audience, FhirAudience, Result};
    /// # fn main() -> Result<()> {
    /// let audience = FhirAudience::endpoint("https://fhir.contoso.example/r4").build()?;
    /// assert_eq!(audience.url("/Patient?_count=10")?.as_str(), "https://fhir.contoso.example/r4/Patient?_count=10");
    /// assert!(audience.url("../admin").is_err());
    /// assert!(audience.url("https://fhir.contoso.example/r40/Patient").is_err());
    /// # Ok(()) }
    /// ```
    fn url(&self, path: &str) -> Result<Url> {
        boundary::resolve(self.endpoint(), path)
    }

    /// Whether a request to this URL may carry the token: `Ok` if it is on the audience's origin and below its base.
    ///
    /// Everything in this crate that puts a token on a request asks here first.
    ///
    /// # Errors
    ///
    /// As [`url`](Audience::url). The text names both origins, and nothing else of the URL.
    ///
    /// ```
    /// # use azure_healthcare_auth::{Audience, FhirAudience, Result};
    /// # fn main() -> Result<()> {
    /// let audience = FhirAudience::workspace("contoso", "records").build()?;
    /// // A `next` link comes out of an answer's body, or was kept in a queue: it may say anything.
    /// let next = "https://contoso-records.fhir.azurehealthcareapis.com/Patient?ct=W3sidG9r".parse().unwrap();
    /// assert!(audience.check_url(&next).is_ok());
    /// let foreign = "https://contoso-records.example/Patient?ct=W3sidG9r".parse().unwrap();
    /// assert!(audience.check_url(&foreign).is_err());
    /// # Ok(()) }
    /// ```
    fn check_url(&self, url: &Url) -> Result<()> {
        boundary::check_url(self.endpoint(), url)
    }
}

/// A kind of service of Azure Health Data Services.
///
/// ```
/// use azure_healthcare_auth::{Audience, DicomAudience, ServiceKind};
///
/// /// The least role with which a service can be read.
/// fn reader(audience: &impl Audience) -> Option<&'static str> {
///     match audience.service() {
///         ServiceKind::Fhir => Some("FHIR Data Reader"),
///         ServiceKind::Dicom => Some("DICOM Data Reader"),
///         _ => None,
///     }
/// }
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let imaging = DicomAudience::workspace("contoso", "imaging").build()?;
/// assert_eq!(reader(&imaging), Some("DICOM Data Reader"));
/// assert_eq!(imaging.service().to_string(), "DICOM"); // as it stands in events and errors
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

impl ServiceKind {
    fn name(self) -> &'static str {
        match self {
            Self::Fhir => "FHIR",
            Self::Dicom => "DICOM",
        }
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An Azure cloud in which Azure Health Data Services has documented addresses.
///
/// For another, give the service by its URL and its audience by `.resource(…)`.
///
/// ```
/// use azure_healthcare_auth::{Audience, Cloud, DicomAudience, FhirAudience};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let records = FhirAudience::workspace("contoso", "records").cloud(Cloud::UsGovernment).build()?;
/// assert_eq!(records.endpoint().as_str(), "https://contoso-records.fhir.azurehealthcareapis.us/");
///
/// let imaging = DicomAudience::workspace("contoso", "imaging").cloud(Cloud::UsGovernment);
/// assert!(imaging.clone().build().is_err()); // what would its tokens be asked for?
/// let imaging = imaging.resource("api://contoso-imaging").build()?;
/// assert_eq!(imaging.endpoint().as_str(), "https://contoso-imaging.dicom.azurehealthcareapis.us/v2/");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Cloud {
    /// The public cloud, `azurehealthcareapis.com`. The default.
    #[default]
    Public,
    /// Azure for US Government, `azurehealthcareapis.us`.
    ///
    /// No audience is documented for its DICOM service: that one needs `.resource(…)`.
    UsGovernment,
}

impl Cloud {
    const ALL: [Self; 2] = [Self::Public, Self::UsGovernment];

    fn domain(self) -> &'static str {
        match self {
            Self::Public => "azurehealthcareapis.com",
            Self::UsGovernment => "azurehealthcareapis.us",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "Public",
            Self::UsGovernment => "UsGovernment",
        })
    }
}

fn debug(audience: &impl Audience, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(name)
        .field("endpoint", &audience.endpoint().as_str())
        .field("resource", &audience.resource())
        .finish()
}
