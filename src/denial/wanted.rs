//! Whether what a challenge names as its resource can be one, and so may be shown.

use url::Url;

/// A gateway may name the request's own URL there, with whatever that says about a patient. So a web address counts
/// only where it is not below the service's base URL and has no more than one segment of a path, unless it is the
/// resource that is used already.
pub(crate) fn is_a_resource(named: &str, used: &str, endpoint: &Url) -> bool {
    if bare(named) == bare(used) {
        return true;
    }
    // No query, no escape, no user and no parameter of a path can be written with these.
    let plain = named.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte));
    if named.is_empty() || !plain {
        return false;
    }
    match Url::parse(named) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => {
            !is_below(endpoint, &url) && bare(url.path()).matches('/').count() <= 1
        }
        // An application's, which no server has for its address.
        Ok(url) if url.scheme() == "api" => true,
        _ => !named.contains('/'),
    }
}

fn bare(text: &str) -> &str {
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
    fn the_url_of_a_request_is_no_resource() {
        let endpoint = Url::parse("https://fhir.contoso.example/r4/").unwrap();
        let used = "https://contoso.example/health/fhir";
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
            (used, true),
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
            assert_eq!(is_a_resource(named, used, &endpoint), expected, "{named}");
        }
        // A service without a base path.
        let endpoint = Url::parse("https://fhir.contoso.example/").unwrap();
        assert!(is_a_resource("https://fhir.contoso.example", used, &endpoint));
        assert!(!is_a_resource("https://fhir.contoso.example/Patient", used, &endpoint));
    }
}
