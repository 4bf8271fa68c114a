//! [`DicomAudience`]: a DICOM service.

use std::{fmt, str::FromStr, sync::Arc};

use url::Url;

use super::{
    Audience, Cloud, ServiceKind,
    address::{self, Address, Place, Site},
    refusal::Refusal,
    sealed,
};
use crate::{Error, Result};

/// The one audience of all DICOM services in the public cloud. It is not their host.
pub(crate) const PUBLIC_DICOM: &str = "https://dicom.healthcareapis.azure.com";

/// A DICOM service, with the version of its API.
///
/// Its tokens are not asked for its own host but for `https://dicom.healthcareapis.azure.com`, the audience of every
/// DICOM service in the public cloud; so all of them share one token.
///
/// Cloning costs a counter.
///
/// ```
/// use azure_healthcare_auth::{Audience, DicomAudience, DicomVersion};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let audience = DicomAudience::workspace("contoso", "imaging").version(DicomVersion::V1).build()?;
/// assert_eq!(audience.endpoint().as_str(), "https://contoso-imaging.dicom.azurehealthcareapis.com/v1/");
/// assert_eq!(audience.resource(), "https://dicom.healthcareapis.azure.com");
///
/// let configured: DicomAudience = "https://contoso-imaging.dicom.azurehealthcareapis.com/v1".parse()?;
/// assert_eq!(configured, audience);
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DicomAudience {
    address: Arc<Address>,
    version: DicomVersion,
}

/// The version of the DICOM service's API, the last segment of its base URL.
///
/// ```
/// use azure_healthcare_auth::{Audience, DicomAudience, DicomVersion};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let imaging = DicomAudience::workspace("contoso", "imaging");
/// for (version, base) in [(DicomVersion::V1, "/v1/"), (DicomVersion::V2, "/v2/")] {
///     assert_eq!(imaging.clone().version(version).build()?.endpoint().path(), base);
/// }
/// assert_eq!(imaging.build()?.version(), DicomVersion::V2);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum DicomVersion {
    /// `/v1/`.
    V1,
    /// `/v2/`. The default.
    #[default]
    V2,
}

impl DicomVersion {
    pub(super) const ALL: [Self; 2] = [Self::V1, Self::V2];

    fn segment(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// As it stands in a URL: `v1`, `v2`.
impl fmt::Display for DicomVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.segment())
    }
}

/// Builds a [`DicomAudience`]. Everything is checked in [`build`](Self::build).
///
/// ```
/// use azure_healthcare_auth::{Audience, Cloud, DicomAudience, DicomVersion};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// // Behind a gateway: the version is added to its URL, and the tokens are those of the public cloud.
/// let imaging = DicomAudience::endpoint("https://pacs.contoso.example/azure").version(DicomVersion::V1).build()?;
/// assert_eq!(imaging.endpoint().as_str(), "https://pacs.contoso.example/azure/v1/");
/// assert_eq!(imaging.scope(), "https://dicom.healthcareapis.azure.com/.default");
///
/// // In a cloud for which no resource is documented, it is given:
/// let imaging = DicomAudience::workspace("contoso", "imaging")
///     .cloud(Cloud::UsGovernment)
///     .resource("api://contoso-imaging")
///     .build()?;
/// assert_eq!(imaging.scope(), "api://contoso-imaging/.default");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an audience is made by `build()`"]
pub struct DicomAudienceBuilder {
    pub(super) site: Site,
    pub(super) cloud: Option<Cloud>,
    pub(super) resource: Option<String>,
    pub(super) version: Option<DicomVersion>,
}

impl DicomAudience {
    /// The DICOM service of a workspace: `https://{workspace}-{service}.dicom.azurehealthcareapis.com`.
    ///
    /// A workspace name has 3 to 24 letters a–z and digits; a service name has 3 to 24 letters, digits and `-`, with
    /// a letter or digit at both ends. Names are given in lower case, as hosts are.
    pub fn workspace(workspace: impl Into<String>, service: impl Into<String>) -> DicomAudienceBuilder {
        DicomAudienceBuilder::new(Site::Workspace { workspace: workspace.into(), service: service.into() })
    }

    /// A service by its base URL: on Azure, behind a host of one's own, a proxy or an emulator.
    ///
    /// A URL that ends in `/v1` or `/v2` says its version by that; to any other the [version](DicomVersion) is added.
    /// `https`, and `http` to `localhost`, `127.0.0.0/8` and `[::1]` alone. To read a URL from configuration,
    /// `parse()` does the same.
    ///
    /// On a host of one's own tokens are asked for the public audience of DICOM services, unless
    /// [`resource`](DicomAudienceBuilder::resource) names another.
    pub fn endpoint(url: impl Into<String>) -> DicomAudienceBuilder {
        DicomAudienceBuilder::new(Site::Endpoint(url.into()))
    }

