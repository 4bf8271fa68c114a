//! What may be written for a service, what it becomes, and what is refused with which advice.

use azure_healthcare_auth::{Audience, Cloud, DicomAudience, DicomVersion, ErrorKind, FhirAudience};

const DICOM: &str = "https://dicom.healthcareapis.azure.com";

/// A service URL, then the endpoint and the resource that it becomes.
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
    // A domain that only ends in the same letters is a host of one's own.
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

/// A service URL, then the endpoint and the version that it becomes. The resource is the public one.
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

/// What both audiences refuse of a URL, and a part of the advice.
const REFUSED_BY_BOTH: &[(&str, &str)] = &[
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
    ("http://[::ffff:127.0.0.1]", "the way it would be sent"),
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
    ("https://contoso.example.", "leave the dot out"),
    ("https://contoso-records.fhir.azurehealthcareapis.com.", "leave the dot out"),
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
    ("https://a.b.fhir.azurehealthcareapis.com", "is not the address of a"),
    ("https://fhir.azurehealthcareapis.com", "is not the address of a"),
    ("https://dicom.azurehealthcareapis.com", "is not the address of a"),
    ("https://contoso-devices.iot.azurehealthcareapis.com", "is not the address of a"),
    ("https://contoso.example:99999", "not a URL"),
];

const REFUSED_BY_FHIR: &[(&str, &str)] = &[
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
    ("https://contoso-rec_ords.fhir.azurehealthcareapis.com", "is not a name"),
    ("https://co.azurehealthcareapis.com", "account name has 2 characters"),
];

const REFUSED_BY_DICOM: &[(&str, &str)] = &[
    ("https://contoso-records.fhir.azurehealthcareapis.com", "is a FHIR service: use `FhirAudience`"),
    ("https://contoso.azurehealthcareapis.com", "is not the address of a DICOM service"),
    ("https://contoso-imaging.dicom.azurehealthcareapis.com/v3", "`/v1` or `/v2`"),
    ("https://contoso-imaging.dicom.azurehealthcareapis.com/V2", "`/v1` or `/v2`"),
    ("https://contoso-imaging.dicom.azurehealthcareapis.com/v2/studies", "`/v1` or `/v2`"),
    ("https://contoso-imaging.dicom.azurehealthcareapis.com/a/v2", "`/v1` or `/v2`"),
    // No audience is documented for that cloud, and none is invented.
    ("https://contoso-imaging.dicom.azurehealthcareapis.us/v2", "`.resource(…)`"),
];

