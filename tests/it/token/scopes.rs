//! The scopes that the authenticator passes to the credential, and how audiences share tokens.

use azure_healthcare_auth::{Authenticator, DicomAudience, DicomVersion, FhirAudience};

use crate::wire::credential;

#[tokio::test]
async fn token_is_requested_for_the_scope_of_each_service() {
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
async fn scope_keeps_trailing_slash_of_resource() {
    let tokens = credential();
    let audience =
        |resource: &str| FhirAudience::workspace("contoso", "records").resource(resource).build().unwrap();
    let auth = Authenticator::new(audience("api://contoso"), tokens.clone());
    for resource in ["api://contoso", "api://contoso/", "https://contoso.example/", "https://contoso.example"]
    {
        auth.for_audience(audience(resource)).authorization().await.unwrap();
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
async fn dicom_services_share_one_token() {
    let tokens = credential();
    let imaging = DicomAudience::workspace("contoso", "imaging").build().unwrap();
    let auth = Authenticator::new(imaging, tokens.clone());
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
async fn fhir_and_dicom_services_have_different_tokens() {
    let tokens = credential();
    let fhir =
        Authenticator::new(FhirAudience::workspace("contoso", "records").build().unwrap(), tokens.clone());
    let dicom = fhir.for_audience(DicomAudience::workspace("contoso", "imaging").build().unwrap());
    let (fhir_value, dicom_value) = tokio::join!(fhir.authorization(), dicom.authorization());
    assert_ne!(fhir_value.unwrap(), dicom_value.unwrap());
    assert_ne!(fhir.audience().scope(), dicom.audience().scope());
    assert_eq!(tokens.calls(), 2);
}