    /// The version of the API.
    #[must_use]
    pub fn version(&self) -> DicomVersion {
        self.version
    }
}

impl DicomAudienceBuilder {
    fn new(site: Site) -> Self {
        Self { site, cloud: None, resource: None, version: None }
    }

    /// The cloud in which the names stand. Default: [`Cloud::Public`]. With a URL on Azure it only confirms the URL's
    /// own.
    ///
    /// For [`Cloud::UsGovernment`] no resource is documented: give it by [`resource`](Self::resource).
    pub fn cloud(mut self, cloud: Cloud) -> Self {
        self.cloud = Some(cloud);
        self
    }

    /// What tokens are asked for, where it is not the public audience of DICOM services.
    ///
    /// It is kept as it is given, character for character. One that ends in `/` is asked for with `//.default`,
    /// which Entra needs to issue exactly that audience.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// The version of the API. Default: [`DicomVersion::V2`], or what the URL ends in.
    pub fn version(mut self, version: DicomVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// Checks what was given and makes the audience.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Audience`](crate::ErrorKind::Audience), with a text that says what to write instead.
    pub fn build(self) -> Result<DicomAudience> {
        Ok(self.checked()?)
    }

    pub(super) fn checked(self) -> Result<DicomAudience, Refusal> {
        let told = self.cloud.unwrap_or_default();
        let mut endpoint = self.site.url("dicom", told)?;
        let found = version_in(&endpoint);
        let cloud = check_host(&endpoint, self.cloud, found)?.unwrap_or(told);
        let version = match (found, self.version) {
            (Some(found), Some(told)) if found != told => {
                return Err(Refusal::OtherVersion { found, told });
            }
            (found, told) => found.or(told).unwrap_or_default(),
        };
        if found.is_none() {
            endpoint.set_path(&format!("{}{version}/", endpoint.path()));
        }
        let resource = match &self.resource {
            Some(resource) => resource,
            None if cloud == Cloud::Public => PUBLIC_DICOM,
            None => return Err(Refusal::NoPreset { service: "DICOM", cloud }),
        };
        Ok(DicomAudience { address: Arc::new(Address::new(endpoint, resource)?), version })
    }
}

/// The version that the last segment of a base URL says.
fn version_in(url: &Url) -> Option<DicomVersion> {
    let last = url.path().strip_suffix('/')?.rsplit('/').next()?;
    DicomVersion::ALL.into_iter().find(|version| version.segment() == last)
}

/// A host in Azure's own domains must be one of a DICOM service, named by its rules. Tells its cloud.
fn check_host(
    url: &Url,
    told: Option<Cloud>,
    version: Option<DicomVersion>,
) -> Result<Option<Cloud>, Refusal> {
    let host = url.host_str().unwrap_or_default();
    let Some((cloud, place)) = address::place(host) else { return Ok(None) };
    let example = || format!("`https://contoso-imaging.dicom.{}/v2`", cloud.domain());
    let host = host.to_owned();
    match place {
        Place::Dicom(label) => address::check_label(label)?,
        Place::Fhir(_) => {
            return Err(Refusal::OtherService { host, found: "FHIR", instead: "`FhirAudience`" });
        }
        Place::Domain => return Err(Refusal::Domain { host, example: example() }),
        Place::Account(_) | Place::Unknown => {
            return Err(Refusal::NotAService { host, service: "DICOM", example: example() });
        }
    }
    address::check_azure(url, cloud, told)?;
    let segments = url.path().split('/').filter(|segment| !segment.is_empty()).count();
    if segments != usize::from(version.is_some()) {
        let origin = url.origin().ascii_serialization();
        return Err(Refusal::BasePath { origin, service: "DICOM", paths: "the base path `/v1` or `/v2`" });
    }
    Ok(Some(cloud))
}

impl sealed::Sealed for DicomAudience {
    fn address(&self) -> &Address {
        &self.address
    }
}

impl Audience for DicomAudience {
    fn service(&self) -> ServiceKind {
        ServiceKind::Dicom
    }
}

impl FromStr for DicomAudience {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        Self::endpoint(url).build()
    }
}

/// The base URL.
impl fmt::Display for DicomAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint().fmt(f)
    }
}

impl fmt::Debug for DicomAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug(self, "DicomAudience", f)
    }
}