#[test]
fn a_url_becomes_an_endpoint_with_the_right_resource() {
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
fn an_audience_that_was_built_can_be_written_down_and_read_back() {
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
fn a_url_that_is_refused_says_what_to_write_instead() {
    let fhir = |given: &str| given.parse::<FhirAudience>().map(|audience| audience.to_string());
    let dicom = |given: &str| given.parse::<DicomAudience>().map(|audience| audience.to_string());
    let check = |given: &str, outcome: Result<String, azure_healthcare_auth::Error>, advice: &str| {
        let error = outcome.expect_err(given);
        assert_eq!(error.kind(), ErrorKind::Audience, "{given}");
        assert!(error.to_string().contains(advice), "{given}: {error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    };
    for (given, advice) in REFUSED_BY_BOTH {
        check(given, fhir(given), advice);
        check(given, dicom(given), advice);
    }
    for (given, advice) in REFUSED_BY_FHIR {
        check(given, fhir(given), advice);
    }
    for (given, advice) in REFUSED_BY_DICOM {
        check(given, dicom(given), advice);
    }
}

#[test]
fn names_make_the_documented_host() {
    let endpoint = |audience: FhirAudience| audience.endpoint().to_string();
    assert_eq!(
        endpoint(FhirAudience::workspace("contoso", "records").build().unwrap()),
        "https://contoso-records.fhir.azurehealthcareapis.com/"
    );
    assert_eq!(
        endpoint(FhirAudience::workspace("abc", "a-c").cloud(Cloud::UsGovernment).build().unwrap()),
        "https://abc-a-c.fhir.azurehealthcareapis.us/"
    );
    assert_eq!(
        endpoint(FhirAudience::account("contoso-1").build().unwrap()),
        "https://contoso-1.azurehealthcareapis.com/"
    );
    let dicom = DicomAudience::workspace("contoso", "imaging").version(DicomVersion::V1).build().unwrap();
    assert_eq!(dicom.endpoint().as_str(), "https://contoso-imaging.dicom.azurehealthcareapis.com/v1/");
}

/// That an account of the US Government cloud lives in the domain of its services is likely, and not documented.
#[test]
fn an_account_in_the_us_government_cloud_is_in_its_domain() {
    let audience = FhirAudience::account("contoso").cloud(Cloud::UsGovernment).build().unwrap();
    assert_eq!(audience.resource(), "https://contoso.azurehealthcareapis.us");
}

#[test]
fn names_are_taken_as_they_are_and_refused_with_advice() {
    let longest = "a".repeat(24);
    assert!(FhirAudience::workspace(&longest, &longest).build().is_ok());
    let too_long = "a".repeat(25);
    for (workspace, service, advice) in [
        ("", "records", "the workspace name is empty"),
        ("contoso", "", "the service name is empty"),
        ("Contoso", "records", "write `contoso`"),
        ("contoso", "reCords", "write `records`"),
        ("co", "records", "has 2 characters: it has 3 to 24"),
        (too_long.as_str(), "records", "has 25 characters: it has 3 to 24"),
        ("contoso", "re", "has 2 characters"),
        ("con-toso", "records", "no `-`"),
        ("contoso", "-records", "a letter or digit at both ends"),
        ("contoso", "records-", "a letter or digit at both ends"),
        ("con.toso", "records", "is not a name"),
        ("con/toso", "records", "is not a name"),
        ("contoso", "rec ords", "is not a name"),
        ("contoso", "records.evil.example/", "is not a name"),
        ("contoso", "r@cords", "is not a name"),
        ("cöntoso", "records", "is not a name"),
        ("contoso", "records\n", "is not a name"),
    ] {
        for error in [
            FhirAudience::workspace(workspace, service).build().unwrap_err(),
            DicomAudience::workspace(workspace, service).build().unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Audience);
            assert!(error.to_string().contains(advice), "{workspace} {service}: {error}");
        }
    }
    for (account, advice) in
        [("", "empty"), ("Contoso", "write `contoso`"), ("a.b", "is not a name"), ("ab", "3 to 24")]
    {
        let error = FhirAudience::account(account).build().unwrap_err();
        assert!(error.to_string().contains(advice), "{account}: {error}");
    }
}

#[test]
fn a_resource_is_kept_letter_by_letter() {
    for resource in [
        "https://records.contoso.example",
        "https://records.contoso.example/",
        "https://Records.Contoso.example//",
        "api://contoso-fhir",
        "api://9F3B7C1E-0000-4000-8000-000000000000/",
        "9f3b7c1e-0000-4000-8000-000000000000",
        "https://contoso.example/.defaults",
    ] {
        let fhir = FhirAudience::workspace("contoso", "records").resource(resource).build().unwrap();
        let dicom = DicomAudience::workspace("contoso", "imaging").resource(resource).build().unwrap();
        for (kept, scope) in [(fhir.resource(), fhir.scope()), (dicom.resource(), dicom.scope())] {
            assert_eq!(kept, resource);
            assert_eq!(scope, format!("{resource}/.default"));
        }
    }
}

#[test]
fn a_resource_that_no_scope_can_hold_is_refused() {
    for (resource, advice) in [
        ("", "the resource is empty"),
        ("https://contoso.example/.default", "leave that out"),
        ("https://contoso.example//.default", "leave that out"),
        ("https://contoso.example/.default/", "leave that out"),
        ("/.default", "leave that out"),
        ("https://a.example https://b.example", "RFC 6749"),
        ("https://contoso.example\n", "RFC 6749"),
        ("\"x\"", "RFC 6749"),
        ("a\\b", "RFC 6749"),
        ("https://contöso.example", "RFC 6749"),
    ] {
        let error = FhirAudience::workspace("contoso", "records").resource(resource).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Audience);
        assert!(error.to_string().contains(advice), "{resource}: {error}");
    }
}

#[test]
fn no_audience_is_invented_for_a_cloud_that_documents_none() {
    let builder = || DicomAudience::workspace("contoso", "imaging").cloud(Cloud::UsGovernment);
    let error = builder().build().unwrap_err();
    assert!(error.to_string().contains("`.resource(…)`"), "{error}");
    let own_host = DicomAudience::endpoint("https://dicom.contoso.example").cloud(Cloud::UsGovernment);
    assert!(own_host.build().is_err());

    let audience = builder().resource("https://told.example").build().unwrap();
    assert_eq!(audience.endpoint().as_str(), "https://contoso-imaging.dicom.azurehealthcareapis.us/v2/");
    assert_eq!(audience.resource(), "https://told.example");
}

#[test]
fn what_is_said_twice_must_agree() {
    let us = "https://contoso-records.fhir.azurehealthcareapis.us";
    assert!(FhirAudience::endpoint(us).cloud(Cloud::UsGovernment).build().is_ok());
    let error = FhirAudience::endpoint(us).cloud(Cloud::Public).build().unwrap_err();
    assert!(error.to_string().contains("in the cloud UsGovernment"), "{error}");

    let v1 = "https://contoso-imaging.dicom.azurehealthcareapis.com/v1";
    assert!(DicomAudience::endpoint(v1).version(DicomVersion::V1).build().is_ok());
    let error = DicomAudience::endpoint(v1).version(DicomVersion::V2).build().unwrap_err();
    assert!(error.to_string().contains("ends in `/v1`"), "{error}");
}

#[test]
fn nothing_is_shown_of_what_may_be_a_password_or_forge_a_line() {
    for pasted in [
        "https://user:canary@contoso.example",
        "canary\nERROR all is lost",
        "canary\u{202e}",
        &"canary".repeat(999),
    ] {
        let fhir = FhirAudience::workspace(pasted, pasted);
        let dicom = DicomAudience::workspace("contoso", pasted).resource("api://contoso");
        let account = FhirAudience::account(pasted);
        let endpoint = FhirAudience::endpoint(pasted);
        let shown = [format!("{fhir:?} {dicom:?} {account:?} {endpoint:?}")].into_iter().chain(
            [
                fhir.build().unwrap_err(),
                dicom.build().unwrap_err(),
                account.build().unwrap_err(),
                endpoint.build().unwrap_err(),
            ]
            .map(|error| format!("{error} {error:?}")),
        );
        for shown in shown {
            assert!(!shown.contains("canary") && !shown.contains('\n') && shown.len() < 400, "{shown}");
        }
    }
}

#[test]
fn no_input_makes_a_builder_panic() {
    // Every pair of these pieces, in each place that takes text.
    let pieces = [
        "",
        "a",
        "-",
        ".",
        "/",
        ":",
        "@",
        "?",
        "#",
        "%",
        "%2",
        "%2e",
        "[",
        "]",
        "::",
        "http://",
        "https://",
        "é",
        "\u{202e}",
        "\0",
        "x".repeat(70_000).leak(),
    ];
    for first in pieces {
        for second in pieces {
            let text = format!("{first}{second}");
            let _ = text.parse::<FhirAudience>();
            let _ = text.parse::<DicomAudience>();
            let _ = format!("https://{text}").parse::<FhirAudience>();
            let _ = format!("https://{text}").parse::<DicomAudience>();
            let _ = FhirAudience::workspace(&text, &text).build();
            let _ = FhirAudience::account(&text).build();
            let _ = DicomAudience::workspace("contoso", "imaging").resource(&text).build();
            if let Ok(audience) = "https://contoso.example/r4".parse::<FhirAudience>() {
                let _ = audience.url(&text);
            }
        }
    }
}
