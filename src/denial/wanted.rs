//! Whether what a challenge names as its resource can be an audience.

use url::Url;

use crate::audience::admit;

/// A gateway may name the request's own URL there, with whatever that says about a patient. So a text with a query,
/// with more than one segment of a path, or from below the service's base URL is none, unless it is the audience that
/// is used already.
pub(crate) fn is_an_audience(named: &str, resource: &str, endpoint: &Url) -> bool {
    if named.is_empty() || named.contains(['?', '#']) {
        return false;
    }
    let Ok(url) = Url::parse(named) else { return !named.contains('/') };
    let bare = |url: &Url| url.path().trim_end_matches('/').to_owned();
    let of_a_request = admit(endpoint, &url).is_ok() && bare(&url) != bare(endpoint);
    let deep = bare(&url).matches('/').count() > 1;
    named == resource || !(of_a_request || deep)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_a_request_is_no_audience() {
        let endpoint = Url::parse("https://fhir.contoso.example/r4/").unwrap();
        let resource = "https://contoso.example/health/fhir";
        for (named, expected) in [
            ("https://contoso-records.fhir.azurehealthcareapis.com", true),
            ("https://contoso-records.fhir.azurehealthcareapis.com/", true),
            ("https://dicom.healthcareapis.azure.com", true),
            ("https://contoso.onmicrosoft.com/fhir", true),
            ("api://0a1b2c3d-0000-0000-0000-000000000001", true),
            ("api://0a1b2c3d-0000-0000-0000-000000000001/fhir", true),
            ("0a1b2c3d-0000-0000-0000-000000000001", true),
            ("urn:contoso:fhir", true),
            ("https://fhir.contoso.example/r4", true),
            ("https://fhir.contoso.example/r4/", true),
            (resource, true),
            ("https://contoso.example/health/fhir/", false),
            ("https://fhir.contoso.example/r4/Patient", false),
            ("https://fhir.contoso.example/r4/Patient/doe", false),
            ("http://backend:8080/Patient/doe", false),
            ("https://contoso.example/fhir?name=doe", false),
            ("https://contoso.example/fhir#doe", false),
            ("Patient/doe", false),
            ("/Patient/doe", false),
            ("", false),
        ] {
            assert_eq!(is_an_audience(named, resource, &endpoint), expected, "{named}");
        }
    }
}
