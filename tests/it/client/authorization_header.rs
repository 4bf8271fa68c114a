//! The `Authorization` header: there, exactly once, `Bearer` and the token, on every method and on streams.

#![cfg(feature = "client")]

use crate::wire::{Fixed, authorizations, broken_credential, count, credential, dicom, fhir, service};
use azure_healthcare_auth::{Authenticator, Body, FhirAudience, HealthcareAuth, HealthcareClient};
use http::{HeaderValue, Method};
use std::sync::Arc;

#[tokio::test]
async fn on_every_method() {
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
async fn on_streams_in_both_directions() {
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
async fn whatever_header_the_caller_sets() {
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
    let mut theirs = http::HeaderMap::new();
    theirs.insert("authorization", HeaderValue::from_static("Basic default"));
    let client = HealthcareClient::builder(fhir(&server), credential())
        .configure_http(move |http| http.default_headers(theirs.clone()))
        .build()
        .unwrap();
    client.get("Patient").send().await.unwrap();
    assert_eq!(authorizations(&server).await, ["Bearer token-1"]);
}

#[tokio::test]
async fn with_one_token_for_many_requests_and_all_clones() {
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
async fn made_by_whatever_implements_the_trait() {
    let server = service().await;
    let client = HealthcareClient::from_auth(Arc::new(Fixed(fhir(&server))));
    client.get("Patient").send().await.unwrap();
    assert_eq!(authorizations(&server).await, ["Bearer fixed"]);
    assert!(client.for_audience(dicom(&server)).is_err());
}

#[tokio::test]
async fn as_the_authenticator_gives_it() {
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
async fn or_nothing_is_sent() {
    let (server, tokens) = (service().await, broken_credential());
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    for method in [Method::GET, Method::POST, Method::DELETE] {
        let error = client.request(method, "Patient").send().await.unwrap_err();
        assert_eq!(error.kind(), azure_healthcare_auth::ErrorKind::Credential);
        assert!(error.to_string().contains("Please run 'az login'"), "{error}");
    }
    assert_eq!(count(&server).await, 0);
}
