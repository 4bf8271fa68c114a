//! Whatever is given for a path: no panic, and what is let through is on the audience's origin and below its base.
#![no_main]

use azure_healthcare_auth::{Audience, DicomAudience, FhirAudience, fuzzing::admits};

libfuzzer_sys::fuzz_target!(|given: &str| {
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    if let Ok(url) = audience.url(given) {
        assert_eq!(url.origin(), audience.endpoint().origin());
        assert!(url.path().starts_with("/r4/") || url.path() == "/r4");
        assert_eq!(audience.url(url.as_str()).unwrap(), url);
        assert!(!url.path().split('/').any(|segment| segment == ".."));
    }
    // The same text as a URL, and as what an adapter sends as it stands.
    if let Ok(url) = url::Url::parse(given)
        && audience.check_url(&url).is_ok()
    {
        assert_eq!(url.origin(), audience.endpoint().origin());
        assert!(url.path().starts_with("/r4/") || url.path() == "/r4");
    }
    if let Ok(uri) = given.parse::<http::Uri>()
        && admits(audience.endpoint(), &uri)
    {
        let url = url::Url::parse(given).unwrap();
        assert_eq!(url.origin(), audience.endpoint().origin());
        assert!(uri.path().starts_with("/r4/") || uri.path() == "/r4");
        assert!(url.path().starts_with("/r4/") || url.path() == "/r4");
        assert!(url.username().is_empty() && url.password().is_none());
    }
    // The same text as a service's address.
    if let Ok(audience) = given.parse::<FhirAudience>() {
        assert_eq!(audience.to_string().parse::<FhirAudience>().unwrap(), audience);
    }
    if let Ok(audience) = given.parse::<DicomAudience>() {
        assert_eq!(audience.to_string().parse::<DicomAudience>().unwrap(), audience);
    }
});
