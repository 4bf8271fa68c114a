use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use reqwest::Proxy;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::*;
use crate::{FhirAudience, credentials::StaticTokenCredential};

fn credential() -> Arc<StaticTokenCredential> {
    let expires_on = SystemTime::now() + Duration::from_secs(60 * 60);
    Arc::new(StaticTokenCredential::with_expiry("token", expires_on).unwrap())
}

fn builder(endpoint: &str) -> HealthcareClientBuilder<FhirAudience> {
    HealthcareClient::builder(endpoint.parse().unwrap(), credential())
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    server
}

/// Returns a function for `configure_http`, and the number of its calls.
fn counting() -> (impl Fn(reqwest::ClientBuilder) -> reqwest::ClientBuilder, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let configure = move |http: reqwest::ClientBuilder| {
        counter.fetch_add(1, Ordering::Relaxed);
        // Machines without CA certificates build this too.
        http.user_agent("configured").tls_certs_only([])
    };
    (configure, calls)
}

#[tokio::test]
async fn remote_and_loopback_clients_are_configured_by_the_same_function() {
    let server = server().await;
    let (configure, calls) = counting();
    let remote = builder("https://records.contoso.example").configure_http(configure).build().unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 1);

    let loopback = remote.for_audience::<FhirAudience>(server.uri().parse().unwrap()).unwrap();
    loopback.get("Patient").send().await.unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert_eq!(server.received_requests().await.unwrap()[0].headers["user-agent"], "configured");
}

#[tokio::test]
async fn clients_for_services_on_the_same_side_share_one_pool() {
    let (first, second) = (server().await, server().await);
    let (configure, calls) = counting();
    let client = builder(&first.uri()).configure_http(configure).build().unwrap();
    for server in [&first, &second, &first] {
        let client = client.clone().for_audience::<FhirAudience>(server.uri().parse().unwrap()).unwrap();
        client.get("Patient").send().await.unwrap();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn client_for_remote_audience_keeps_the_proxy_of_a_loopback_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::https(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let client = builder("http://127.0.0.1:1")
        .configure_http(move |http| http.proxy(proxy.clone()).tls_certs_only([]))
        .default_header("prefer", "respond-async") // which also prevents retries
        .build()
        .unwrap();
    let remote: FhirAudience = "https://records.contoso.example".parse().unwrap();
    let request = tokio::spawn(client.for_audience(remote).unwrap().get("Patient").send());

    let (mut connection, _): (TcpStream, _) = listener.accept().await.unwrap();
    let mut received = [0; 1_024];
    let length = connection.read(&mut received).await.unwrap();
    assert!(received[..length].starts_with(b"CONNECT records.contoso.example:443 "));
    drop(connection);
    assert_eq!(request.await.unwrap().unwrap_err().kind(), ErrorKind::Connection);
}

#[tokio::test]
async fn request_header_replaces_default_header() {
    let server = server().await;
    let client = builder(&server.uri())
        .default_header("accept", "application/json")
        .default_header("x-ward", "7")
        .build()
        .unwrap();
    client.get("Patient").send().await.unwrap();
    client.get("Patient").header("X-Ward", "8").send().await.unwrap();
    let received = server.received_requests().await.unwrap();
    for (request, ward) in received.iter().zip(["7", "8"]) {
        assert_eq!(request.headers["accept"], "application/json");
        assert_eq!(request.headers.get_all("x-ward").iter().collect::<Vec<_>>(), [ward]);
    }
}

#[test]
fn invalid_default_header_fails_the_build() {
    for (name, value) in [
        ("Authorization", "Basic x"),
        ("host", "contoso.example"),
        ("connection", "close"),
        ("not a name", "x"),
        ("", "x"),
        ("x-ward", "7\r\n"),
    ] {
        let builder = builder("http://127.0.0.1:1").default_header(name, value).body_limit(1);
        let error = builder.default_header("x-valid", "x").build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Request, "{name}");
        assert!(error.to_string().starts_with("default header: "), "{error}");
    }
}

#[test]
fn rejected_http_settings_fail_the_build() {
    let builder = builder("http://127.0.0.1:1").configure_http(|http| http.user_agent("not\nvalid"));
    let error = builder.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(error.to_string().contains("`configure_http`") && !format!("{error:?}").contains("not\nvalid"));
}

#[test]
fn debug_output_of_the_client_builder_shows_no_header() {
    let builder = builder("http://127.0.0.1:1").default_header("x-secret", "marker");
    let debug = format!("{builder:?}") + &format!("{:?}", builder.build().unwrap());
    assert!(debug.contains("idle_timeout: 60s") && debug.contains("body_limit: 67108864"), "{debug}");
    assert!(!debug.contains("marker"), "{debug}");
}

#[test]
fn any_authenticator_or_shared_auth_is_accepted() {
    let authenticator =
        || Authenticator::new("http://127.0.0.1:1".parse::<FhirAudience>().unwrap(), credential());
    let dicom = || crate::DicomAudience::workspace("contoso", "imaging").build().unwrap();
    let client = HealthcareClient::builder_from_auth(authenticator()).build().unwrap();
    assert!(client.for_audience(dicom()).is_ok());
    let client = HealthcareClient::builder_from_auth(Arc::new(authenticator())).build().unwrap();
    assert_eq!(client.for_audience(dicom()).unwrap_err().kind(), ErrorKind::Request);
    let shared: Arc<dyn HealthcareAuth<Audience = FhirAudience>> = Arc::new(authenticator());
    let client = HealthcareClient::builder_from_auth(shared).build().unwrap();
    assert_eq!(client.for_audience(dicom()).unwrap_err().kind(), ErrorKind::Request);
}
