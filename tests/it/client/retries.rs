//! Retries, counted at the service, for each method and each kind of failure.

#![cfg(feature = "client")]

use std::{
    error::Error as _,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::error::ErrorKind as Kind;
use azure_healthcare_auth::{Body, ErrorKind, FhirAudience, HealthcareAuth, HealthcareClient, Result};
use azure_healthcare_auth_testing::{FakeServer, Fault};
use bytes::Bytes;
use http::{HeaderValue, Method};
use tokio::time::{self, Instant};
use wiremock::{Mock, ResponseTemplate, matchers::any};

use crate::wire::{COMPLETE, TRUNCATED, count, credential, fhir, responding, responding_raw};

/// Returns a response that asks for a retry at once, so that no test waits.
fn busy(status: u16) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("x-ms-retry-after-ms", "0")
}

#[tokio::test]
async fn error_response_is_retried_only_if_a_retry_is_safe() {
    for (method, path, prefer, status, sent) in [
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
        let server = responding(busy(status)).await;
        let client = HealthcareClient::new(fhir(&server), credential());
        let mut request = client.request(method.clone(), path);
        if !prefer.is_empty() {
            request = request.header("prefer", prefer);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(
            (count(&server).await, response.attempts()),
            (sent, sent as u32),
            "{method} {path} {status}"
        );
    }
}

#[tokio::test]
async fn post_marked_as_idempotent_is_retried() {
    let server = responding(busy(503)).await;
    let client = HealthcareClient::new(fhir(&server), credential());
    let response = client.post("Patient").idempotent().send().await.unwrap();
    assert_eq!((response.attempts(), count(&server).await), (4, 4));
}

#[tokio::test]
async fn request_is_retried_until_the_service_recovers() {
    let server = crate::wire::Service::start().await;
    Mock::given(any()).respond_with(busy(503)).up_to_n_times(2).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let client = HealthcareClient::new(fhir(&server), credential());
    let response = client.get("Patient").stream().await.unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (200, 3));
}

#[tokio::test]
async fn response_with_long_retry_after_is_returned_without_retry() {
    for header in [("x-ms-retry-after-ms", "86400000"), ("retry-after", "86400")] {
        let server = responding(ResponseTemplate::new(429).insert_header(header.0, header.1)).await;
        let client = HealthcareClient::new(fhir(&server), credential());
        let response = client.get("Patient").send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.attempts()), (429, 1));
        assert_eq!(response.retry_after(), Some(Duration::from_secs(86_400)));
        let error = response.error_for_status().unwrap_err();
        assert!(error.is_transient() && error.retry_after() == Some(Duration::from_secs(86_400)));
    }
}

/// Returns a value on the first call. `later` configures the calls after it.
struct FirstCallAuth {
    audience: FhirAudience,
    calls: AtomicUsize,
    later: LaterCalls,
}

#[derive(Clone, Copy, Debug)]
enum LaterCalls {
    Fail,
    /// Returns a value at the second poll.
    Yield,
    /// Advances the runtime's clock by 31 s, past the limit for retries, and never returns.
    Hang,
}

#[async_trait]
impl HealthcareAuth for FirstCallAuth {
    type Audience = FhirAudience;

    fn audience(&self) -> &FhirAudience {
        &self.audience
    }

    async fn authorization(&self) -> Result<HeaderValue> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        match self.later {
            _ if call == 0 => {}
            LaterCalls::Fail => {
                return Err(azure_core::Error::with_message(Kind::Credential, "no other").into());
            }
            LaterCalls::Yield => tokio::task::yield_now().await,
            LaterCalls::Hang => {
                time::pause();
                time::advance(Duration::from_secs(31)).await;
                time::resume();
                std::future::pending().await
            }
        }
        Ok(HeaderValue::from_static("Bearer one"))
    }
}

#[tokio::test]
async fn request_is_not_retried_without_a_token() {
    for (later, attempts) in [(LaterCalls::Fail, 1), (LaterCalls::Yield, 4), (LaterCalls::Hang, 1)] {
        let server = responding(busy(503)).await;
        let auth = FirstCallAuth { audience: fhir(&server), calls: AtomicUsize::new(0), later };
        let response = HealthcareClient::from_auth(Arc::new(auth)).get("Patient").send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.attempts()), (503, attempts), "{later:?}");
        assert_eq!(count(&server).await, attempts as usize);
    }
}

#[tokio::test]
async fn request_is_retried_after_lost_connection_only_if_a_retry_is_safe() {
    let (audience, requests) = responding_raw(|number| if number % 2 == 0 { b"" } else { TRUNCATED }).await;
    let client = HealthcareClient::new(audience, credential());
    let error = client.get("Patient").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.is_transient());
    assert_eq!(requests.load(Ordering::SeqCst), 4);

    let error = client.post("Patient").send().await.unwrap_err();
    assert_eq!((error.kind(), requests.load(Ordering::SeqCst)), (ErrorKind::Connection, 5));
    let error = client.post("Patient").send().await.unwrap_err();
    assert_eq!((error.kind(), requests.load(Ordering::SeqCst)), (ErrorKind::Connection, 6));
    // A request body that is complete is not reported as the cause.
    let empty = || Body::stream(Once(Box::pin(std::future::ready(None))));
    let error = client.post("Patient").body_stream(empty).send().await.unwrap_err();
    assert_eq!((error.kind(), requests.load(Ordering::SeqCst)), (ErrorKind::Connection, 7));

    let (audience, requests) = responding_raw(|number| if number < 2 { b"" } else { COMPLETE }).await;
    let response = HealthcareClient::new(audience, credential()).get("Patient").send().await.unwrap();
    assert_eq!((response.attempts(), requests.load(Ordering::SeqCst)), (3, 3));
}

