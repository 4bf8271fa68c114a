//! [`Authority`]: which Entra is asked, and whether the service is in its cloud.

use azure_core::error::{Error as CoreError, ErrorKind as CoreKind};
use url::Url;

use super::plan::Env;
use crate::{
    Cloud, Error, ErrorKind, Result,
    audience::{PUBLIC_DICOM, host_kind},
};

pub(super) const NAME: &str = "AZURE_AUTHORITY_HOST";
const PUBLIC: &str = "https://login.microsoftonline.com";

/// Where tokens are asked for: `AZURE_AUTHORITY_HOST`, or the public cloud's Entra.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    url: Url,
}

impl Authority {
    pub(super) fn read(env: &Env<'_>) -> Result<Self> {
        let given = env.get(NAME);
        match Url::parse(given.as_deref().unwrap_or(PUBLIC)) {
            Ok(url) if url.scheme() == "https" && url.has_host() => Ok(Self { url }),
            _ => {
                let message = format!("{NAME} has to be an https URL, such as {PUBLIC}");
                Err(Error::new(ErrorKind::Credential, message))
            }
        }
    }

    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// An error if the scope's service is known to be in another cloud. Hosts and resources that are not known are not
    /// judged.
    pub(super) fn check_url(&self, scope: &str) -> azure_core::Result<()> {
        let host = self.url.host_str().unwrap_or_default();
        let service = Url::parse(scope).ok();
        let service = service.as_ref().and_then(Url::host_str).unwrap_or_default();
        match (clouds_of_authority(host), cloud_of_service(service)) {
            (Some(ours), Some(theirs)) if !ours.contains(&theirs) => {
                let right = match theirs {
                    Cloud::UsGovernment => "https://login.microsoftonline.us",
                    Cloud::Public => PUBLIC,
                };
                Err(CoreError::with_message(
                    CoreKind::Credential,
                    format!(
                        "{service} is in another cloud than {host}, which is asked for tokens: set {NAME} to {right}"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The clouds whose services this crate knows and this Entra gives tokens for, where the host is known.
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
        Authority::read(&Env(&|name| host.filter(|_| name == NAME).map(str::to_owned)))
    }

    #[test]
    fn an_authority_and_a_service_of_two_clouds_do_not_agree() {
        const COM: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";
        const US: &str = "https://contoso-records.fhir.azurehealthcareapis.us/.default";
        const DICOM: &str = "https://dicom.healthcareapis.azure.com/.default";
        for (host, scope, right) in [
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
            let outcome = authority(host).unwrap().check_url(scope).map_err(|error| error.to_string());
            match (outcome, right) {
                (Ok(()), None) => {}
                (Err(text), Some(right)) => {
                    assert!(text.ends_with(&format!("set AZURE_AUTHORITY_HOST to {right}")), "{text}");
                }
                (outcome, _) => panic!("{host:?} {scope}: {outcome:?}"),
            }
        }
    }

    #[test]
    fn an_authority_is_an_https_url() {
        for host in ["login.microsoftonline.us", "http://login.microsoftonline.us", "https://", "x y"] {
            let error = authority(Some(host)).unwrap_err().to_string();
            assert!(error.contains("has to be an https URL"), "{host}: {error}");
        }
        assert_eq!(authority(Some(" ")).unwrap().url(), "https://login.microsoftonline.com/");
    }
}
