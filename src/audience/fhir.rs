//! [`FhirAudience`] and its builder.

use std::sync::Arc;

use url::Url;

use super::{
    audience,
    cloud::Cloud,
    endpoint::{self, EndpointSpec, Target},
    host::{HostKind, host_kind},
    invalid::{Field, InvalidAudience},
    sealed,
    service_kind::ServiceKind,
};
use crate::Result;

/// The audience of a FHIR service, or of an account of its predecessor Azure API for FHIR.
///
/// Tokens are for the origin of the service, without a trailing slash. If the owner of the service has configured another
/// audience (`authenticationConfiguration.audience`), set it with [`resource`](FhirAudienceBuilder::resource).
///
/// Cloning is cheap.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{FhirAudience, ServiceKind};
/// use url::Url;
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let audience = FhirAudience::workspace("contoso", "records").build()?;
/// assert_eq!(audience.endpoint().as_str(), "https://contoso-records.fhir.azurehealthcareapis.com/");
/// assert_eq!(audience.resource(), "https://contoso-records.fhir.azurehealthcareapis.com");
/// assert_eq!(audience.scope(), "https://contoso-records.fhir.azurehealthcareapis.com/.default");
/// assert_eq!(audience.service(), ServiceKind::Fhir);
///
/// let patients = audience.url("Patient")?;
/// assert_eq!(patients.as_str(), "https://contoso-records.fhir.azurehealthcareapis.com/Patient");
/// audience.check_url(&patients)?;
///
/// let emulator = FhirAudience::from_endpoint("http://localhost:8080/r4").build()?;
/// assert_eq!(emulator.resource(), "http://localhost:8080");
///
/// let parsed: FhirAudience = "https://contoso-records.fhir.azurehealthcareapis.com".parse()?;
/// assert_eq!(parsed, audience);
/// let url = Url::parse("https://contoso-records.fhir.azurehealthcareapis.com").unwrap();
/// assert_eq!(FhirAudience::try_from(url)?, audience);
///
/// let account = FhirAudience::account("contoso").build()?;
/// assert_eq!(account.resource(), "https://contoso.azurehealthcareapis.com");
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct FhirAudience(Arc<Target>);

/// A builder for [`FhirAudience`]. [`build`](Self::build) checks all settings.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Cloud, FhirAudience};
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let records = FhirAudience::workspace("contoso", "records").cloud(Cloud::UsGovernment).build()?;
/// assert_eq!(records.resource(), "https://contoso-records.fhir.azurehealthcareapis.us");
///
/// // Behind a gateway, with a resource that the owner of the service has configured:
/// let records =
///     FhirAudience::from_endpoint("https://fhir.contoso.example/r4").resource("api://contoso-fhir").build()?;
/// assert_eq!(records.url("Patient")?.as_str(), "https://fhir.contoso.example/r4/Patient");
/// assert_eq!(records.scope(), "api://contoso-fhir/.default");
///
/// // A mistake is an error here, instead of a 401 in production:
/// let mistake = FhirAudience::from_endpoint("https://contoso-imaging.dicom.azurehealthcareapis.com").build();
/// assert!(mistake.unwrap_err().to_string().contains("use `DicomAudience`"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use = "call `build` to get the audience"]
pub struct FhirAudienceBuilder {
    pub(super) spec: EndpointSpec,
    pub(super) cloud: Option<Cloud>,
    pub(super) resource: Option<String>,
}

impl FhirAudience {
    /// Starts an audience for the FHIR service of a workspace:
    /// `https://{workspace}-{service}.fhir.azurehealthcareapis.com`.
    ///
    /// A workspace name has 3 to 24 letters a–z and digits. A service name has 3 to 24 letters a–z, digits and `-`, with a
    /// letter or digit at both ends.
    pub fn workspace(workspace: impl Into<String>, service: impl Into<String>) -> FhirAudienceBuilder {
        FhirAudienceBuilder::new(EndpointSpec::Workspace {
            workspace: workspace.into(),
            service: service.into(),
        })
    }

