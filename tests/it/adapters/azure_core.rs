//! Tests of `BearerPolicy` that are specific to `azure_core`: its retries, seekable streams and plain string headers.

use std::{
    error::Error as _,
    future::poll_fn,
    iter::successors,
    pin::Pin,
    sync::{Arc, Mutex},
};

use azure_core::{
    error::ErrorKind as Kind,
    http::{
        AsyncRawResponse, Body, ClientOptions, Context, FixedRetryOptions, Method, Pipeline, Request,
        RetryOptions, StatusCode, Transport,
        headers::{AUTHORIZATION, Headers},
        policies::{Policy, PolicyResult},
    },
    stream::BytesStream,
    time::Duration,
};
use azure_healthcare_auth::{Authenticator, Error, ErrorKind, FhirAudience, adapters::BearerPolicy};
use azure_healthcare_auth_testing::ScriptedCredential;
use futures_core::Stream;
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{any, header},
};

use crate::wire::{Service, authorizations, broken_credential, count, credential, fhir, service};

fn policy(audience: FhirAudience, credential: &Arc<ScriptedCredential>) -> Arc<BearerPolicy<FhirAudience>> {
    Arc::new(BearerPolicy::new(Arc::new(Authenticator::new(audience, credential.clone()))))
}

fn pipeline(server: &Service, credential: &Arc<ScriptedCredential>) -> Pipeline {
    let retry = FixedRetryOptions { delay: Duration::ZERO, max_retries: 2, ..FixedRetryOptions::default() };
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let options = ClientOptions {
        per_try_policies: vec![policy(fhir(server), credential)],
        retry: RetryOptions::fixed(retry),
        // The default transport would use a proxy from the environment.
        transport: Some(Transport::new(Arc::new(http))),
        ..ClientOptions::default()
    };
    Pipeline::new(None, None, options, vec![], vec![], None)
}

fn request(server: &Service) -> Request {
    Request::new(server.uri().parse().unwrap(), Method::Post)
}

#[tokio::test]
async fn each_retry_carries_token_and_rewound_stream() {
    let (server, credential) = (Service::start().await, credential());
    let response = |status| ResponseTemplate::new(status);
    Mock::given(any()).respond_with(response(503)).up_to_n_times(2).mount(&server).await;
    let first = header("authorization", "Bearer token-1");
    Mock::given(first).respond_with(response(401)).mount(&server).await;
    Mock::given(any()).respond_with(response(200)).mount(&server).await;

    let mut request = request(&server);
    request.set_body(BytesStream::new("stream"));
    let response = pipeline(&server, &credential).send(&Context::new(), &mut request, None).await.unwrap();
    assert_eq!(response.status(), StatusCode::Ok);
    let expected = ["Bearer token-1", "Bearer token-1", "Bearer token-1", "Bearer token-2"];
    assert_eq!(authorizations(&server).await, expected);
    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| request.body == b"stream"));
    assert_eq!(credential.calls(), 2);
}

#[tokio::test]
async fn errors_of_the_policy_are_credential_errors_and_not_retried() {
    let (server, credential) = (service().await, broken_credential());
    let pipeline = pipeline(&server, &credential);
    let mut other_port = request(&server);
    other_port.url_mut().set_port(Some(1)).unwrap();
    for (mut request, kind, calls) in
        [(other_port, ErrorKind::UrlNotAllowed, 0), (request(&server), ErrorKind::Credential, 1)]
    {
        let error = pipeline.send(&Context::new(), &mut request, None).await.unwrap_err();
        assert_eq!(*error.kind(), Kind::Credential);
        let mut sources = successors(error.source(), |&error| error.source());
        assert_eq!(sources.find_map(|error| error.downcast_ref::<Error>()).unwrap().kind(), kind);
        assert_eq!((credential.calls(), count(&server).await), (calls, 0));
    }
}

/// A last policy that records authorization values and responds with 401.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<String>>);

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths)]
impl Policy for Recorder {
    async fn send(&self, _: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let value = request.headers().get_str(&AUTHORIZATION).unwrap().to_owned();
        self.0.lock().unwrap().push(value);
        Ok(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, Headers::new(), "reason"))
    }
}

#[tokio::test]
async fn token_is_removed_from_request_after_sending() {
    let (recorder, credential) = (Arc::new(Recorder::default()), credential());
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    let mut request = Request::new("https://fhir.contoso.example/r4/Patient".parse().unwrap(), Method::Get);
    request.insert_header("authorization", "Basic mine");
    let policy = policy(audience, &credential);
    let next: Vec<Arc<dyn Policy>> = vec![recorder.clone()];
    let response = policy.send(&Context::new(), &mut request, &next).await.unwrap();
    assert_eq!(response.status(), StatusCode::Unauthorized);
    assert_eq!(*response.into_body().collect_string().await.unwrap(), *"reason");
    assert_eq!(*recorder.0.lock().unwrap(), ["Bearer token-1", "Bearer token-2"]);
    assert_eq!(request.headers().get_optional_str(&AUTHORIZATION), None);

    // A pipeline without a policy after this one cannot send.
    assert!(policy.send(&Context::new(), &mut request, &[]).await.is_err());
}

/// A last policy that reads the request's own stream, where `reqwest` reads a clone. It rejects the first request.
#[derive(Debug, Default)]
struct StreamReader(Mutex<Vec<Vec<u8>>>);

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths)]
impl Policy for StreamReader {
    async fn send(&self, _: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let Body::SeekableStream(stream) = request.body_mut() else { panic!() };
        let mut read = Vec::new();
        while let Some(chunk) = poll_fn(|context| Pin::new(&mut **stream).poll_next(context)).await {
            read.extend_from_slice(&chunk.unwrap());
        }
        let mut bodies = self.0.lock().unwrap();
        bodies.push(read);
        let status = if bodies.len() == 1 { StatusCode::Unauthorized } else { StatusCode::Ok };
        Ok(AsyncRawResponse::from_bytes(status, Headers::new(), ""))
    }
}

#[tokio::test]
async fn consumed_stream_is_rewound_before_replay() {
    let reader = Arc::new(StreamReader::default());
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    let mut request = Request::new("https://fhir.contoso.example/r4/Patient".parse().unwrap(), Method::Post);
    request.set_body(BytesStream::new("stream"));
    let next: Vec<Arc<dyn Policy>> = vec![reader.clone()];
    let response = policy(audience, &credential()).send(&Context::new(), &mut request, &next).await.unwrap();
    assert_eq!(response.status(), StatusCode::Ok);
    assert_eq!(*reader.0.lock().unwrap(), [b"stream"; 2]);
}

#[test]
fn policy_is_send_sync_clone_and_debug_shows_only_audience() {
    fn assert_shareable<T: Clone + Send + Sync + 'static>(_: &T) {}
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    let policy = policy(audience.clone(), &credential());
    assert_shareable(&*policy);
    assert_eq!(format!("{policy:?}"), format!("BearerPolicy({audience:?})"));
}
