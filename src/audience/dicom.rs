//! [`DicomAudience`] and its builder.

use std::sync::Arc;

use url::Url;

use super::{
    audience,
    cloud::{Cloud, PUBLIC_DICOM},
    endpoint::{self, EndpointSpec, Target},
    host::{HostKind, host_kind},
    invalid::InvalidAudience,
    sealed,
    service_kind::ServiceKind,
    version::DicomVersion,
};
use crate::Result;

/// The audience of a DICOM service, with the version of its API.
///
/// Tokens are for `https://dicom.healthcareapis.azure.com`, the resource of all DICOM services in the public cloud. All of
/// them share one cached token.
///
/// Cloning is cheap.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{DicomAudience, DicomVersion, ServiceKind};
/// use url::Url;
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let audience = DicomAudience::workspace("contoso", "imaging").version(DicomVersion::V1).build()?;
/// assert_eq!(audience.endpoint().as_str(), "https://contoso-imaging.dicom.azurehealthcareapis.com/v1/");
/// assert_eq!(audience.resource(), "https://dicom.healthcareapis.azure.com");
/// assert_eq!(audience.scope(), "https://dicom.healthcareapis.azure.com/.default");
/// assert_eq!(audience.service(), ServiceKind::Dicom);
///
/// let changes = audience.url("changefeed")?;
/// assert_eq!(changes.as_str(), "https://contoso-imaging.dicom.azurehealthcareapis.com/v1/changefeed");
/// audience.check_url(&changes)?;
///
/// let emulator = DicomAudience::from_endpoint("http://localhost:8080").build()?;
/// assert_eq!(emulator.endpoint().as_str(), "http://localhost:8080/v2/");
///
/// let parsed: DicomAudience = "https://contoso-imaging.dicom.azurehealthcareapis.com/v1".parse()?;
/// assert_eq!(parsed, audience);
/// let url = Url::parse("https://contoso-imaging.dicom.azurehealthcareapis.com/v1").unwrap();
/// assert_eq!(DicomAudience::try_from(url)?, audience);
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DicomAudience {
    target: Arc<Target>,
    version: DicomVersion,
}

/// A builder for [`DicomAudience`]. [`build`](Self::build) checks all settings.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Cloud, DicomAudience, DicomVersion};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// // Behind a gateway: the version is appended to the URL, and tokens are for the public resource.
/// let imaging =
///     DicomAudience::from_endpoint("https://pacs.contoso.example/azure").version(DicomVersion::V1).build()?;
/// assert_eq!(imaging.endpoint().as_str(), "https://pacs.contoso.example/azure/v1/");
/// assert_eq!(imaging.scope(), "https://dicom.healthcareapis.azure.com/.default");
///
/// // No resource is documented for this cloud, so it is required:
/// let imaging = DicomAudience::workspace("contoso", "imaging")
///     .cloud(Cloud::UsGovernment)
///     .resource("api://contoso-imaging")
///     .build()?;
/// assert_eq!(imaging.scope(), "api://contoso-imaging/.default");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "call `build` to get the audience"]
pub struct DicomAudienceBuilder {
    pub(super) spec: EndpointSpec,
    pub(super) cloud: Option<Cloud>,
    pub(super) resource: Option<String>,
    pub(super) version: Option<DicomVersion>,
}

impl DicomAudience {
    /// Starts an audience for the DICOM service of a workspace:
    /// `https://{workspace}-{service}.dicom.azurehealthcareapis.com`.
    ///
    /// A workspace name has 3 to 24 letters a–z and digits. A service name has 3 to 24 letters a–z, digits and `-`, with a
    /// letter or digit at both ends.
    pub fn workspace(workspace: impl Into<String>, service: impl Into<String>) -> DicomAudienceBuilder {
        DicomAudienceBuilder::new(EndpointSpec::Workspace {
            workspace: workspace.into(),
            service: service.into(),
        })
    }

    /// Starts an audience for a service at a base URL: on Azure, on your own host, behind a gateway, or an emulator.
    ///
    /// If the URL ends in `/v1` or `/v2`, that is the version. Otherwise the [version](DicomVersion) is appended. The scheme
    /// is `https`, or `http` for `localhost`, `127.0.0.0/8` and `[::1]`. `parse` and `TryFrom<Url>` do the same without a
    /// builder.
    ///
    /// On a host outside Azure, tokens are for the public resource of DICOM services, unless
    /// [`resource`](DicomAudienceBuilder::resource) sets another one.
    pub fn from_endpoint(url: impl Into<String>) -> DicomAudienceBuilder {
        DicomAudienceBuilder::new(EndpointSpec::Url(url.into()))
    }

