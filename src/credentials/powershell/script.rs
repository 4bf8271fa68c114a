//! What PowerShell is asked to run.

use azure_core::error::{Error, ErrorKind, Result};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::scope;

const GET_TOKEN: &str = include_str!("get_token.ps1");

/// The resource that is meant by the scope, where PowerShell can be asked for it.
pub(super) fn resource_of<'a>(scopes: &[&'a str]) -> Result<&'a str> {
    let resource = scope::only_resource(scopes)?;
    if resource.is_empty() || !resource.bytes().all(|byte| is_plain(byte) || b":/_~".contains(&byte)) {
        return Err(refused(
            "Azure PowerShell cannot be asked for this scope: a resource is made of the letters a to z, digits, and \
             the characters `.`, `-`, `:`, `/`, `_` and `~`",
        ));
    }
    Ok(resource)
}

/// Whether it can be a tenant: an id or a domain.
pub(super) fn is_tenant(tenant: &str) -> bool {
    !tenant.is_empty() && tenant.bytes().all(is_plain)
}

/// No quote, of which PowerShell knows nine, is among them, and nothing that it expands.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".-".contains(&byte)
}

fn refused(why: &'static str) -> Error {
    Error::with_message(ErrorKind::Credential, why)
}

/// The script, in the form that `-EncodedCommand` takes. Both parameters were checked above.
pub(super) fn encoded(resource: &str, tenant: Option<&str>) -> String {
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
    fn one_default_is_taken_from_the_scope() {
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
            assert_eq!(resource_of(&[scope]).unwrap(), resource);
        }
    }

    #[test]
    fn a_call_is_for_one_resource() {
        for scopes in [&[][..], &["https://a.example/.default", "https://b.example/.default"]] {
            assert!(resource_of(scopes).unwrap_err().to_string().contains("one scope"));
        }
        for scope in ["", "https://a.example", "https://a.example/user_impersonation"] {
            assert!(resource_of(&[scope]).unwrap_err().to_string().contains("end in `/.default`"));
        }
        assert!(resource_of(&["/.default"]).is_err());
    }

    #[test]
    fn nothing_can_be_put_into_the_script() {
        // Quotes, of which PowerShell takes typographic ones for its own, blanks, `$`, backticks and all the rest.
        for c in '\0'..='\u{ffff}' {
            let text = format!("x{c}x");
            let asked = resource_of(&[&format!("{text}/.default")]).is_ok();
            assert_eq!(asked, c.is_ascii_alphanumeric() || ".-:/_~".contains(c), "{c:?}");
            assert_eq!(is_tenant(&text), c.is_ascii_alphanumeric() || ".-".contains(c), "{c:?}");
        }
        for hostile in ["'; calc; '", "\u{2018}; calc; \u{2019}", "\u{201a}\u{201b}", "$(calc)", "`", "a\nb"]
        {
            assert!(resource_of(&[&format!("https://{hostile}/.default")]).is_err(), "{hostile:?}");
            assert!(!is_tenant(hostile), "{hostile:?}");
        }
    }

    #[test]
    fn a_tenant_is_an_id_or_a_domain() {
        for tenant in ["b0a1c2d3-0000-4000-8000-0123456789ab", "contoso.onmicrosoft.com"] {
            assert!(is_tenant(tenant));
        }
        for tenant in ["", "contoso/records", "contoso:1", "contoso_1"] {
            assert!(!is_tenant(tenant));
        }
    }

    #[test]
    fn the_parameters_come_first_and_quoted() {
        let asked = "https://a.example";
        for (tenant, start) in [
            (None, "$resource = 'https://a.example'\n$tenant = ''\n# Asks"),
            (Some("contoso.example"), "$resource = 'https://a.example'\n$tenant = 'contoso.example'\n# Asks"),
        ] {
            let script = script(asked, tenant);
            assert!(script.starts_with(start) && script.ends_with(GET_TOKEN), "{script}");
            // PowerShell 5.1 would read anything else by the machine's code page, were it a file.
            assert!(script.is_ascii());
            // Windows takes no longer command line than 32,767 characters.
            assert!(encoded(asked, tenant).len() < 16_000);
        }
        assert_eq!(&STANDARD.decode(encoded(asked, None)).unwrap()[..4], b"$\0r\0");
    }
}
