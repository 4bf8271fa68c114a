//! What may be said of a service by names, a cloud, a version or a resource, what it becomes, and what is refused with
//! which advice. Nothing of it is shown that may be secret, and nothing makes a builder panic.

use azure_healthcare_auth::{Audience, Cloud, DicomAudience, DicomVersion, ErrorKind, FhirAudience};

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
