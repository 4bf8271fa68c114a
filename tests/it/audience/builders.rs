//! Endpoints given as URLs: the audience that they become, or the error and its advice.

use azure_healthcare_auth::{DicomAudience, DicomVersion, ErrorKind, FhirAudience};
use url::Url;

const DICOM: &str = "https://dicom.healthcareapis.azure.com";

/// A service URL, the endpoint and the resource.
const FHIR_URLS: &[(&str, &str, &str)] = &[
    (
        "https://contoso-records.fhir.azurehealthcareapis.com",
        "https://contoso-records.fhir.azurehealthcareapis.com/",
        "https://contoso-records.fhir.azurehealthcareapis.com",
    ),
    (
        "https://contoso-records.fhir.azurehealthcareapis.com/",
        "https://contoso-records.fhir.azurehealthcareapis.com/",
        "https://contoso-records.fhir.azurehealthcareapis.com",
    ),
    (
        "HTTPS://Contoso-Records.FHIR.AzureHealthcareApis.com",
        "https://contoso-records.fhir.azurehealthcareapis.com/",
        "https://contoso-records.fhir.azurehealthcareapis.com",
    ),
    (
        "https://contoso-records.fhir.azurehealthcareapis.com:443",
        "https://contoso-records.fhir.azurehealthcareapis.com/",
        "https://contoso-records.fhir.azurehealthcareapis.com",
    ),
    (
        "https://contoso-re-cords.fhir.azurehealthcareapis.com",
        "https://contoso-re-cords.fhir.azurehealthcareapis.com/",
        "https://contoso-re-cords.fhir.azurehealthcareapis.com",
    ),
    (
        "https://contoso-records.fhir.azurehealthcareapis.us",
        "https://contoso-records.fhir.azurehealthcareapis.us/",
        "https://contoso-records.fhir.azurehealthcareapis.us",
    ),
    (
        "https://contoso.azurehealthcareapis.com",
        "https://contoso.azurehealthcareapis.com/",
        "https://contoso.azurehealthcareapis.com",
    ),
    ("https://fhir.contoso.example", "https://fhir.contoso.example/", "https://fhir.contoso.example"),
    ("https://fhir.contoso.example/r4", "https://fhir.contoso.example/r4/", "https://fhir.contoso.example"),
    (
        "https://fhir.contoso.example/a/r4/",
        "https://fhir.contoso.example/a/r4/",
        "https://fhir.contoso.example",
    ),
    (
        "https://fhir.contoso.example:8443",
        "https://fhir.contoso.example:8443/",
        "https://fhir.contoso.example:8443",
    ),
    (
        "https://xn--krnkenhaus-r5a.example",
        "https://xn--krnkenhaus-r5a.example/",
        "https://xn--krnkenhaus-r5a.example",
    ),
    ("https://10.1.2.3/fhir", "https://10.1.2.3/fhir/", "https://10.1.2.3"),
    ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"),
    ("http://localhost:8080", "http://localhost:8080/", "http://localhost:8080"),
    ("http://127.0.0.1:8080/fhir", "http://127.0.0.1:8080/fhir/", "http://127.0.0.1:8080"),
    ("http://127.9.8.7", "http://127.9.8.7/", "http://127.9.8.7"),
    ("http://[::1]:8080", "http://[::1]:8080/", "http://[::1]:8080"),
    // Hosts that only look like those of Azure Health Data Services.
    (
        "https://notazurehealthcareapis.com",
        "https://notazurehealthcareapis.com/",
        "https://notazurehealthcareapis.com",
    ),
    (
        "https://contoso-records.fhir.azurehealthcareapis.com.contoso.example",
        "https://contoso-records.fhir.azurehealthcareapis.com.contoso.example/",
        "https://contoso-records.fhir.azurehealthcareapis.com.contoso.example",
    ),
];

/// A service URL, the endpoint and the version. The resource is the public one.
const DICOM_URLS: &[(&str, &str, DicomVersion)] = &[
    (
        "https://contoso-imaging.dicom.azurehealthcareapis.com",
        "https://contoso-imaging.dicom.azurehealthcareapis.com/v2/",
        DicomVersion::V2,
    ),
    (
        "https://contoso-imaging.dicom.azurehealthcareapis.com/v1",
        "https://contoso-imaging.dicom.azurehealthcareapis.com/v1/",
        DicomVersion::V1,
    ),
    (
        "https://contoso-imaging.dicom.azurehealthcareapis.com/v2/",
        "https://contoso-imaging.dicom.azurehealthcareapis.com/v2/",
        DicomVersion::V2,
    ),
    ("https://dicom.contoso.example/dicom", "https://dicom.contoso.example/dicom/v2/", DicomVersion::V2),
    ("https://dicom.contoso.example/dicom/v1", "https://dicom.contoso.example/dicom/v1/", DicomVersion::V1),
    ("https://dicom.contoso.example/v20", "https://dicom.contoso.example/v20/v2/", DicomVersion::V2),
    ("http://[::1]:8042/v2", "http://[::1]:8042/v2/", DicomVersion::V2),
];

