//! The check of the resource that a challenge names.

use url::Url;

/// Returns `true` if the resource that a challenge names may be shown.
///
/// Some gateways name the URL of the request there, which can contain patient data. An http or https URL is therefore
/// accepted only if it is not below the service's endpoint and its path has at most one segment, or if it is the
/// resource that was requested.
pub(super) fn is_presentable(named: &str, requested: &str, endpoint: &Url) -> bool {
    if without_slash(named) == without_slash(requested) {
        return true;
    }
    // These characters exclude queries, escapes, user names and path parameters.
    let plain = named.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte));
    if named.is_empty() || !plain {
        return false;
    }
    match Url::parse(named) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            !is_below(endpoint, &url) && without_slash(url.path()).matches('/').count() <= 1
        }
        // An application id URI, which is never the URL of a request.
        Ok(url) if url.scheme() == "api" => true,
        _ => !named.contains('/'),
    }
}

fn without_slash(text: &str) -> &str {
    text.strip_suffix('/').unwrap_or(text)
}

fn is_below(endpoint: &Url, url: &Url) -> bool {
    endpoint.origin() == url.origin()
        && url.path().strip_prefix(endpoint.path()).is_some_and(|rest| !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_of_a_request_is_not_presentable() {
        let endpoint = Url::parse("https://fhir.contoso.example/r4/").unwrap();
        let requested = "https://contoso.example/health/fhir";
        for (named, expected) in [
            ("https://contoso-records.fhir.azurehealthcareapis.com", true),
            ("https://contoso-records.fhir.azurehealthcareapis.com/", true),
            ("https://dicom.healthcareapis.azure.com", true),
            ("https://contoso.onmicrosoft.com/fhir", true),
            ("api://0a1b2c3d-0000-0000-0000-000000000001", true),
            ("api://0a1b2c3d-0000-0000-0000-000000000001/fhir/v1", true),
            ("0a1b2c3d-0000-0000-0000-000000000001", true),
            ("urn:contoso:fhir", true),
            ("https://fhir.contoso.example", true),
            ("https://fhir.contoso.example/r4", true),
            ("https://fhir.contoso.example/r4/", true),
            (requested, true),
            ("https://contoso.example/health/fhir/", true),
            ("https://contoso.example/health/dicom", false),
            ("https://fhir.contoso.example/r4/Patient", false),
            ("https://fhir.contoso.example/r4/Patient/doe", false),
            ("https://fhir.contoso.example/r4/Patient%2Fdoe", false),
            ("https://fhir.contoso.example/r4/Patient%3Fname=doe", false),
            ("https://doe:pw@fhir.contoso.example", false),
            ("https://contoso.example/fhir;name=doe", false),
            ("http://backend:8080/Patient/doe", false),
            ("https://contoso.example/fhir?name=doe", false),
            ("https://contoso.example/fhir#doe", false),
            ("https://contoso.example\\doe", false),
            ("Patient/doe", false),
            ("Patient%2Fdoe", false),
            ("name=doe", false),
            ("urn:x:Patient/doe", false),
            ("/Patient/doe", false),
            ("", false),
        ] {
            assert_eq!(is_presentable(named, requested, &endpoint), expected, "{named}");
        }
        // A service without a base path.
        let endpoint = Url::parse("https://fhir.contoso.example/").unwrap();
        assert!(is_presentable("https://fhir.contoso.example", requested, &endpoint));
        assert!(!is_presentable("https://fhir.contoso.example/Patient", requested, &endpoint));
    }
}
