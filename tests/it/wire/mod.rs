//! Shared helpers: mock services that record requests, and credentials with numbered tokens.

// Several test programs include this module, and each uses a part of it.
#![allow(dead_code, unused_imports)]

mod hostile;
pub(crate) mod http2;

use std::{
    ops::Deref,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use azure_healthcare_auth::{DicomAudience, FhirAudience, HealthcareAuth, Result};
use azure_healthcare_auth_testing::ScriptedCredential;
use http::HeaderValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::unconstrained,
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{any, header},
};

pub(crate) use hostile::HOSTILE;

/// Returns a credential that issues `token-1` to `token-9`, each valid for one hour.
pub(crate) fn credential() -> Arc<ScriptedCredential> {
    let hour = Duration::from_secs(3_600);
    let tokens = (1..=9).map(|call| format!("token-{call}"));
    Arc::new(tokens.fold(ScriptedCredential::new(), |script, token| script.token(token, hour)))
}

/// Returns a credential that always fails.
pub(crate) fn broken_credential() -> Arc<ScriptedCredential> {
    Arc::new(ScriptedCredential::new().error("Please run 'az login'"))
}

/// Returns `Bearer fixed` for one audience, not marked sensitive.
pub(crate) struct FixedAuth(pub(crate) FhirAudience);

#[async_trait::async_trait]
impl HealthcareAuth for FixedAuth {
    type Audience = FhirAudience;

    fn audience(&self) -> &FhirAudience {
        &self.0
    }

    async fn authorization(&self) -> Result<HeaderValue> {
        Ok(HeaderValue::from_static("Bearer fixed"))
    }
}

/// Has only a cached value, `Bearer cached`, not marked sensitive.
pub(crate) struct CachedAuth(pub(crate) FhirAudience);

#[async_trait::async_trait]
impl HealthcareAuth for CachedAuth {
    type Audience = FhirAudience;

    fn audience(&self) -> &FhirAudience {
        &self.0
    }

    async fn authorization(&self) -> Result<HeaderValue> {
        unreachable!()
    }

    fn cached_authorization(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static("Bearer cached"))
    }
}

/// A [`MockServer`] that any task can drop.
///
/// `MockServer` waits for a lock in a loop when it is dropped. In a task that has used up its cooperative budget, for
/// example after joining 1,000 tasks, that lock would never become available.
pub(crate) struct Service(Option<MockServer>);

impl Service {
    pub(crate) async fn start() -> Self {
        Self(Some(MockServer::start().await))
    }
}

impl Deref for Service {
    type Target = MockServer;

    fn deref(&self) -> &MockServer {
        self.0.as_ref().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let dropped = pin!(unconstrained(async { drop(self.0.take()) }));
        assert!(dropped.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}

/// Starts a service that responds to every request with `200 {}`.
pub(crate) async fn service() -> Service {
    responding(ResponseTemplate::new(200).set_body_raw("{}", "application/json")).await
}

/// Starts a service that responds to every request with `response`.
pub(crate) async fn responding(response: ResponseTemplate) -> Service {
    let server = Service::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    server
}

/// Starts a service that rejects `token-1` with 401 and accepts every other token.
pub(crate) async fn rejecting_first_token() -> Service {
    let server = Service::start().await;
    let (unauthorized, ok) = (ResponseTemplate::new(401), ResponseTemplate::new(200));
    Mock::given(header("authorization", "Bearer token-1")).respond_with(unauthorized).mount(&server).await;
    Mock::given(any()).respond_with(ok).mount(&server).await;
    server
}

pub(crate) fn fhir(server: &MockServer) -> FhirAudience {
    server.uri().parse().unwrap()
}

pub(crate) fn dicom(server: &MockServer) -> DicomAudience {
    server.uri().parse().unwrap()
}

/// Returns the `Authorization` headers of all requests, one entry per header line.
pub(crate) async fn authorizations(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let values = requests.iter().flat_map(|request| request.headers.get_all("authorization"));
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// Returns the number of requests that the server received.
pub(crate) async fn count(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

/// Starts a service that writes `response(n)` after the n-th request, counted from 0, and closes the connection. Returns
/// its audience and its request counter.
pub(crate) async fn responding_raw(response: fn(usize) -> &'static [u8]) -> (FhirAudience, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            if stream.read(&mut head).await.unwrap() > 0 {
                let number = count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(response(number)).await.unwrap();
            }
        }
    });
    (audience, requests)
}

/// A response with a truncated body.
pub(crate) const TRUNCATED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":";
/// A complete response.
pub(crate) const COMPLETE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