/// Service URLs that are invalid for both audiences, and a part of the error message.
const INVALID: &[(&str, &str)] = &[
    ("", "the service URL is empty"),
    ("contoso", "not a URL"),
    ("//contoso.example", "not a URL"),
    ("https:contoso.example", "not a URL"),
    ("https:/contoso.example", "not a URL"),
    ("https://", "not a URL"),
    ("https:///fhir", "not a URL"),
    ("ftp://contoso.example", "scheme `ftp`: write `https`"),
    ("file:///etc/passwd", "scheme `file`"),
    ("http://fhir.contoso.example", "write `https`"),
    ("http://10.1.2.3", "write `https`"),
    ("http://localhost.contoso.example", "write `https`"),
    ("http://[::ffff:127.0.0.1]", "as it would be sent"),
    ("http://[::ffff:7f00:1]", "write `https`"),
    ("http://contoso-records.fhir.azurehealthcareapis.com", "write `https`"),
    (" https://contoso.example", "a space"),
    ("https://contoso.example\n", "a control character"),
    ("https://con\ttoso.example", "a control character"),
    ("https:\\\\contoso.example", "a backslash"),
    ("https://contoso.example\\fhir", "a backslash"),
    ("https://user@contoso.example", "user name"),
    ("https://user:canary@contoso.example", "user name"),
    ("https://@contoso.example", "user name"),
    ("https://contoso.example/?a=b", "query"),
    ("https://contoso.example?", "query"),
    ("https://contoso.example/#a", "fragment"),
    ("https://contoso.example#", "fragment"),
    ("https://contoso.example.", "remove the dot"),
    ("https://contoso-records.fhir.azurehealthcareapis.com.", "remove the dot"),
    ("https://kränkenhaus.example", "write `xn--krnkenhaus-r5a.example`"),
    // The first letter is Cyrillic.
    ("https://сontoso.example", "write `xn--ontoso-hrf.example`"),
    ("https://ｃontoso.example", "write `contoso.example`"),
    ("https://contoso%2eexample", "write `contoso.example`"),
    ("http://0x7f.1", "write `127.0.0.1`"),
    ("http://0177.0.0.1", "write `127.0.0.1`"),
    ("http://2130706433", "write `127.0.0.1`"),
    ("http://127.1", "write `127.0.0.1`"),
    ("https://contoso.example/a/../b", "dot segment"),
    ("https://contoso.example/./b", "dot segment"),
    ("https://contoso.example/..;/b", "dot segment"),
    ("https://contoso.example/%2e%2e/b", "dot segment"),
    ("https://contoso.example/a%2Fb", "an encoded slash"),
    ("https://contoso.example/a%5cb", "backslash"),
    ("https://contoso.example/a%252fb", "percent sign"),
    ("https://contoso.example/a%00", "control character"),
    ("https://contoso.example/%c0%ae%c0%ae/b", "not UTF-8"),
    ("https://azurehealthcareapis.com", "the domain of all services"),
    ("https://azurehealthcareapis.us", "the domain of all services"),
    ("https://a.b.fhir.azurehealthcareapis.com", "is not the host of a"),
    ("https://fhir.azurehealthcareapis.com", "is not the host of a"),
    ("https://dicom.azurehealthcareapis.com", "is not the host of a"),
    ("https://contoso-devices.iot.azurehealthcareapis.com", "is not the host of a"),
    ("https://contoso.example:99999", "not a URL"),
];

const INVALID_FOR_FHIR: &[(&str, &str)] = &[
    ("https://contoso-imaging.dicom.azurehealthcareapis.com", "is a DICOM service: use `DicomAudience`"),
    ("https://contoso-imaging.dicom.azurehealthcareapis.us/v2", "is a DICOM service: use `DicomAudience`"),
    ("https://contoso-records.fhir.azurehealthcareapis.com/Patient", "no base path"),
    ("https://contoso.azurehealthcareapis.com/Patient", "no base path"),
    ("https://contoso-records.fhir.azurehealthcareapis.com:8443", "has the port 8443"),
    ("https://contoso.fhir.azurehealthcareapis.com", "the service name is empty"),
    ("https://co-records.fhir.azurehealthcareapis.com", "workspace name has 2 characters"),
    ("https://contoso-re.fhir.azurehealthcareapis.com", "service name has 2 characters"),
    ("https://contoso-.fhir.azurehealthcareapis.com", "the service name is empty"),
    ("https://-records.fhir.azurehealthcareapis.com", "the workspace name is empty"),
    ("https://contoso--records.fhir.azurehealthcareapis.com", "a letter or digit at both ends"),
    ("https://contoso-rec_ords.fhir.azurehealthcareapis.com", "service name is not valid"),
    ("https://co.azurehealthcareapis.com", "account name has 2 characters"),
];

