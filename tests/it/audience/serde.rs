//! An audience is read from a configuration with the checks of its builder, and what is wrong is said by its field.
#![cfg(feature = "serde")]

use azure_healthcare_auth::{Audience, Cloud, DicomAudience, DicomVersion, FhirAudience};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Settings<A> {
    audience: A,
}

/// Reads the same setting out of JSON and out of TOML.
fn read<A: DeserializeOwned + PartialEq + std::fmt::Debug>(audience: &Value) -> Result<A, [String; 2]> {
    let settings = json!({ "audience": audience });
    let by_json = serde_json::from_value::<Settings<A>>(settings.clone()).map_err(|error| error.to_string());
    let by_toml = toml::from_str::<Settings<A>>(&toml::to_string(&settings).unwrap());
    match (by_json, by_toml.map_err(|error| error.message().to_owned())) {
        (Ok(by_json), Ok(by_toml)) => {
            assert_eq!(by_json, by_toml);
            Ok(by_json.audience)
        }
        (by_json, by_toml) => Err([by_json.unwrap_err(), by_toml.unwrap_err()]),
    }
}

#[test]
fn a_fhir_service_is_named_in_each_way_that_its_builder_has() {
    for (audience, expected) in [
        (
            json!("https://contoso-records.fhir.azurehealthcareapis.com"),
            FhirAudience::workspace("contoso", "records"),
        ),
        (
            json!({"workspace": "contoso", "service": "records"}),
            FhirAudience::workspace("contoso", "records"),
        ),
        (
            json!({"workspace": "contoso", "service": "records", "cloud": "UsGovernment", "resource": "api://x/"}),
            FhirAudience::workspace("contoso", "records").cloud(Cloud::UsGovernment).resource("api://x/"),
        ),
        (json!({"account": "contoso", "cloud": "Public"}), FhirAudience::account("contoso")),
        (
            json!({"endpoint": "https://fhir.contoso.example/r4"}),
            FhirAudience::endpoint("https://fhir.contoso.example/r4"),
        ),
    ] {
        assert_eq!(read::<FhirAudience>(&audience).unwrap(), expected.build().unwrap(), "{audience}");
    }
}

#[test]
fn a_dicom_service_is_named_in_each_way_that_its_builder_has() {
    let imaging = || DicomAudience::workspace("contoso", "imaging");
    for (audience, expected) in [
        (
            json!("https://contoso-imaging.dicom.azurehealthcareapis.com/v1"),
            imaging().version(DicomVersion::V1),
        ),
        (json!({"workspace": "contoso", "service": "imaging"}), imaging()),
        (
            json!({"workspace": "contoso", "service": "imaging", "version": "v1"}),
            imaging().version(DicomVersion::V1),
        ),
        (
            json!({"workspace": "contoso", "service": "imaging", "cloud": "UsGovernment", "resource": "api://x"}),
            imaging().cloud(Cloud::UsGovernment).resource("api://x"),
        ),
        (
            json!({"endpoint": "http://localhost:8080", "version": "v2"}),
            DicomAudience::endpoint("http://localhost:8080"),
        ),
    ] {
        assert_eq!(read::<DicomAudience>(&audience).unwrap(), expected.build().unwrap(), "{audience}");
    }
}

