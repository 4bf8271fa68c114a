//! Credentials of `azure_identity` with the fake token endpoint, and their tokens with the fake server.

#![cfg(feature = "client")]

use std::{fs, path::Path, process, sync::Arc, time::Duration};

use azure_core::{
    cloud::CustomConfiguration,
    credentials::TokenCredential,
    http::{ClientMethodOptions, ClientOptions, FixedRetryOptions, RetryOptions, Transport},
    time::Duration as CoreDuration,
};
use azure_healthcare_auth::{
    DenialCause, DicomVersion, Error, ErrorKind, HealthcareClient, credentials::StaticTokenCredential,
};
use azure_healthcare_auth_testing::{FakeClock, FakeServer, FakeTokenEndpoint, ReceivedTokenRequest};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use http::StatusCode;
use serde_json::Value;

use crate::support::HOUR;

/// The codes whose cause and remedy are documented for users of the library.
const CODES: [u32; 60] = [
    16000, 50013, 50020, 50034, 50053, 50055, 50057, 50058, 50059, 50076, 50078, 50079, 50105, 50126, 50128,
    50158, 50173, 50178, 50196, 53003, 65001, 65004, 70008, 70011, 70021, 70025, 70043, 90002, 90013, 90033,
    90061, 500_011, 500_014, 500_131, 500_133, 530_003, 650_057, 700_016, 700_024, 700_027, 700_030, 700_082,
    700_211, 700_212, 700_213, 900_023, 900_144, 901_002, 1_002_012, 7_000_112, 7_000_215, 7_000_218,
    7_000_222, 7_000_229, 7_002_138, 9_010_010, 50027, 70003, 700_022, 700_023,
];

fn http(endpoint: &FakeTokenEndpoint) -> reqwest::Client {
    let certificate = reqwest::Certificate::from_pem(endpoint.certificate_pem().as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build().unwrap()
}

fn options(endpoint: &FakeTokenEndpoint, http: &reqwest::Client) -> ClientOptions {
    let mut cloud = CustomConfiguration::default();
    cloud.authority_host = endpoint.authority_host().into();
    ClientOptions {
        cloud: Some(Arc::new(cloud.into())),
        retry: RetryOptions::none(),
        transport: Some(Transport::new(Arc::new(http.clone()))),
        ..ClientOptions::default()
    }
}

fn with_secret(endpoint: &FakeTokenEndpoint, client_options: ClientOptions) -> Arc<dyn TokenCredential> {
    let (client, secret) = (endpoint.client_id().to_owned(), endpoint.client_secret().to_owned());
    let options = ClientSecretCredentialOptions { client_options };
    ClientSecretCredential::new(endpoint.tenant_id(), client, secret.into(), Some(options)).unwrap()
}

#[derive(Debug)]
struct Assertion(String);

#[async_trait::async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.0.clone())
    }
}

fn with_assertion(endpoint: &FakeTokenEndpoint, assertion: String) -> Arc<dyn TokenCredential> {
    let options = ClientAssertionCredentialOptions { client_options: options(endpoint, &http(endpoint)) };
    let (tenant, client) = (endpoint.tenant_id().to_owned(), endpoint.client_id().to_owned());
    ClientAssertionCredential::new(tenant, client, Assertion(assertion), Some(options)).unwrap()
}

fn with_federated_token(endpoint: &FakeTokenEndpoint, token: &str) -> Arc<dyn TokenCredential> {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("federated-token-{}", process::id()));
    fs::write(&file, token).unwrap();
    let client_options = options(endpoint, &http(endpoint));
    let options = WorkloadIdentityCredentialOptions {
        credential_options: ClientAssertionCredentialOptions { client_options },
        client_id: Some(endpoint.client_id().to_owned()),
        tenant_id: Some(endpoint.tenant_id().to_owned()),
        token_file_path: Some(file),
    };
    WorkloadIdentityCredential::new(Some(options)).unwrap()
}

/// Requests a Patient with a token of the credential.
async fn get_patient(server: &FakeServer, credential: Arc<dyn TokenCredential>) -> Result<StatusCode, Error> {
    let fhir = HealthcareClient::new(server.fhir(), credential);
    Ok(fhir.get("Patient").send().await?.status())
}