    /// Starts an audience for an account of Azure API for FHIR: `https://{account}.azurehealthcareapis.com`.
    ///
    /// Azure API for FHIR was retired on 2026-09-30. The walkthrough in the Azure documentation uses this form.
    pub fn account(account: impl Into<String>) -> FhirAudienceBuilder {
        FhirAudienceBuilder::new(EndpointSpec::Account(account.into()))
    }

    /// Starts an audience for a service at a base URL: on Azure, on your own host, behind a gateway, or an emulator.
    ///
    /// The scheme is `https`, or `http` for `localhost`, `127.0.0.0/8` and `[::1]`. The URL may have a base path
    /// (`https://fhir.contoso.example/r4`). `parse` and `TryFrom<Url>` do the same without a builder.
    pub fn from_endpoint(url: impl Into<String>) -> FhirAudienceBuilder {
        FhirAudienceBuilder::new(EndpointSpec::Url(url.into()))
    }
}

impl FhirAudienceBuilder {
    fn new(spec: EndpointSpec) -> Self {
        Self { spec, cloud: None, resource: None }
    }

    /// Sets the cloud. Default: [`Cloud::Public`]. If the endpoint was given as a URL, the cloud must match it.
    pub fn cloud(mut self, cloud: Cloud) -> Self {
        self.cloud = Some(cloud);
        self
    }

    /// Sets the resource that tokens are for. Default: the origin of the service.
    ///
    /// The resource is used verbatim. For a resource that ends in `/` the scope ends in `//.default`, because Entra issues a
    /// token for exactly that audience only then.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self
    }

    /// Checks the settings and builds the audience.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Audience`](crate::ErrorKind::Audience) if a setting is invalid. The message says what to write
    /// instead.
    pub fn build(self) -> Result<FhirAudience> {
        Ok(self.checked()?)
    }

    pub(super) fn checked(self) -> Result<FhirAudience, InvalidAudience> {
        let endpoint = self.spec.url("fhir", self.cloud.unwrap_or_default())?;
        check_host(&endpoint, self.cloud)?;
        let resource = self.resource.unwrap_or_else(|| endpoint.origin().ascii_serialization());
        Ok(FhirAudience(Arc::new(Target::new(endpoint, &resource)?)))
    }
}

/// Checks that a host in a domain of Azure Health Data Services belongs to a FHIR service and has valid names.
fn check_host(url: &Url, cloud: Option<Cloud>) -> Result<(), InvalidAudience> {
    let host = url.host_str().unwrap_or_default();
    let Some((found, kind)) = host_kind(host) else { return Ok(()) };
    let example = || format!("`https://contoso-records.fhir.{}`", found.domain());
    let host = host.to_owned();
    let service = ServiceKind::Fhir;
    match kind {
        HostKind::Fhir(label) => endpoint::check_label(label)?,
        HostKind::Account(account) => endpoint::check_name(Field::Account, account)?,
        HostKind::Dicom(_) => {
            let (found, instead) = (ServiceKind::Dicom, "`DicomAudience`");
            return Err(InvalidAudience::OtherService { host, found, instead });
        }
        HostKind::Domain => return Err(InvalidAudience::Domain { host, example: example() }),
        HostKind::Unknown => {
            return Err(InvalidAudience::NotAService { host, service, example: example() });
        }
    }
    endpoint::check_azure_url(url, found, cloud)?;
    if url.path() != "/" {
        let origin = url.origin().ascii_serialization();
        return Err(InvalidAudience::BasePath { origin, service, paths: "no base path" });
    }
    Ok(())
}

impl sealed::Sealed for FhirAudience {
    fn target(&self) -> &Target {
        &self.0
    }
}

audience!(FhirAudience, "FhirAudience", Fhir);
