//! How often the service sees a request: counted there, for each method and each way to fail.

#![cfg(feature = "client")]

mod wire;

use azure_healthcare_auth::{ErrorKind, HealthcareClient, testing::StandIn};
use http::Method;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wire::{Tokens, answering, count, fhir};
use wiremock::{Mock, ResponseTemplate, matchers::any};

/// Asks to be called again at once, so that no test waits.
fn busy(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("x-ms-retry-after-ms", "0")
}

#[tokio::test]
async fn after_an_answer_that_says_busy() {
    for (method, path, prefer, status, seen) in [
        (Method::GET, "Patient?name=x", "", 503, 4),
        (Method::GET, "Patient", "", 500, 4),
        (Method::HEAD, "Patient", "", 429, 4),
        (Method::PUT, "Patient/1", "", 504, 4),
        (Method::DELETE, "Patient/1", "", 408, 4),
        (Method::POST, "Patient/_search", "", 502, 4),
        (Method::POST, "Patient", "", 429, 4),
        (Method::POST, "Patient", "", 503, 1),
        (Method::POST, "", "", 500, 1),
        (Method::PATCH, "Patient/1", "", 504, 1),
        (Method::PUT, "Patient?identifier=1", "", 503, 1),
        (Method::DELETE, "Patient?identifier=1", "", 503, 1),
        (Method::GET, "$export", "respond-async", 503, 1),
        (Method::GET, "$export", "respond-async", 429, 1),
        (Method::GET, "Patient", "", 404, 1),
        (Method::GET, "Patient", "", 501, 1),
    ] {
        let server = answering(busy(status)).await;
        let client = HealthcareClient::new(fhir(&server), Tokens::new());
        let mut request = client.request(method.clone(), path);
        if !prefer.is_empty() {
            request = request.header("prefer", prefer);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(
            (count(&server).await, response.attempts()),
            (seen, seen as u32),
            "{method} {path} {status}"
        );
    }
}

#[tokio::test]
async fn or_says_it_is_safe() {
    let server = answering(busy(503)).await;
    let client = HealthcareClient::new(fhir(&server), Tokens::new());
    let response = client.post("Patient").repeatable().send().await.unwrap();
    assert_eq!((response.attempts(), count(&server).await), (4, 4));
}

#[tokio::test]
async fn until_the_service_is_well() {
    let server = wiremock::MockServer::start().await;
    Mock::given(any()).respond_with(busy(503)).up_to_n_times(2).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let client = HealthcareClient::new(fhir(&server), Tokens::new());
    let response = client.get("Patient").stream().await.unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 3));
}

#[tokio::test]
async fn and_a_service_that_asks_for_a_day_is_not_waited_for() {
    for header in [("x-ms-retry-after-ms", "86400000"), ("retry-after", "86400")] {
        let server = answering(ResponseTemplate::new(429).insert_header(header.0, header.1)).await;
        let client = HealthcareClient::new(fhir(&server), Tokens::new());
        let response = client.get("Patient").send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.attempts()), (429, 1));
        assert_eq!(response.retry_after(), Some(Duration::from_secs(86_400)));
        let error = response.error_for_status().unwrap_err();
        assert!(error.is_transient() && error.retry_after() == Some(Duration::from_secs(86_400)));
    }
}

/// Reads a request's head and hangs up without an answer. Counts how many it saw.
async fn hanging_up(connections: usize) -> (String, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let seen = tokio::spawn(async move {
        for seen in 0..connections {
            let Ok((mut stream, _)) = listener.accept().await else { return seen };
            let mut head = [0; 4_096];
            if stream.read(&mut head).await.unwrap() > 0 {
                let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":";
                stream.write_all(if seen % 2 == 0 { b"" } else { half }).await.unwrap();
            }
        }
        connections
    });
    (uri, seen)
}

#[tokio::test]
async fn after_a_connection_that_broke_with_no_answer_or_half_of_one() {
    let (uri, seen) = hanging_up(4).await;
    let client = HealthcareClient::new(uri.parse().unwrap(), Tokens::new());
    let client: HealthcareClient<azure_healthcare_auth::FhirAudience> = client;
    let error = client.get("Patient/canary?name=canary").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.is_transient());
    assert_eq!(seen.await.unwrap(), 4);

    let (uri, seen) = hanging_up(1).await;
    let client =
        HealthcareClient::<azure_healthcare_auth::FhirAudience>::new(uri.parse().unwrap(), Tokens::new());
    let error = client.post("Patient").body("canary").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert_eq!(seen.await.unwrap(), 1);
}

#[tokio::test]
async fn even_a_post_where_no_connection_was_made() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client =
        HealthcareClient::<azure_healthcare_auth::FhirAudience>::new(uri.parse().unwrap(), Tokens::new());
    let error = client.post("Patient").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().contains("could not be reached: "), "{error}");
}

#[tokio::test]
async fn so_a_patient_is_created_once() {
    let stand_in = StandIn::start().await;
    let client = HealthcareClient::new(stand_in.fhir(), stand_in.credential());
    let patient = serde_json::json!({ "resourceType": "Patient", "name": [{ "family": "Example" }] });
    stand_in.throttle(2, Duration::ZERO);
    let response = client.post("Patient").json(&patient).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (201, 3));
    let created = stand_in.received().iter().filter(|request| request.status() == 201).count();
    assert_eq!(created, 1);
}

#[tokio::test]
async fn and_an_answer_has_a_limit_in_memory_and_none_as_a_stream() {
    let server = answering(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 100_000])).await;
    let client = HealthcareClient::new(fhir(&server), Tokens::new()).with_body_limit(99_999);
    let error = client.get("Patient").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let mut response = client.get("Patient").stream().await.unwrap();
    let mut length = 0;
    while let Some(chunk) = response.chunk().await.unwrap() {
        length += chunk.len();
    }
    assert_eq!(length, 100_000);
    assert_eq!(client.with_body_limit(100_000).get("Patient").send().await.unwrap().bytes().len(), 100_000);
}