const INVALID_FOR_DICOM: &[(&str, &str)] = &[
    ("https://contoso-records.fhir.azurehealthcareapis.com", "is a FHIR service: use `FhirAudience`"),
    ("https://contoso.azurehealthcareapis.com", "is not the host of a DICOM service"),
    ("https://contoso-imaging.dicom.azurehealthcareapis.com/v3", "`/v1` or `/v2`"),
    ("https://contoso-imaging.dicom.azurehealthcareapis.com/V2", "`/v1` or `/v2`"),
    ("https://contoso-imaging.dicom.azurehealthcareapis.com/v2/studies", "`/v1` or `/v2`"),
    ("https://contoso-imaging.dicom.azurehealthcareapis.com/a/v2", "`/v1` or `/v2`"),
    // No resource is documented for that cloud.
    ("https://contoso-imaging.dicom.azurehealthcareapis.us/v2", "set the resource"),
];

#[test]
fn url_becomes_the_endpoint_with_the_documented_resource() {
    for (given, endpoint, resource) in FHIR_URLS {
        let audience: FhirAudience = given.parse().unwrap_or_else(|error| panic!("{given}: {error}"));
        assert_eq!(audience.endpoint().as_str(), *endpoint, "{given}");
        assert_eq!(audience.resource(), *resource, "{given}");
        assert_eq!(audience.scope(), format!("{resource}/.default"), "{given}");
        assert_eq!(audience.to_string(), *endpoint, "{given}");
    }
    for (given, endpoint, version) in DICOM_URLS {
        let audience: DicomAudience = given.parse().unwrap_or_else(|error| panic!("{given}: {error}"));
        assert_eq!(audience.endpoint().as_str(), *endpoint, "{given}");
        assert_eq!(audience.version(), *version, "{given}");
        assert_eq!(audience.resource(), DICOM, "{given}");
        assert_eq!(audience.scope(), format!("{DICOM}/.default"), "{given}");
    }
}

#[test]
fn displayed_audience_parses_to_the_same_audience() {
    for (given, ..) in FHIR_URLS {
        let audience: FhirAudience = given.parse().unwrap();
        assert_eq!(audience.to_string().parse::<FhirAudience>().unwrap(), audience, "{given}");
    }
    for (given, ..) in DICOM_URLS {
        let audience: DicomAudience = given.parse().unwrap();
        assert_eq!(audience.to_string().parse::<DicomAudience>().unwrap(), audience, "{given}");
    }
}

#[test]
fn invalid_url_error_says_what_to_write_instead() {
    let fhir = |given: &str| given.parse::<FhirAudience>().map(|audience| audience.to_string());
    let dicom = |given: &str| given.parse::<DicomAudience>().map(|audience| audience.to_string());
    let check = |given: &str, outcome: Result<String, azure_healthcare_auth::Error>, advice: &str| {
        let error = outcome.expect_err(given);
        assert_eq!(error.kind(), ErrorKind::Audience, "{given}");
        assert!(error.to_string().contains(advice), "{given}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    };
    for (given, advice) in INVALID {
        check(given, fhir(given), advice);
        check(given, dicom(given), advice);
    }
    for (given, advice) in INVALID_FOR_FHIR {
        check(given, fhir(given), advice);
    }
    for (given, advice) in INVALID_FOR_DICOM {
        check(given, dicom(given), advice);
    }
}

#[test]
fn parsed_url_converts_to_the_same_audience_as_its_text() {
    for (given, ..) in FHIR_URLS {
        let url = Url::parse(given).unwrap();
        assert_eq!(FhirAudience::try_from(url).unwrap(), given.parse().unwrap(), "{given}");
    }
    for (given, ..) in DICOM_URLS {
        let url = Url::parse(given).unwrap();
        assert_eq!(DicomAudience::try_from(url).unwrap(), given.parse().unwrap(), "{given}");
    }
    let user_info = Url::parse("https://user:canary@contoso.example").unwrap();
    assert_eq!(FhirAudience::try_from(user_info.clone()).unwrap_err().kind(), ErrorKind::Audience);
    assert_eq!(DicomAudience::try_from(user_info).unwrap_err().kind(), ErrorKind::Audience);
}