#[tokio::test]
async fn error_of_a_truncated_response_keeps_its_status_and_retry_after() {
    const CREATED: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 100\r\n\r\n{\"half\":";
    const THROTTLED: &[u8] =
        b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 100\r\nretry-after: 86400\r\n\r\n{\"half\":";
    let (audience, requests) = responding_raw(|_| CREATED).await;
    let error = HealthcareClient::new(audience, credential()).post("Patient").send().await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Connection, 201));
    assert!(!error.is_transient());
    assert_eq!(requests.load(Ordering::SeqCst), 1);

    let (audience, _) = responding_raw(|_| THROTTLED).await;
    let error = HealthcareClient::new(audience, credential()).post("Patient").send().await.unwrap_err();
    assert_eq!(
        (error.status().unwrap().as_u16(), error.retry_after()),
        (429, Some(Duration::from_secs(86_400)))
    );
    assert!(error.is_transient());

    let created = responding(ResponseTemplate::new(201).set_body_string("long")).await;
    let client = HealthcareClient::builder(fhir(&created), credential()).body_limit(3).build().unwrap();
    let error = client.post("Patient").send().await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::TooLarge, 201));
}

#[tokio::test(start_paused = true)]
async fn post_is_retried_if_no_connection_was_made() {
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client =
        HealthcareClient::<FhirAudience>::new(format!("http://{nowhere}").parse().unwrap(), credential());
    let started = Instant::now();
    let error = client.post("Patient").send().await.unwrap_err();
    // The error includes the cause that the operating system reported.
    let message = error.to_string();
    let (_, cause) = message.split_once(&format!("at http://{nowhere} could not be reached: ")).unwrap();
    assert!(!cause.is_empty());
    // There is no server that could count requests. The paused clock advances only by the three retry delays.
    let waited = started.elapsed();
    assert!(waited >= Duration::from_millis(250 + 500 + 1_000), "{waited:?}");
}

#[tokio::test]
async fn failed_request_body_is_not_retried() {
    let server = crate::wire::service().await;
    // The request body is downloaded from another host. A failure of that download must not count as a failure of the
    // connection to the service.
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (http2, method) in
        [(false, Method::PUT), (false, Method::POST), (true, Method::PUT), (true, Method::POST)]
    {
        let client = HealthcareClient::builder(fhir(&server), credential())
            .configure_http(move |http| if http2 { http.http2_prior_knowledge() } else { http })
            .build()
            .unwrap();
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let request = client.request(method, "Patient/1").idempotent().body_stream(move || {
            count.fetch_add(1, Ordering::Relaxed);
            let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
            let download = http.get(format!("http://{nowhere}/canary?canary")).send();
            Body::stream(Once(Box::pin(async {
                match download.await {
                    Ok(response) => Some(response.bytes().await),
                    Err(error) => Some(Err(error)),
                }
            })))
        });
        let error = request.send().await.unwrap_err();
        assert_eq!((error.kind(), made.load(Ordering::Relaxed)), (ErrorKind::Body, 1), "{error}");
        assert!(!error.is_transient() && error.source().is_none());
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
    assert_eq!(count(&server).await, 0);
}

#[tokio::test(start_paused = true)]
async fn request_that_cannot_be_built_is_not_retried() {
    let client = HealthcareClient::<FhirAudience>::new("http://127.0.0.1:9".parse().unwrap(), credential());
    let started = Instant::now();
    // Longer than the limit of `http::Uri`.
    let error = client.get(format!("Patient?_id={}", "canary,".repeat(10_000))).send().await.unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Request, false));
    assert!(error.to_string().ends_with("; nothing was sent") && !format!("{error:?}").contains("canary"));
    assert_eq!(started.elapsed(), Duration::ZERO);
}

/// A stream of one item or none.
struct Once(Pin<Box<dyn Future<Output = Option<reqwest::Result<Bytes>>> + Send>>);

impl futures_core::Stream for Once {
    type Item = reqwest::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll(context)
    }
}

#[tokio::test]
async fn throttled_create_creates_one_patient() {
    let fake_server = FakeServer::start().await;
    let client = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    let patient = serde_json::json!({ "resourceType": "Patient", "name": [{ "family": "Example" }] });
    fake_server.inject_fault(2, Fault::Throttled(Duration::ZERO));
    let response = client.post("Patient").json(&patient).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.attempts()), (201, 3));
    let created = fake_server.requests().iter().filter(|request| request.status() == 201).count();
    assert_eq!(created, 1);
}

#[tokio::test]
async fn create_with_truncated_response_creates_one_patient() {
    let fake_server = FakeServer::builder().patients(0).start().await;
    let client = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    fake_server.inject_fault(1, Fault::TruncatedBody);
    let patient = serde_json::json!({ "resourceType": "Patient" });
    let error = client.post("Patient").json(&patient).send().await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Connection, Some(http::StatusCode::CREATED)));
    let patients: serde_json::Value =
        client.get("Patient").query("_total", "accurate").send().await.unwrap().json().unwrap();
    assert_eq!((patients["total"].as_u64(), fake_server.requests().len()), (Some(1), 2));
}