#[test]
fn what_is_wrong_is_said_by_its_field_and_with_what_to_write() {
    let azure = "https://contoso-records.fhir.azurehealthcareapis.com";
    for (audience, said) in [
        (
            json!({"workspace": "Contoso", "service": "records"}),
            "workspace: the workspace name `Contoso` has upper-case letters: write `contoso`",
        ),
        (
            json!({"workspace": "contoso", "service": "r"}),
            "service: the service name has 1 characters: it has 3 to 24",
        ),
        (json!({"account": "con_toso"}), "account: the account name is not a name"),
        (json!({"workspace": "contoso"}), "service: it is missing: the address needs it beside `workspace`"),
        (json!({"service": "records"}), "workspace: it is missing: the address needs it beside `service`"),
        (json!({}), "endpoint: it is missing, and so are `workspace` and `service`"),
        (
            json!({"endpoint": azure, "workspace": "contoso"}),
            "endpoint: it says the whole address: leave out the names or it",
        ),
        (json!({"account": "contoso", "workspace": "contoso"}), "account: it says the whole address"),
        (
            json!({"endpoint": azure, "cloud": "UsGovernment"}),
            "cloud: `contoso-records.fhir.azurehealthcareapis.com` is in the cloud Public: leave `cloud` out",
        ),
        (json!({"endpoint": azure, "resource": ""}), "resource: the resource is empty"),
        (json!({"endpoint": azure, "resource": "x/.default"}), "resource: the resource ends in `/.default`"),
        (json!({"endpoint": azure, "resource": "a b"}), "resource: the resource holds a character"),
        (
            json!({"endpoint": "http://fhir.contoso.example"}),
            "endpoint: the service URL for `fhir.contoso.example` starts with `http`",
        ),
        (
            json!({"endpoint": "https://con-toso1.dicom.azurehealthcareapis.com"}),
            "endpoint: `con-toso1.dicom.azurehealthcareapis.com` is a DICOM service",
        ),
        (
            json!({"endpoint": "https://c-records.fhir.azurehealthcareapis.com"}),
            "endpoint: the workspace name has 1 characters",
        ),
        (
            json!({"endpoint": azure, "tenant": "x"}),
            "unknown field `tenant`, expected one of `endpoint`, `workspace`, `service`, `account`, `cloud`, `resource`",
        ),
        (json!({"endpoint": azure, "cloud": "China"}), "cloud: write `Public` or `UsGovernment`"),
        (
            json!("http://fhir.contoso.example"),
            "the service URL for `fhir.contoso.example` starts with `http`",
        ),
        (
            json!(7),
            "expected the URL of a FHIR service, or fields: `endpoint`, `workspace` and `service`, or `account`",
        ),
    ] {
        for error in read::<FhirAudience>(&audience).unwrap_err() {
            assert!(error.contains(said), "{audience}: {error}");
        }
    }
    let government = "https://contoso-imaging.dicom.azurehealthcareapis.us/v2";
    for (audience, said) in [
        (
            json!({"workspace": "contoso", "service": "imaging", "cloud": "UsGovernment"}),
            "resource: no audience is documented for the DICOM service in the cloud UsGovernment: write the one that its owner has set",
        ),
        (json!(government), "resource: no audience is documented"),
        (
            json!({"endpoint": "https://dicom.contoso.example/v2", "version": "v1"}),
            "version: `endpoint` ends in `/v2`: leave one of the two out",
        ),
        (json!({"endpoint": government, "version": "2"}), "version: write `v1` or `v2`"),
        (json!({"account": "contoso"}), "unknown field `account`"),
        (
            json!(true),
            "expected the URL of a DICOM service, or fields: `endpoint`, or `workspace` and `service`",
        ),
    ] {
        for error in read::<DicomAudience>(&audience).unwrap_err() {
            assert!(error.contains(said), "{audience}: {error}");
        }
    }
}

#[test]
fn a_password_in_a_url_is_not_shown_whatever_field_it_stands_in() {
    for audience in [json!("https://me:hidden@host"), json!({"endpoint": "https://me:hidden@host/?hidden=1"})]
    {
        let errors = read::<FhirAudience>(&audience).unwrap_err();
        assert!(
            errors.iter().all(|error| error.contains("password") && !error.contains("hidden")),
            "{errors:?}"
        );
    }
    for field in ["workspace", "service", "cloud", "version", "resource"] {
        let mut audience = json!({"workspace": "contoso", "service": "imaging"});
        audience[field] = json!("https://Me:hidden@host\\");
        let errors = read::<DicomAudience>(&audience).unwrap_err();
        assert!(errors.iter().all(|error| error.contains(field) && !error.contains("hidden")), "{errors:?}");
    }
}

#[test]
fn fields_are_written_only_where_the_url_does_not_say_it_all() {
    let imaging = DicomAudience::endpoint("https://dicom.contoso.example/v1");
    let written = |audience: &DicomAudience| serde_json::to_value(audience).unwrap();
    assert_eq!(written(&imaging.clone().build().unwrap()), json!("https://dicom.contoso.example/v1/"));
    assert_eq!(
        written(&imaging.resource("api://x/").build().unwrap()),
        json!({"endpoint": "https://dicom.contoso.example/v1/", "resource": "api://x/"})
    );
}

fn comes_back<A: Audience + DeserializeOwned + PartialEq + Serialize>(audience: A) {
    let written = serde_json::to_value(&audience).unwrap();
    assert_eq!(read::<A>(&written).unwrap(), audience);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        workspace in "[a-z0-9]{3,24}",
        service in "[a-z0-9][a-z0-9-]{1,22}[a-z0-9]",
        // Without a `v`, with which a path could end in a version.
        path in "(/[a-uw-z0-9]{1,5}){0,2}",
        resource in proptest::option::of("[!#-.0-\\[\\]-~]{1,20}/?"),
        government in any::<bool>(),
        v1 in any::<bool>(),
    ) {
        // As the first label of a host it would have to be Punycode.
        prop_assume!(!service.starts_with("xn--"));
        let cloud = if government { Cloud::UsGovernment } else { Cloud::Public };
        let version = if v1 { DicomVersion::V1 } else { DicomVersion::V2 };
        let own = format!("https://{workspace}.contoso.example{path}");
        let mut fhir = vec![
            FhirAudience::workspace(&workspace, &service).cloud(cloud),
            FhirAudience::account(&service).cloud(cloud),
            FhirAudience::endpoint(&own),
        ];
        let mut dicom = vec![
            DicomAudience::workspace(&workspace, &service).version(version),
            DicomAudience::endpoint(&own).version(version),
        ];
        if let Some(resource) = resource {
            fhir = fhir.into_iter().map(|builder| builder.resource(&resource)).collect();
            dicom = dicom.into_iter().map(|builder| builder.cloud(cloud).resource(&resource)).collect();
        }
        fhir.into_iter().for_each(|builder| comes_back(builder.build().unwrap()));
        dicom.into_iter().for_each(|builder| comes_back(builder.build().unwrap()));
    }
}