fn codes(endpoint: &FakeTokenEndpoint) -> Vec<Option<u32>> {
    endpoint.requests().iter().map(ReceivedTokenRequest::error_code).collect()
}

#[tokio::test]
async fn fake_server_accepts_the_tokens_of_credentials_of_azure_identity() {
    let subject = "system:serviceaccount:records:worker";
    let endpoint =
        FakeTokenEndpoint::builder().federated_credential("https://issuer.example", subject).start().await;
    let server = FakeServer::start().await;
    for credential in [
        with_secret(&endpoint, options(&endpoint, &http(&endpoint))),
        with_assertion(&endpoint, endpoint.client_assertion()),
        with_federated_token(&endpoint, &endpoint.federated_token("https://issuer.example", subject)),
    ] {
        endpoint.clear_requests();
        let fhir = HealthcareClient::new(server.fhir(), credential);
        let dicom = fhir.for_audience(server.dicom(DicomVersion::V2)).unwrap();
        for _ in 0..2 {
            assert_eq!(fhir.get("Patient").send().await.unwrap().status(), 200);
            assert_eq!(dicom.get("changefeed").send().await.unwrap().status(), 200);
        }
        let requests = endpoint.requests();
        let scopes: Vec<_> = requests.iter().map(|request| request.scope().unwrap()).collect();
        let fhir_scope = format!("{}/.default", server.fhir().resource());
        assert_eq!(scopes, [&fhir_scope, "https://dicom.healthcareapis.azure.com/.default"]);
        let first = &requests[0];
        assert_eq!(
            (first.tenant_id(), first.client_id()),
            (endpoint.tenant_id(), Some(endpoint.client_id()))
        );
        assert_eq!(first.grant_type(), Some("client_credentials"));
    }
}

#[tokio::test]
async fn each_sign_in_error_is_reported_by_the_client_with_its_code() {
    let endpoint = FakeTokenEndpoint::start().await;
    let server = FakeServer::start().await;
    let http = http(&endpoint);
    for code in CODES {
        endpoint.inject_error(1, code);
        let credential = with_secret(&endpoint, options(&endpoint, &http));
        let error = get_patient(&server, credential).await.unwrap_err();
        assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Credential, code == 90033), "{error}");
        assert!(error.to_string().contains(&format!("AADSTS{code}: ")), "{error}");
    }
    assert_eq!(codes(&endpoint), CODES.map(Some));
    assert_eq!(server.requests().len(), 0);
}

#[tokio::test]
async fn misconfigured_credentials_are_rejected_with_the_code_of_entra() {
    let endpoint = FakeTokenEndpoint::start().await;
    let server = FakeServer::start().await;
    let http = http(&endpoint);
    let secret = |tenant: &str, client: &str, secret: &str| -> Arc<dyn TokenCredential> {
        let options = ClientSecretCredentialOptions { client_options: options(&endpoint, &http) };
        let (client, secret) = (client.to_owned(), secret.to_owned());
        ClientSecretCredential::new(tenant, client, secret.into(), Some(options)).unwrap()
    };
    let (tenant, client, good) = (endpoint.tenant_id(), endpoint.client_id(), endpoint.client_secret());
    for (credential, code) in [
        (secret(client, client, good), 90002),
        (secret("contoso", client, good), 900_023),
        (secret(tenant, tenant, good), 700_016),
        (secret(tenant, client, "wrong"), 7_000_215),
        (with_assertion(&endpoint, "no JWT".to_owned()), 50027),
        (with_assertion(&endpoint, endpoint.federated_token("https://issuer.example", "s")), 70025),
    ] {
        let error = get_patient(&server, credential).await.unwrap_err();
        assert!(error.to_string().contains(&format!("AADSTS{code}: ")), "{error}");
        assert!(!error.is_transient() && !error.to_string().contains(good), "{error}");
    }
}

#[tokio::test]
async fn expired_assertion_and_expired_token_follow_the_clock_of_the_fakes() {
    let clock = FakeClock::new();
    let now = || {
        let clock = clock.clone();
        move || clock.now()
    };
    let endpoint = FakeTokenEndpoint::builder().clock(now()).start().await;
    let server = FakeServer::builder().clock(now()).start().await;
    let assertion = endpoint.client_assertion();
    let cached = with_assertion(&endpoint, assertion.clone());
    assert_eq!(get_patient(&server, cached.clone()).await.unwrap(), 200);

    clock.advance(HOUR);
    let error = get_patient(&server, with_assertion(&endpoint, assertion)).await.unwrap_err();
    assert!(error.to_string().contains("AADSTS700024: "), "{error}");
    // `azure_identity` uses the system clock, so it returns the token that it has cached.
    let error = get_patient(&server, cached).await.unwrap_err();
    assert_eq!(error.denial().unwrap().cause(), DenialCause::Expired);
}

