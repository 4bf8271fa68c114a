//! Audiences in a configuration: the checks of the builders apply, and errors name the field.

#![cfg(feature = "serde")]

use azure_healthcare_auth::{Audience, Cloud, DicomAudience, DicomVersion, FhirAudience};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Settings<A> {
    audience: A,
}

/// Deserializes the same settings from JSON and from TOML.
fn deserialize<A: DeserializeOwned + PartialEq + std::fmt::Debug>(
    audience: &Value,
) -> Result<A, [String; 2]> {
    let settings = json!({ "audience": audience });
    let from_json =
        serde_json::from_value::<Settings<A>>(settings.clone()).map_err(|error| error.to_string());
    let from_toml = toml::from_str::<Settings<A>>(&toml::to_string(&settings).unwrap());
    match (from_json, from_toml.map_err(|error| error.message().to_owned())) {
        (Ok(from_json), Ok(from_toml)) => {
            assert_eq!(from_json, from_toml);
            Ok(from_json.audience)
        }
        (from_json, from_toml) => Err([from_json.unwrap_err(), from_toml.unwrap_err()]),
    }
}

#[test]
fn fhir_audience_deserializes_from_a_url_or_from_builder_settings() {
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
            json!({"workspace": "contoso", "service": "records", "cloud": "us-government", "resource": "api://x/"}),
            FhirAudience::workspace("contoso", "records").cloud(Cloud::UsGovernment).resource("api://x/"),
        ),
        (json!({"account": "contoso", "cloud": "public"}), FhirAudience::account("contoso")),
        (
            json!({"endpoint": "https://fhir.contoso.example/r4"}),
            FhirAudience::from_endpoint("https://fhir.contoso.example/r4"),
        ),
    ] {
        assert_eq!(deserialize::<FhirAudience>(&audience).unwrap(), expected.build().unwrap(), "{audience}");
    }
}

#[test]
fn dicom_audience_deserializes_from_a_url_or_from_builder_settings() {
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
            json!({"workspace": "contoso", "service": "imaging", "cloud": "us-government", "resource": "api://x"}),
            imaging().cloud(Cloud::UsGovernment).resource("api://x"),
        ),
        (
            json!({"endpoint": "http://localhost:8080", "version": "v2"}),
            DicomAudience::from_endpoint("http://localhost:8080"),
        ),
    ] {
        assert_eq!(deserialize::<DicomAudience>(&audience).unwrap(), expected.build().unwrap(), "{audience}");
    }
}

#[test]
fn error_names_the_field_and_says_what_to_write() {
    let azure = "https://contoso-records.fhir.azurehealthcareapis.com";
    for (audience, message) in [
        (
            json!({"workspace": "Contoso", "service": "records"}),
            "workspace: the workspace name `Contoso` has upper-case letters: write `contoso`",
        ),
        (
            json!({"workspace": "contoso", "service": "r"}),
            "service: the service name has 1 characters: it must have 3 to 24",
        ),
        (json!({"account": "con_toso"}), "account: the account name is not valid"),
        (json!({"workspace": "contoso"}), "service: the field is missing: `workspace` requires it"),
        (json!({"service": "records"}), "workspace: the field is missing: `service` requires it"),
        (json!({}), "endpoint: the field is missing, and so are `workspace` and `service`"),
        (
            json!({"endpoint": azure, "workspace": "contoso"}),
            "endpoint: remove either `endpoint` or the names",
        ),
        (json!({"account": "contoso", "workspace": "contoso"}), "account: remove either `account`"),
        (
            json!({"endpoint": azure, "cloud": "us-government"}),
            "cloud: `contoso-records.fhir.azurehealthcareapis.com` is in the cloud public, and the cloud is set to us-government: remove the cloud",
        ),
        (json!({"endpoint": azure, "resource": ""}), "resource: the resource is empty"),
        (json!({"endpoint": azure, "resource": "x/.default"}), "resource: the resource ends in `/.default`"),
        (json!({"endpoint": azure, "resource": "a b"}), "resource: the resource contains a character"),
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
        (
            json!({"workspace": 7, "service": "records"}),
            "invalid type: integer `7`, expected a string for the field `workspace`",
        ),
        (
            json!({"endpoint": azure, "cloud": ["public"]}),
            "invalid type: sequence, expected a string for the field `cloud`",
        ),
        (
            json!({"endpoint": azure, "cloud": "China"}),
            "cloud: unknown cloud: write `public` or `us-government`",
        ),
        (
            json!("http://fhir.contoso.example"),
            "the service URL for `fhir.contoso.example` starts with `http`",
        ),
        (
            json!(7),
            "expected the URL of a FHIR service, or the field `endpoint`, or the fields `workspace` and `service`, or the field `account`",
        ),
    ] {
        for error in deserialize::<FhirAudience>(&audience).unwrap_err() {
            assert!(error.contains(message), "{audience}: {error}");
        }
    }
    let government = "https://contoso-imaging.dicom.azurehealthcareapis.us/v2";
    for (audience, message) in [
        (
            json!({"workspace": "contoso", "service": "imaging", "cloud": "us-government"}),
            "resource: no resource is documented for the DICOM service in the cloud us-government: set the resource that the owner of the service has configured",
        ),
        (json!(government), "resource: no resource is documented"),
        (
            json!({"endpoint": "https://dicom.contoso.example/v2", "version": "v1"}),
            "version: the service URL ends in `/v2`, and the version is set to v1: remove one of the two",
        ),
        (json!({"endpoint": government, "version": "2"}), "version: unknown version: write `v1` or `v2`"),
        (json!({"account": "contoso"}), "unknown field `account`"),
        (
            json!(true),
            "expected the URL of a DICOM service, or the field `endpoint`, or the fields `workspace` and `service`",
        ),
    ] {
        for error in deserialize::<DicomAudience>(&audience).unwrap_err() {
            assert!(error.contains(message), "{audience}: {error}");
        }
    }
}

