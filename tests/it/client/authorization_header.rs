//! Every request carries exactly one `Authorization` header with the token.

#![cfg(feature = "client")]

use std::sync::Arc;

use azure_healthcare_auth::{Authenticator, Body, FhirAudience, HealthcareAuth, HealthcareClient};
use http::{HeaderValue, Method};

use crate::wire::{FixedAuth, authorizations, broken_credential, count, credential, dicom, fhir, service};

#[tokio::test]
async fn every_method_carries_the_token() {
    let server = service().await;
    let client = HealthcareClient::new(fhir(&server), credential());
    let methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PURGE"];
    for method in methods {
        client.request(method.parse().unwrap(), "Patient/1").send().await.unwrap();
    }
    for request in [
        client.get("Patient"),
        client.post("Patient"),
        client.put("Patient/1"),
        client.patch("Patient/1"),
        client.delete("Patient/1"),
        client.head("Patient/1"),
    ] {
        request.send().await.unwrap();
    }
    assert_eq!(authorizations(&server).await, vec!["Bearer token-1"; methods.len() + 6]);
}

#[tokio::test]
async fn streamed_request_and_response_carry_the_token() {
    let server = service().await;
    let client = HealthcareClient::new(dicom(&server), credential());
    let response = client.post("studies").body_stream(|| Body::from("frames")).stream().await.unwrap();
    let mut response = response.error_for_status().unwrap();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.unwrap() {
        body.extend_from_slice(&chunk);
    }
    assert_eq!(body, b"{}");
    assert_eq!(authorizations(&server).await, ["Bearer token-1"]);
    assert_eq!(server.received_requests().await.unwrap()[0].body, b"frames");
}

#[tokio::test]
async fn authorization_header_of_the_caller_is_an_error_or_replaced() {
    let server = service().await;
    let client = HealthcareClient::new(fhir(&server), credential());
    for name in ["Authorization", "authorization", "AUTHORIZATION"] {
        let error = client.get("Patient").header(name, "Basic mine").send().await.unwrap_err();
        assert_eq!(error.kind(), azure_healthcare_auth::ErrorKind::Request);
        let client =
            HealthcareClient::builder(fhir(&server), credential()).default_header(name, "Basic mine");
        assert_eq!(client.build().unwrap_err().kind(), azure_healthcare_auth::ErrorKind::Request);
    }
    assert_eq!(count(&server).await, 0);
    let mut default_headers = http::HeaderMap::new();
    default_headers.insert("authorization", HeaderValue::from_static("Basic default"));
    let client = HealthcareClient::builder(fhir(&server), credential())
        .configure_http(move |http| http.default_headers(default_headers.clone()))
        .build()
        .unwrap();
    client.get("Patient").send().await.unwrap();
    assert_eq!(authorizations(&server).await, ["Bearer token-1"]);
}

#[tokio::test]
async fn concurrent_requests_of_clones_share_one_token() {
    let (server, tokens) = (service().await, credential());
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    let requests: Vec<_> = (0..50).map(|_| tokio::spawn(client.clone().get("Patient").send())).collect();
    for request in requests {
        request.await.unwrap().unwrap();
    }
    assert_eq!(authorizations(&server).await, vec!["Bearer token-1"; 50]);
    assert_eq!(tokens.calls(), 1);
}

#[tokio::test]
async fn client_over_custom_auth_uses_its_value_and_has_a_fixed_audience() {
    let server = service().await;
    let client = HealthcareClient::from_auth(Arc::new(FixedAuth(fhir(&server))));
    client.get("Patient").send().await.unwrap();
    assert_eq!(authorizations(&server).await, ["Bearer fixed"]);
    assert!(client.for_audience(dicom(&server)).is_err());
}

#[tokio::test]
async fn clients_over_one_authenticator_share_its_sensitive_value() {
    let (server, tokens) = (service().await, credential());
    let authenticator = Authenticator::new(fhir(&server), tokens.clone());
    let value = authenticator.authorization().await.unwrap();
    assert!(value.is_sensitive());
    assert_eq!(format!("{value:?}"), "Sensitive");
    HealthcareClient::from(authenticator.clone()).get("Patient").send().await.unwrap();
    let shared: Arc<dyn HealthcareAuth<Audience = FhirAudience>> = Arc::new(authenticator);
    HealthcareClient::from_auth(shared).get("Patient").send().await.unwrap();
    assert_eq!(authorizations(&server).await, vec![value.to_str().unwrap(); 2]);
    assert_eq!(tokens.calls(), 1);
}

#[tokio::test]
async fn failed_token_fetch_sends_no_request() {
    let (server, tokens) = (service().await, broken_credential());
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let error = client.request(method, "Patient").send().await.unwrap_err();
        assert_eq!(error.kind(), azure_healthcare_auth::ErrorKind::Credential);
        assert!(error.to_string().contains("Please run 'az login'"), "{error}");
    }
    assert_eq!(count(&server).await, 0);
}
