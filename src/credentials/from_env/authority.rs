//! [`Authority`]: the Entra endpoint that issues tokens, and the clouds it serves.

use azure_core::error::{Error as CoreError, ErrorKind as CoreKind};
use url::Url;

use super::env::{AUTHORITY_HOST, EnvVars, env_error};
use crate::{
    Cloud, Result,
    audience::{cloud::PUBLIC_DICOM, host::host_kind},
};

const PUBLIC: &str = "https://login.microsoftonline.com";
const US_GOVERNMENT: &str = "https://login.microsoftonline.us";

/// The Entra endpoint that issues tokens: `AZURE_AUTHORITY_HOST`, or that of the public cloud.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    url: Url,
}

impl Authority {
    pub(super) fn from_env(env: &EnvVars<'_>) -> Result<Self> {
        let value = env.get(AUTHORITY_HOST);
        match Url::parse(value.as_deref().unwrap_or(PUBLIC)) {
            Ok(url) if url.scheme() == "https" && url.has_host() => Ok(Self { url }),
            _ => Err(env_error(format!("{AUTHORITY_HOST} must be an https URL, for example {PUBLIC}"))),
        }
    }

    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Returns an error if the scope's service is known to be in a cloud that this authority does not serve.
    ///
    /// Unknown hosts and resources pass.
    pub(super) fn check_scope(&self, scope: &str) -> azure_core::Result<()> {
        let authority = self.url.host_str().unwrap_or_default();
        let service = Url::parse(scope).ok();
        let service = service.as_ref().and_then(Url::host_str).unwrap_or_default();
        match (clouds_of_authority(authority), cloud_of_service(service)) {
            (Some(served), Some(cloud)) if !served.contains(&cloud) => {
                let expected = match cloud {
                    Cloud::UsGovernment => US_GOVERNMENT,
                    Cloud::Public => PUBLIC,
                };
                Err(CoreError::with_message(
                    CoreKind::Credential,
                    format!(
                        "{service} and the authority {authority} are in different clouds: \
                         set {AUTHORITY_HOST} to {expected}"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

/// Returns the clouds of [`Cloud`] that a known authority serves, or `None` for an unknown host.
fn clouds_of_authority(host: &str) -> Option<&'static [Cloud]> {
    match host {
        "login.microsoftonline.com" | "login.microsoft.com" | "login.windows.net" => Some(&[Cloud::Public]),
        "login.microsoftonline.us" => Some(&[Cloud::UsGovernment]),
        "login.chinacloudapi.cn" | "login.partner.microsoftonline.cn" => Some(&[]),
        _ => None,
    }
}

fn cloud_of_service(host: &str) -> Option<Cloud> {
    match PUBLIC_DICOM.strip_prefix("https://") == Some(host) {
        true => Some(Cloud::Public),
        false => host_kind(host).map(|(cloud, _)| cloud),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(host: Option<&str>) -> Result<Authority> {
        Authority::from_env(&EnvVars::new(&|name| host.filter(|_| name == AUTHORITY_HOST).map(str::to_owned)))
    }

    #[test]
    fn service_in_another_cloud_is_an_error() {
        const COM: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";
        const US: &str = "https://contoso-records.fhir.azurehealthcareapis.us/.default";
        const DICOM: &str = "https://dicom.healthcareapis.azure.com/.default";
        for (host, scope, expected) in [
            (None, COM, None),
            (None, DICOM, None),
            (None, "https://contoso.azurehealthcareapis.com/.default", None),
            (None, US, Some("https://login.microsoftonline.us")),
            (Some("https://login.microsoftonline.us"), US, None),
            (Some("https://login.microsoftonline.us/"), COM, Some("https://login.microsoftonline.com")),
            (Some("https://login.microsoftonline.us/"), DICOM, Some("https://login.microsoftonline.com")),
            (Some("https://LOGIN.microsoftonline.us"), COM, Some("https://login.microsoftonline.com")),
            (Some("https://login.windows.net"), US, Some("https://login.microsoftonline.us")),
            (Some("https://login.chinacloudapi.cn"), COM, Some("https://login.microsoftonline.com")),
            (Some("https://login.contoso.example"), US, None),
            (Some("https://login.microsoftonline.us"), "api://contoso-fhir/.default", None),
            (Some("https://login.microsoftonline.us"), "https://fhir.contoso.example/.default", None),
            (None, "https://azurehealthcareapis.us.contoso.example/.default", None),
            (None, "no url", None),
        ] {
            let outcome = authority(host).unwrap().check_scope(scope).map_err(|error| error.to_string());
            match (outcome, expected) {
                (Ok(()), None) => {}
                (Err(text), Some(expected)) => {
                    assert!(text.ends_with(&format!("set AZURE_AUTHORITY_HOST to {expected}")), "{text}");
                }
                (outcome, _) => panic!("{host:?} {scope}: {outcome:?}"),
            }
        }
    }

    #[test]
    fn authority_must_be_an_https_url() {
        for host in ["login.microsoftonline.us", "http://login.microsoftonline.us", "https://", "x y"] {
            let error = authority(Some(host)).unwrap_err().to_string();
            assert!(error.contains("must be an https URL"), "{host}: {error}");
        }
        assert_eq!(authority(Some(" ")).unwrap().url(), "https://login.microsoftonline.com/");
    }
}
