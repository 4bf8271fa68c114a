//! Arbitrary paths, URLs and URIs do not panic, and every allowed one is on the audience's origin and below its base path.
#![no_main]

use azure_healthcare_auth::{DicomAudience, FhirAudience, fuzzing::is_allowed};

libfuzzer_sys::fuzz_target!(|input: &str| {
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    if let Ok(url) = audience.url(input) {
        assert_eq!(url.origin(), audience.endpoint().origin());
        assert!(url.path().starts_with("/r4/") || url.path() == "/r4");
        assert_eq!(audience.url(url.as_str()).unwrap(), url);
        assert!(!url.path().split('/').any(|segment| segment == ".."));
    }
    // The same text as a URL, and as a URI that an adapter sends unchanged.
    if let Ok(url) = url::Url::parse(input)
        && audience.check_url(&url).is_ok()
    {
        assert_eq!(url.origin(), audience.endpoint().origin());
        assert!(url.path().starts_with("/r4/") || url.path() == "/r4");
    }
    if let Ok(uri) = input.parse::<http::Uri>()
        && is_allowed(audience.endpoint(), &uri)
    {
        let url = url::Url::parse(input).unwrap();
        assert_eq!(url.origin(), audience.endpoint().origin());
        assert!(uri.path().starts_with("/r4/") || uri.path() == "/r4");
        assert!(url.path().starts_with("/r4/") || url.path() == "/r4");
        assert!(url.username().is_empty() && url.password().is_none());
    }
    // The same text as an endpoint.
    if let Ok(audience) = input.parse::<FhirAudience>() {
        assert_eq!(audience.to_string().parse::<FhirAudience>().unwrap(), audience);
    }
    if let Ok(audience) = input.parse::<DicomAudience>() {
        assert_eq!(audience.to_string().parse::<DicomAudience>().unwrap(), audience);
    }
});