#[tokio::test]
async fn settings_of_the_endpoint_determine_what_the_fake_server_allows() {
    let server = FakeServer::start().await;
    let reader = FakeTokenEndpoint::builder().roles(&["FHIR Data Reader"]).start().await;
    let credential = with_secret(&reader, options(&reader, &http(&reader)));
    let fhir = HealthcareClient::new(server.fhir(), credential);
    assert_eq!(fhir.get("Patient").send().await.unwrap().status(), 200);
    let error = fhir.post("Patient").send().await.unwrap_err();
    assert_eq!(error.denial().unwrap().cause(), DenialCause::MissingRole);

    let other = FakeTokenEndpoint::builder().tenant_id("0a1b2c3d-0000-4000-8000-5741d1000009").start().await;
    let error = get_patient(&server, with_secret(&other, options(&other, &http(&other)))).await.unwrap_err();
    assert_eq!(error.denial().unwrap().cause(), DenialCause::WrongTenant);
}

#[tokio::test]
async fn busy_endpoint_is_retried_by_the_credential_or_reported_as_transient() {
    let endpoint = FakeTokenEndpoint::start().await;
    let server = FakeServer::start().await;
    let http = http(&endpoint);
    let retry = RetryOptions::fixed(FixedRetryOptions {
        delay: CoreDuration::milliseconds(1),
        max_retries: 2,
        ..FixedRetryOptions::default()
    });
    endpoint.inject_status(1, StatusCode::TOO_MANY_REQUESTS, Some(Duration::ZERO));
    endpoint.inject_error(1, 90033);
    let credential = with_secret(&endpoint, ClientOptions { retry, ..options(&endpoint, &http) });
    assert_eq!(get_patient(&server, credential).await.unwrap(), 200);
    let statuses: Vec<_> = endpoint.requests().iter().map(|request| request.status().as_u16()).collect();
    assert_eq!((statuses, codes(&endpoint)), (vec![429, 503, 200], vec![None, Some(90033), None]));

    endpoint.inject_error(1, 90033);
    let error = get_patient(&server, with_secret(&endpoint, options(&endpoint, &http))).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}

#[tokio::test]
async fn client_that_does_not_trust_the_authority_sends_no_secret() {
    let [endpoint, other] = [FakeTokenEndpoint::start().await, FakeTokenEndpoint::start().await];
    let server = FakeServer::start().await;
    let credential = with_secret(&endpoint, options(&endpoint, &http(&other)));
    let error = get_patient(&server, credential).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(endpoint.requests().len(), 0);
}

#[tokio::test]
async fn on_behalf_of_token_of_a_user_is_accepted_and_an_expired_one_is_rejected() {
    let clock = FakeClock::new();
    let now = clock.clone();
    let endpoint = FakeTokenEndpoint::builder().clock(move || now.now()).start().await;
    let server = FakeServer::start().await;
    let http = http(&endpoint);
    let assertion = endpoint.user_assertion();
    let scope = format!("{}/.default", server.fhir().resource());
    let send = async || {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .append_pair("requested_token_use", "on_behalf_of")
            .append_pair("assertion", &assertion)
            .append_pair("scope", &scope)
            .append_pair("client_id", endpoint.client_id())
            .append_pair("client_secret", endpoint.client_secret())
            .finish();
        let request = http.post(endpoint.token_url());
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap())
    };
    let (status, body) = send().await;
    assert_eq!((status, &body["expires_in"]), (200, &Value::from(3_600)));
    let token = StaticTokenCredential::new(body["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(get_patient(&server, Arc::new(token)).await.unwrap(), 200);

    clock.advance(HOUR);
    let (status, body) = send().await;
    assert_eq!((status, &body["error"]), (400, &Value::from("invalid_grant")));
    assert!(body["error_description"].as_str().unwrap().starts_with("AADSTS500133: "), "{body}");
}
