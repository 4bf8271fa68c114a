//! Names, clouds, versions and resources: the audience that they become, or the error and its advice. Errors show no
//! secret, and no input makes a builder panic.

use azure_healthcare_auth::{Cloud, DicomAudience, DicomVersion, ErrorKind, FhirAudience};

#[test]
fn names_become_the_documented_host() {
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

/// The domain of accounts in the US Government cloud is likely but not documented.
#[test]
fn us_government_account_is_in_the_domain_of_its_cloud() {
    let audience = FhirAudience::account("contoso").cloud(Cloud::UsGovernment).build().unwrap();
    assert_eq!(audience.resource(), "https://contoso.azurehealthcareapis.us");
}

#[test]
fn invalid_name_error_says_what_to_write_instead() {
    let longest = "a".repeat(24);
    assert!(FhirAudience::workspace(&longest, &longest).build().is_ok());
    let too_long = "a".repeat(25);
    for (workspace, service, advice) in [
        ("", "records", "the workspace name is empty"),
        ("contoso", "", "the service name is empty"),
        ("Contoso", "records", "write `contoso`"),
        ("contoso", "reCords", "write `records`"),
        ("co", "records", "has 2 characters: it must have 3 to 24"),
        (too_long.as_str(), "records", "has 25 characters: it must have 3 to 24"),
        ("contoso", "re", "has 2 characters"),
        ("con-toso", "records", "no `-`"),
        ("contoso", "-records", "a letter or digit at both ends"),
        ("contoso", "records-", "a letter or digit at both ends"),
        ("con.toso", "records", "name is not valid"),
        ("con/toso", "records", "name is not valid"),
        ("contoso", "rec ords", "name is not valid"),
        ("contoso", "records.evil.example/", "name is not valid"),
        ("contoso", "r@cords", "name is not valid"),
        ("cöntoso", "records", "name is not valid"),
        ("contoso", "records\n", "name is not valid"),
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
        [("", "empty"), ("Contoso", "write `contoso`"), ("a.b", "name is not valid"), ("ab", "3 to 24")]
    {
        let error = FhirAudience::account(account).build().unwrap_err();
        assert!(error.to_string().contains(advice), "{account}: {error}");
    }
}

#[test]
fn resource_is_used_verbatim() {
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
        for (built, scope) in [(fhir.resource(), fhir.scope()), (dicom.resource(), dicom.scope())] {
            assert_eq!(built, resource);
            assert_eq!(scope, format!("{resource}/.default"));
        }
    }
}

#[test]
fn resource_that_cannot_become_a_scope_is_an_error() {
    for (resource, advice) in [
        ("", "the resource is empty"),
        ("https://contoso.example/.default", "remove it"),
        ("https://contoso.example//.default", "remove it"),
        ("https://contoso.example/.default/", "remove it"),
        ("/.default", "remove it"),
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
fn resource_is_required_if_none_is_documented() {
    let builder = || DicomAudience::workspace("contoso", "imaging").cloud(Cloud::UsGovernment);
    let error = builder().build().unwrap_err();
    assert!(error.to_string().contains("set the resource"), "{error}");
    let custom_host =
        DicomAudience::from_endpoint("https://dicom.contoso.example").cloud(Cloud::UsGovernment);
    assert!(custom_host.build().is_err());

    let audience = builder().resource("https://resource.example").build().unwrap();
    assert_eq!(audience.endpoint().as_str(), "https://contoso-imaging.dicom.azurehealthcareapis.us/v2/");
    assert_eq!(audience.resource(), "https://resource.example");
}

#[test]
fn settings_that_contradict_the_url_are_an_error() {
    let us = "https://contoso-records.fhir.azurehealthcareapis.us";
    assert!(FhirAudience::from_endpoint(us).cloud(Cloud::UsGovernment).build().is_ok());
    let error = FhirAudience::from_endpoint(us).cloud(Cloud::Public).build().unwrap_err();
    assert!(error.to_string().contains("in the cloud us-government"), "{error}");

    let v1 = "https://contoso-imaging.dicom.azurehealthcareapis.com/v1";
    assert!(DicomAudience::from_endpoint(v1).version(DicomVersion::V1).build().is_ok());
    let error = DicomAudience::from_endpoint(v1).version(DicomVersion::V2).build().unwrap_err();
    assert!(error.to_string().contains("ends in `/v1`"), "{error}");
}

#[test]
fn errors_and_debug_show_no_pasted_secret_or_control_character() {
    for pasted in [
        "https://user:canary@contoso.example",
        "canary\nERROR injected",
        "canary\u{202e}",
        &"canary".repeat(999),
    ] {
        let fhir = FhirAudience::workspace(pasted, pasted);
        let dicom = DicomAudience::workspace("contoso", pasted).resource("api://contoso");
        let account = FhirAudience::account(pasted);
        let endpoint = FhirAudience::from_endpoint(pasted);
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
    // Every pair of these parts, for every setting that takes text.
    let parts = [
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
    for first in parts {
        for second in parts {
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
