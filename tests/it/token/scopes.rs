//! The scope that the credential is asked for, slash cases included, and that it is asked once for each.

use crate::wire::credential;
use azure_healthcare_auth::{Audience, Authenticator, DicomAudience, DicomVersion, FhirAudience};

#[tokio::test]
async fn of_each_service() {
    let tokens = credential();
    let fhir = FhirAudience::workspace("contoso", "records").build().unwrap();
    let auth = Authenticator::new(fhir, tokens.clone());
    auth.authorization().await.unwrap();
    auth.for_audience(FhirAudience::account("contoso").build().unwrap()).authorization().await.unwrap();
    auth.for_audience(DicomAudience::workspace("contoso", "imaging").build().unwrap())
        .authorization()
        .await
        .unwrap();
    assert_eq!(
        tokens.scopes(),
        [
            "https://contoso-records.fhir.azurehealthcareapis.com/.default",
            "https://contoso.azurehealthcareapis.com/.default",
            "https://dicom.healthcareapis.azure.com/.default",
        ]
    );
}

#[tokio::test]
async fn with_a_slash_where_the_resource_has_one() {
    let tokens = credential();
    let with =
        |resource: &str| FhirAudience::workspace("contoso", "records").resource(resource).build().unwrap();
    let auth = Authenticator::new(with("api://contoso"), tokens.clone());
    for resource in ["api://contoso", "api://contoso/", "https://contoso.example/", "https://contoso.example"]
    {
        auth.for_audience(with(resource)).authorization().await.unwrap();
    }
    assert_eq!(
        tokens.scopes(),
        [
            "api://contoso/.default",
            "api://contoso//.default",
            "https://contoso.example//.default",
            "https://contoso.example/.default",
        ]
    );
}

#[tokio::test]
async fn once_for_all_dicom_services() {
    let tokens = credential();
    let first = DicomAudience::workspace("contoso", "imaging").build().unwrap();
    let auth = Authenticator::new(first, tokens.clone());
    let value = auth.authorization().await.unwrap();
    for other in [
        DicomAudience::workspace("contoso", "imaging").version(DicomVersion::V1),
        DicomAudience::workspace("contoso", "archive"),
        DicomAudience::workspace("fabrikam", "imaging"),
        DicomAudience::from_endpoint("https://dicom.contoso.example"),
    ] {
        assert_eq!(auth.for_audience(other.build().unwrap()).authorization().await.unwrap(), value);
    }
    assert_eq!(tokens.calls(), 1);
}

#[tokio::test]
async fn and_never_one_service_s_for_the_other() {
    let tokens = credential();
    let fhir =
        Authenticator::new(FhirAudience::workspace("contoso", "records").build().unwrap(), tokens.clone());
    let dicom = fhir.for_audience(DicomAudience::workspace("contoso", "imaging").build().unwrap());
    let (to_fhir, to_dicom) = tokio::join!(fhir.authorization(), dicom.authorization());
    assert_ne!(to_fhir.unwrap(), to_dicom.unwrap());
    assert_ne!(fhir.audience().scope(), dicom.audience().scope());
    assert_eq!(tokens.calls(), 2);
}
