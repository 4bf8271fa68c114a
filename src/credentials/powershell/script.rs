//! Builds the script that PowerShell runs.

use azure_core::error::{Error, ErrorKind, Result};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::scope;

const GET_TOKEN: &str = include_str!("get_token.ps1");

/// Returns the resource of the only scope, if it is safe to write into the script.
pub(super) fn resource_from_scopes<'a>(scopes: &[&'a str]) -> Result<&'a str> {
    let resource = scope::only_resource(scopes)?;
    if resource.is_empty() || !resource.bytes().all(|byte| is_safe(byte) || b":/_~".contains(&byte)) {
        return Err(Error::with_message(
            ErrorKind::Credential,
            "Azure PowerShell does not support this scope: its resource may contain only ASCII letters, digits, and \
             the characters `.`, `-`, `:`, `/`, `_` and `~`",
        ));
    }
    Ok(resource)
}

/// Returns `true` if the characters are those of a tenant id or a domain.
pub(super) fn is_valid_tenant(tenant: &str) -> bool {
    !tenant.is_empty() && tenant.bytes().all(is_safe)
}

/// Excludes everything that PowerShell expands, and all of the nine quotation marks that it accepts.
fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-".contains(&byte)
}

/// Encodes the script for `-EncodedCommand`. The functions above must have checked both parameters.
pub(super) fn encode(resource: &str, tenant: Option<&str>) -> String {
    let script = script(resource, tenant);
    let bytes: Vec<u8> = script.encode_utf16().flat_map(u16::to_le_bytes).collect();
    STANDARD.encode(bytes)
}

fn script(resource: &str, tenant: Option<&str>) -> String {
    format!("$resource = '{resource}'\n$tenant = '{}'\n{GET_TOKEN}", tenant.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_is_scope_without_one_default_suffix() {
        for (scope, resource) in [
            (
                "https://contoso-records.fhir.azurehealthcareapis.com/.default",
                "https://contoso-records.fhir.azurehealthcareapis.com",
            ),
            ("https://dicom.healthcareapis.azure.com//.default", "https://dicom.healthcareapis.azure.com/"),
            ("api://contoso-fhir/.default/.default", "api://contoso-fhir/.default"),
            ("b0a1c2d3-0000-4000-8000-0123456789ab/.default", "b0a1c2d3-0000-4000-8000-0123456789ab"),
            ("https://localhost:8443/~fhir_r4/.default", "https://localhost:8443/~fhir_r4"),
        ] {
            assert_eq!(resource_from_scopes(&[scope]).unwrap(), resource);
        }
    }

    #[test]
    fn exactly_one_default_scope_is_required() {
        for scopes in [&[][..], &["https://a.example/.default", "https://b.example/.default"]] {
            assert!(resource_from_scopes(scopes).unwrap_err().to_string().contains("one scope"));
        }
        for scope in ["", "https://a.example", "https://a.example/user_impersonation"] {
            assert!(resource_from_scopes(&[scope]).unwrap_err().to_string().contains("end in `/.default`"));
        }
        assert!(resource_from_scopes(&["/.default"]).is_err());
    }

    #[test]
    fn characters_that_are_unsafe_in_the_script_are_rejected() {
        // This includes the typographic quotation marks that PowerShell accepts, whitespace, `$` and backticks.
        for c in '\0'..='\u{ffff}' {
            let text = format!("x{c}x");
            let is_accepted = resource_from_scopes(&[&format!("{text}/.default")]).is_ok();
            assert_eq!(is_accepted, c.is_ascii_alphanumeric() || ".-:/_~".contains(c), "{c:?}");
            assert_eq!(is_valid_tenant(&text), c.is_ascii_alphanumeric() || ".-".contains(c), "{c:?}");
        }
        for hostile in ["'; calc; '", "\u{2018}; calc; \u{2019}", "\u{201a}\u{201b}", "$(calc)", "`", "a\nb"]
        {
            assert!(resource_from_scopes(&[&format!("https://{hostile}/.default")]).is_err(), "{hostile:?}");
            assert!(!is_valid_tenant(hostile), "{hostile:?}");
        }
    }

    #[test]
    fn tenant_is_an_id_or_a_domain() {
        for tenant in ["b0a1c2d3-0000-4000-8000-0123456789ab", "contoso.onmicrosoft.com"] {
            assert!(is_valid_tenant(tenant));
        }
        for tenant in ["", "contoso/records", "contoso:1", "contoso_1"] {
            assert!(!is_valid_tenant(tenant));
        }
    }

    #[test]
    fn script_starts_with_quoted_parameters() {
        let resource = "https://a.example";
        for (tenant, start) in [
            (None, "$resource = 'https://a.example'\n$tenant = ''\n# Gets a token"),
            (
                Some("contoso.example"),
                "$resource = 'https://a.example'\n$tenant = 'contoso.example'\n# Gets a token",
            ),
        ] {
            let script = script(resource, tenant);
            assert!(script.starts_with(start) && script.ends_with(GET_TOKEN), "{script}");
            // PowerShell 5.1 decodes other characters in files by the machine's code page.
            assert!(script.is_ascii());
            // Windows limits a command line to 32,767 characters.
            assert!(encode(resource, tenant).len() < 16_000);
        }
        assert_eq!(&STANDARD.decode(encode(resource, None)).unwrap()[..4], b"$\0r\0");
    }
}
