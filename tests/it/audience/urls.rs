//! Property tests of the decision whether a URL is allowed, with paths that are made of hostile parts.

use azure_healthcare_auth::{ErrorKind, FhirAudience};
use proptest::prelude::*;
use url::Url;

const PARTS: &[&str] = &[
    "/",
    "//",
    "\\",
    ".",
    "..",
    "...",
    ";",
    ":",
    "@",
    "?",
    "#",
    "&",
    "=",
    "%",
    "%3f",
    "%23",
    "%2e",
    "%2E",
    "%2f",
    "%5c",
    "%25",
    "%00",
    "%0a",
    "%c0%ae",
    "%ff",
    " ",
    "\t",
    "\n",
    "\0",
    "http:",
    "https:",
    "https://",
    "fhir.contoso.example",
    "evil.example",
    "r4",
    "r4/",
    "Patient",
    "é",
    "．",
    "。",
    "\u{202e}",
    "[::1]",
    "127.0.0.1",
    "0x7f",
    "443",
    "user",
    "$export",
    "_search",
];

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![prop::sample::select(PARTS).prop_map(str::to_owned), ".{0,3}"];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

/// Interprets a path as a lenient server does: decodes it again, removes matrix parameters and resolves dot segments.
fn lenient_server_segments(path: &str) -> Option<Vec<String>> {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().replace('\\', "/");
    let decoded = decoded.split(['?', '#']).next().unwrap_or_default();
    let mut segments = Vec::new();
    for segment in decoded.split('/') {
        match segment.split(';').next().unwrap_or_default().trim() {
            "" | "." => {}
            ".." => {
                segments.pop()?;
            }
            name => segments.push(name.to_owned()),
        }
    }
    Some(segments)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn resolved_url_is_always_below_the_endpoint(path in path()) {
        let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
        for given in [path.clone(), format!("https://fhir.contoso.example{path}"), format!("https://fhir.contoso.example/r4{path}")] {
            let Ok(url) = audience.url(&given) else { continue };
            prop_assert_eq!(url.origin(), audience.endpoint().origin());
            prop_assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
            prop_assert!(url.path() == "/r4" || url.path().starts_with("/r4/"));
            let segments = lenient_server_segments(url.path());
            prop_assert!(segments.is_some_and(|segments| segments.first().is_some_and(|first| first == "r4")));
            // As an absolute URL it resolves to itself.
            prop_assert_eq!(audience.url(url.as_str()).unwrap(), url);
        }
    }

    #[test]
    fn allowed_url_is_always_below_the_endpoint(text in path(), host in prop::sample::select(PARTS)) {
        let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
        for given in [text.clone(), format!("https://{host}{text}"), format!("https://fhir.contoso.example{host}{text}")] {
            let Ok(url) = Url::parse(&given) else { continue };
            if audience.check_url(&url).is_ok() {
                prop_assert_eq!(url.origin(), audience.endpoint().origin());
                prop_assert!(url.path() == "/r4" || url.path().starts_with("/r4/"));
            }
        }
    }

    #[test]
    fn parsed_audience_round_trips_through_display(text in path()) {
        if let Ok(audience) = text.parse::<FhirAudience>() {
            prop_assert_eq!(audience.to_string().parse::<FhirAudience>().unwrap(), audience);
        }
    }
}

#[test]
fn url_that_only_starts_like_the_endpoint_is_not_allowed() {
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    for rest in [
        ".evil.example/r4/Patient",
        "s/r4/Patient",
        "@evil.example/r4/Patient",
        ":r4@evil.example/r4/Patient",
        ":444/r4/Patient",
        ":4430/r4/Patient",
        "/r4/Patient#fragment",
        "/r4/Patient?_count=1#fragment",
    ] {
        let url: Url = format!("https://fhir.contoso.example{rest}").parse().unwrap();
        assert_eq!(audience.check_url(&url).unwrap_err().kind(), ErrorKind::UrlNotAllowed, "{rest}");
    }
}