#[test]
fn error_shows_no_password_that_was_pasted_into_any_field() {
    for audience in [json!("https://me:hidden@host"), json!({"endpoint": "https://me:hidden@host/?hidden=1"})]
    {
        let errors = deserialize::<FhirAudience>(&audience).unwrap_err();
        assert!(
            errors.iter().all(|error| error.contains("password") && !error.contains("hidden")),
            "{errors:?}"
        );
    }
    for field in ["workspace", "service", "cloud", "version", "resource"] {
        let mut audience = json!({"workspace": "contoso", "service": "imaging"});
        audience[field] = json!("https://Me:hidden@host\\");
        let errors = deserialize::<DicomAudience>(&audience).unwrap_err();
        assert!(errors.iter().all(|error| error.contains(field) && !error.contains("hidden")), "{errors:?}");
    }
}

#[test]
fn audience_serializes_as_url_unless_the_resource_differs() {
    let imaging = DicomAudience::from_endpoint("https://dicom.contoso.example/v1");
    let to_json = |audience: &DicomAudience| serde_json::to_value(audience).unwrap();
    assert_eq!(to_json(&imaging.clone().build().unwrap()), json!("https://dicom.contoso.example/v1/"));
    assert_eq!(
        to_json(&imaging.resource("api://x/").build().unwrap()),
        json!({"endpoint": "https://dicom.contoso.example/v1/", "resource": "api://x/"})
    );
}

fn assert_round_trip<A: Audience + DeserializeOwned + PartialEq + Serialize>(audience: A) {
    let json = serde_json::to_value(&audience).unwrap();
    assert_eq!(deserialize::<A>(&json).unwrap(), audience);
}

proptest! {
    #[test]
    fn serialized_audience_deserializes_to_the_same_audience(
        workspace in "[a-z0-9]{3,24}",
        service in "[a-z0-9][a-z0-9-]{1,22}[a-z0-9]",
        // Without a `v`, so that the path does not end in a version.
        path in "(/[a-uw-z0-9]{1,5}){0,2}",
        resource in proptest::option::of("[!#-.0-\\[\\]-~]{1,20}/?"),
        government in any::<bool>(),
        v1 in any::<bool>(),
    ) {
        // A host label with this prefix must be valid Punycode.
        prop_assume!(!service.starts_with("xn--"));
        let cloud = if government { Cloud::UsGovernment } else { Cloud::Public };
        let version = if v1 { DicomVersion::V1 } else { DicomVersion::V2 };
        let custom = format!("https://{workspace}.contoso.example{path}");
        let mut fhir = vec![
            FhirAudience::workspace(&workspace, &service).cloud(cloud),
            FhirAudience::account(&service).cloud(cloud),
            FhirAudience::from_endpoint(&custom),
        ];
        let mut dicom = vec![
            DicomAudience::workspace(&workspace, &service).version(version),
            DicomAudience::from_endpoint(&custom).version(version),
        ];
        if let Some(resource) = resource {
            fhir = fhir.into_iter().map(|builder| builder.resource(&resource)).collect();
            dicom = dicom.into_iter().map(|builder| builder.cloud(cloud).resource(&resource)).collect();
        }
        fhir.into_iter().for_each(|builder| assert_round_trip(builder.build().unwrap()));
        dicom.into_iter().for_each(|builder| assert_round_trip(builder.build().unwrap()));
    }
}