    /// Returns the version of the API.
    #[must_use]
    pub fn version(&self) -> DicomVersion {
        self.version
    }
}

impl DicomAudienceBuilder {
    fn new(spec: EndpointSpec) -> Self {
        Self { spec, cloud: None, resource: None, version: None }
    }

    /// Sets the cloud. Default: [`Cloud::Public`]. If the endpoint was given as a URL on Azure, the cloud must match it.
    ///
    /// No resource is documented for [`Cloud::UsGovernment`], so [`resource`](Self::resource) is required there.
    pub fn cloud(mut self, cloud: Cloud) -> Self {
        self.cloud = Some(cloud);
        self
    }

    /// Sets the resource that tokens are for. Default: the public resource of DICOM services.
    ///
    /// The resource is used verbatim. For a resource that ends in `/` the scope ends in `//.default`, because Entra issues a
    /// token for exactly that audience only then.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Sets the version of the API. Default: the version at the end of the URL, or [`DicomVersion::V2`].
    pub fn version(mut self, version: DicomVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// Checks the settings and builds the audience.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Audience`](crate::ErrorKind::Audience) if a setting is invalid. The message says what to write
    /// instead.
    pub fn build(self) -> Result<DicomAudience> {
        Ok(self.checked()?)
    }

    pub(super) fn checked(self) -> Result<DicomAudience, InvalidAudience> {
        let set_cloud = self.cloud.unwrap_or_default();
        let mut endpoint = self.spec.url("dicom", set_cloud)?;
        let found = version_in(&endpoint);
        let cloud = check_host(&endpoint, self.cloud, found)?.unwrap_or(set_cloud);
        let version = match (found, self.version) {
            (Some(found), Some(set)) if found != set => {
                return Err(InvalidAudience::OtherVersion { found, set });
            }
            (found, set) => found.or(set).unwrap_or_default(),
        };
        if found.is_none() {
            endpoint.set_path(&format!("{}{version}/", endpoint.path()));
        }
        let resource = match &self.resource {
            Some(resource) => resource,
            None if cloud == Cloud::Public => PUBLIC_DICOM,
            None => return Err(InvalidAudience::NoPreset { service: ServiceKind::Dicom, cloud }),
        };
        Ok(DicomAudience { target: Arc::new(Target::new(endpoint, resource)?), version })
    }
}

/// Returns the version in the last segment of a base URL.
fn version_in(url: &Url) -> Option<DicomVersion> {
    url.path().strip_suffix('/')?.rsplit('/').next()?.parse().ok()
}

/// Checks that a host in a domain of Azure Health Data Services belongs to a DICOM service and has valid names. Returns
/// its cloud.
fn check_host(
    url: &Url,
    cloud: Option<Cloud>,
    version: Option<DicomVersion>,
) -> Result<Option<Cloud>, InvalidAudience> {
    let host = url.host_str().unwrap_or_default();
    let Some((found, kind)) = host_kind(host) else { return Ok(None) };
    let example = || format!("`https://contoso-imaging.dicom.{}/v2`", found.domain());
    let host = host.to_owned();
    let service = ServiceKind::Dicom;
    match kind {
        HostKind::Dicom(label) => endpoint::check_label(label)?,
        HostKind::Fhir(_) => {
            let (found, instead) = (ServiceKind::Fhir, "`FhirAudience`");
            return Err(InvalidAudience::OtherService { host, found, instead });
        }
        HostKind::Domain => return Err(InvalidAudience::Domain { host, example: example() }),
        HostKind::Account(_) | HostKind::Unknown => {
            return Err(InvalidAudience::NotAService { host, service, example: example() });
        }
    }
    endpoint::check_azure_url(url, found, cloud)?;
    let segments = url.path().split('/').filter(|segment| !segment.is_empty()).count();
    if segments != usize::from(version.is_some()) {
        let origin = url.origin().ascii_serialization();
        return Err(InvalidAudience::BasePath { origin, service, paths: "the base path `/v1` or `/v2`" });
    }
    Ok(Some(found))
}

impl sealed::Sealed for DicomAudience {
    fn target(&self) -> &Target {
        &self.target
    }
}

audience!(DicomAudience, "DicomAudience", Dicom);
