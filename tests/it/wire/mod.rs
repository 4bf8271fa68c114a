//! What the tests of requests share: a credential whose tokens tell what they are for, and a service that keeps what
//! it was sent.

// Each test file is a program of its own and uses a part of this.
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

use azure_healthcare_auth::{
    DicomAudience, FhirAudience, HealthcareAuth, Result, testing::ScriptedCredential,
};
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

/// Gives tokens of an hour: `token-1`, `token-2`, and so on to the ninth.
pub(crate) fn credential() -> Arc<ScriptedCredential> {
    let hour = Duration::from_secs(3_600);
    let tokens = (1..=9).map(|call| format!("token-{call}"));
    Arc::new(tokens.fold(ScriptedCredential::new(), |script, token| script.token(token, hour)))
}

/// Gives none.
pub(crate) fn broken_credential() -> Arc<ScriptedCredential> {
    Arc::new(ScriptedCredential::new().error("Please run 'az login'"))
}

/// Always `Bearer fixed`, for one audience.
pub(crate) struct Fixed(pub(crate) FhirAudience);

#[async_trait::async_trait]
impl HealthcareAuth for Fixed {
    type Audience = FhirAudience;

    fn audience(&self) -> &FhirAudience {
        &self.0
    }

    async fn authorization(&self) -> Result<HeaderValue> {
        Ok(HeaderValue::from_static("Bearer fixed"))
    }
}

/// Has a value at hand, and marks nothing.
pub(crate) struct Holding(pub(crate) FhirAudience);

#[async_trait::async_trait]
impl HealthcareAuth for Holding {
    type Audience = FhirAudience;

    fn audience(&self) -> &FhirAudience {
        &self.0
    }

    async fn authorization(&self) -> Result<HeaderValue> {
        unreachable!()
    }

    fn cached_authorization(&self) -> Option<HeaderValue> {
        Some(HeaderValue::from_static("Bearer held"))
    }
}

/// A mock server that any task can drop. At its end the server waits for a lock, in a loop: a task that has used up its
/// share of the runtime, as one does that joins a thousand others, would find that lock taken for ever.
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
        let end = pin!(unconstrained(async { drop(self.0.take()) }));
        assert!(end.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    }
}

/// A service that answers everything with `200 {}`.
pub(crate) async fn service() -> Service {
    answering(ResponseTemplate::new(200).set_body_raw("{}", "application/json")).await
}

pub(crate) async fn answering(response: ResponseTemplate) -> Service {
    let server = Service::start().await;
    Mock::given(any()).respond_with(response).mount(&server).await;
    server
}

/// A service that refuses `token-1` and takes every other.
pub(crate) async fn refusing_the_first() -> Service {
    let server = Service::start().await;
    let (refusal, answer) = (ResponseTemplate::new(401), ResponseTemplate::new(200));
    Mock::given(header("authorization", "Bearer token-1")).respond_with(refusal).mount(&server).await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

pub(crate) fn fhir(server: &MockServer) -> FhirAudience {
    server.uri().parse().unwrap()
}

pub(crate) fn dicom(server: &MockServer) -> DicomAudience {
    server.uri().parse().unwrap()
}

/// The `Authorization` headers of all requests, one entry for each header line.
pub(crate) async fn authorizations(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let values = requests.iter().flat_map(|request| request.headers.get_all("authorization"));
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}

pub(crate) async fn count(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

/// A service that answers each connection's first request with what `answer` gives for its number, and hangs up.
pub(crate) async fn answering_raw(answer: fn(usize) -> &'static [u8]) -> (FhirAudience, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let count = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            if stream.read(&mut head).await.unwrap() > 0 {
                let number = count.fetch_add(1, Ordering::SeqCst);
                stream.write_all(answer(number)).await.unwrap();
            }
        }
    });
    (audience, seen)
}

/// An answer that breaks off.
pub(crate) const HALF: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":";
/// An answer, and the end of the connection.
pub(crate) const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
