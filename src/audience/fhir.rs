//! [`FhirAudience`]: a FHIR service.

use std::{fmt, str::FromStr, sync::Arc};

use url::Url;

use super::{
    Audience, Cloud, ServiceKind,
    address::{self, Address, Name, Place, Site},
    refusal::Refusal,
    sealed,
};
use crate::{Error, Result};

/// A FHIR service, or an account of its predecessor Azure API for FHIR.
///
/// Its tokens are asked for its own origin without a trailing slash, unless the owner of the service has set
/// another audience (`authenticationConfiguration.audience`) and [`resource`](FhirAudienceBuilder::resource) says so.
///
/// Cloning costs a counter.
///
/// ```
/// use azure_healthcare_auth::{Audience, FhirAudience};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let audience = FhirAudience::workspace("contoso", "records").build()?;
/// assert_eq!(audience.endpoint().as_str(), "https://contoso-records.fhir.azurehealthcareapis.com/");
/// assert_eq!(audience.resource(), "https://contoso-records.fhir.azurehealthcareapis.com");
///
/// let configured: FhirAudience = "https://contoso-records.fhir.azurehealthcareapis.com".parse()?;
/// assert_eq!(configured, audience);
///
/// let predecessor = FhirAudience::account("contoso").build()?;
/// assert_eq!(predecessor.resource(), "https://contoso.azurehealthcareapis.com");
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FhirAudience(Arc<Address>);

/// Builds a [`FhirAudience`]. Everything is checked in [`build`](Self::build).
///
/// ```
/// use azure_healthcare_auth::{Audience, Cloud, FhirAudience};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let records = FhirAudience::workspace("contoso", "records").cloud(Cloud::UsGovernment).build()?;
/// assert_eq!(records.resource(), "https://contoso-records.fhir.azurehealthcareapis.us");
///
/// // Behind a gateway, and with a resource that the owner of the service has set:
/// let records = FhirAudience::endpoint("https://fhir.contoso.example/r4").resource("api://contoso-fhir").build()?;
/// assert_eq!(records.url("Patient")?.as_str(), "https://fhir.contoso.example/r4/Patient");
/// assert_eq!(records.scope(), "api://contoso-fhir/.default");
///
/// // A mistake is told here, and not by a 401 in production:
/// let mistaken = FhirAudience::endpoint("https://contoso-imaging.dicom.azurehealthcareapis.com").build();
/// assert!(mistaken.unwrap_err().to_string().contains("use `DicomAudience`"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an audience is made by `build()`"]
pub struct FhirAudienceBuilder {
    pub(super) site: Site,
    pub(super) cloud: Option<Cloud>,
    pub(super) resource: Option<String>,
}

impl FhirAudience {
    /// The FHIR service of a workspace: `https://{workspace}-{service}.fhir.azurehealthcareapis.com`.
    ///
    /// A workspace name has 3 to 24 letters a–z and digits; a service name has 3 to 24 letters, digits and `-`, with
    /// a letter or digit at both ends. Names are given in lower case, as hosts are.
    pub fn workspace(workspace: impl Into<String>, service: impl Into<String>) -> FhirAudienceBuilder {
        FhirAudienceBuilder::new(Site::Workspace { workspace: workspace.into(), service: service.into() })
    }

    /// An account of Azure API for FHIR: `https://{account}.azurehealthcareapis.com`.
    ///
    /// That product was retired on 2026-09-30. Its form of address is the one that the walk-through of the Azure
    /// documentation uses.
    pub fn account(account: impl Into<String>) -> FhirAudienceBuilder {
        FhirAudienceBuilder::new(Site::Account(account.into()))
    }

    /// A service by its base URL: on Azure, behind a host of one's own, a proxy or an emulator.
    ///
    /// `https`, and `http` to `localhost`, `127.0.0.0/8` and `[::1]` alone. A base path is kept
    /// (`https://fhir.contoso.example/r4`). To read a URL from configuration, `parse()` does the same.
    pub fn endpoint(url: impl Into<String>) -> FhirAudienceBuilder {
        FhirAudienceBuilder::new(Site::Endpoint(url.into()))
    }
}

impl FhirAudienceBuilder {
    fn new(site: Site) -> Self {
        Self { site, cloud: None, resource: None }
    }

    /// The cloud in which the names stand. Default: [`Cloud::Public`]. With a URL it only confirms the URL's own.
    pub fn cloud(mut self, cloud: Cloud) -> Self {
        self.cloud = Some(cloud);
        self
    }

    /// What tokens are asked for, where it is not the origin of the service: the audience that its owner has set.
    ///
    /// It is kept as it is given, character for character. One that ends in `/` is asked for with `//.default`,
    /// which Entra needs to issue exactly that audience.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Checks what was given and makes the audience.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Audience`](crate::ErrorKind::Audience), with a text that says what to write instead.
    pub fn build(self) -> Result<FhirAudience> {
        Ok(self.checked()?)
    }

    pub(super) fn checked(self) -> Result<FhirAudience, Refusal> {
        let endpoint = self.site.url("fhir", self.cloud.unwrap_or_default())?;
        check_host(&endpoint, self.cloud)?;
        let resource = self.resource.unwrap_or_else(|| endpoint.origin().ascii_serialization());
        Ok(FhirAudience(Arc::new(Address::new(endpoint, &resource)?)))
    }
}

/// A host in Azure's own domains must be one of a FHIR service, named by its rules.
fn check_host(url: &Url, told: Option<Cloud>) -> Result<(), Refusal> {
    let host = url.host_str().unwrap_or_default();
    let Some((cloud, place)) = address::place(host) else { return Ok(()) };
    let example = || format!("`https://contoso-records.fhir.{}`", cloud.domain());
    let host = host.to_owned();
    match place {
        Place::Fhir(label) => address::check_label(label)?,
        Place::Account(account) => Name::Account.check(account)?,
        Place::Dicom(_) => {
            return Err(Refusal::OtherService { host, found: "DICOM", instead: "`DicomAudience`" });
        }
        Place::Domain => return Err(Refusal::Domain { host, example: example() }),
        Place::Unknown => return Err(Refusal::NotAService { host, service: "FHIR", example: example() }),
    }
    address::check_azure(url, cloud, told)?;
    if url.path() != "/" {
        let origin = url.origin().ascii_serialization();
        return Err(Refusal::BasePath { origin, service: "FHIR", paths: "no base path" });
    }
    Ok(())
}

impl sealed::Sealed for FhirAudience {
    fn address(&self) -> &Address {
        &self.0
    }
}

impl Audience for FhirAudience {
    fn service(&self) -> ServiceKind {
        ServiceKind::Fhir
    }
}

impl FromStr for FhirAudience {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        Self::endpoint(url).build()
    }
}

/// The base URL.
impl fmt::Display for FhirAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint().fmt(f)
    }
}

impl fmt::Debug for FhirAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug(self, "FhirAudience", f)
    }
}
