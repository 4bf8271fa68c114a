//! What is `azure_core`'s own: its retries around the policy, streams that are sought, headers that are plain strings.

use std::{
    error::Error as _,
    future::poll_fn,
    iter::successors,
    pin::Pin,
    sync::{Arc, Mutex},
};

use crate::wire::{Service, authorizations, broken_credential, count, credential, fhir, service};
use azure_core::time::Duration;
use azure_core::{
    error::ErrorKind as Kind,
    http::{
        AsyncRawResponse, Body, ClientOptions, Context, FixedRetryOptions, Method, Pipeline, Request,
        RetryOptions, StatusCode, Transport,
        headers::{AUTHORIZATION, Headers},
        policies::{Policy, PolicyResult},
    },
    stream::BytesStream,
};
use azure_healthcare_auth::{
    Authenticator, Error, ErrorKind, FhirAudience, adapters::BearerPolicy, testing::ScriptedCredential,
};
use futures_core::Stream;
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{any, header},
};

fn policy(audience: FhirAudience, tokens: &Arc<ScriptedCredential>) -> Arc<BearerPolicy<FhirAudience>> {
    Arc::new(BearerPolicy::new(Arc::new(Authenticator::new(audience, tokens.clone()))))
}

fn pipeline(server: &Service, tokens: &Arc<ScriptedCredential>) -> Pipeline {
    let retry = FixedRetryOptions { delay: Duration::ZERO, max_retries: 2, ..FixedRetryOptions::default() };
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let options = ClientOptions {
        per_try_policies: vec![policy(fhir(server), tokens)],
        retry: RetryOptions::fixed(retry),
        // That of its own would ask a proxy that the environment names.
        transport: Some(Transport::new(Arc::new(http))),
        ..ClientOptions::default()
    };
    Pipeline::new(None, None, options, vec![], vec![], None)
}

fn request(server: &Service) -> Request {
    Request::new(server.uri().parse().unwrap(), Method::Post)
}

#[tokio::test]
async fn each_of_its_tries_has_the_token_and_a_stream_from_its_beginning() {
    let (server, tokens) = (Service::start().await, credential());
    let answer = |status| ResponseTemplate::new(status);
    Mock::given(any()).respond_with(answer(503)).up_to_n_times(2).mount(&server).await;
    let first = header("authorization", "Bearer token-1");
    Mock::given(first).respond_with(answer(401)).mount(&server).await;
    Mock::given(any()).respond_with(answer(200)).mount(&server).await;

    let mut request = request(&server);
    request.set_body(BytesStream::new("the whole stream"));
    let response = pipeline(&server, &tokens).send(&Context::new(), &mut request, None).await.unwrap();
    assert_eq!(response.status(), StatusCode::Ok);
    let expected = ["Bearer token-1", "Bearer token-1", "Bearer token-1", "Bearer token-2"];
    assert_eq!(authorizations(&server).await, expected);
    let requests = server.received_requests().await.unwrap();
    assert!(requests.iter().all(|request| request.body == b"the whole stream"));
    assert_eq!(tokens.calls(), 2);
}

#[tokio::test]
async fn its_own_errors_are_credential_errors_that_are_not_tried_again() {
    let (server, tokens) = (service().await, broken_credential());
    let pipeline = pipeline(&server, &tokens);
    let mut foreign = request(&server);
    foreign.url_mut().set_port(Some(1)).unwrap();
    for (mut request, kind, calls) in
        [(foreign, ErrorKind::UrlNotAllowed, 0), (request(&server), ErrorKind::Credential, 1)]
    {
        let error = pipeline.send(&Context::new(), &mut request, None).await.unwrap_err();
        assert_eq!(*error.kind(), Kind::Credential);
        let mut causes = successors(error.source(), |&cause| cause.source());
        assert_eq!(causes.find_map(|cause| cause.downcast_ref::<Error>()).unwrap().kind(), kind);
        assert_eq!((tokens.calls(), count(&server).await), (calls, 0));
    }
}

/// Keeps the values that come, and answers with 401.
#[derive(Debug, Default)]
struct Keeping(Mutex<Vec<String>>);

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths)]
impl Policy for Keeping {
    async fn send(&self, _: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let value = request.headers().get_str(&AUTHORIZATION).unwrap().to_owned();
        self.0.lock().unwrap().push(value);
        Ok(AsyncRawResponse::from_bytes(StatusCode::Unauthorized, Headers::new(), "why"))
    }
}

#[tokio::test]
async fn no_request_keeps_the_token_that_it_was_sent_with() {
    let (keeping, tokens) = (Arc::new(Keeping::default()), credential());
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    let mut request = Request::new("https://fhir.contoso.example/r4/Patient".parse().unwrap(), Method::Get);
    request.insert_header("authorization", "Basic mine");
    let policy = policy(audience, &tokens);
    let next: Vec<Arc<dyn Policy>> = vec![keeping.clone()];
    let response = policy.send(&Context::new(), &mut request, &next).await.unwrap();
    assert_eq!(response.status(), StatusCode::Unauthorized);
    assert_eq!(*response.into_body().collect_string().await.unwrap(), *"why");
    assert_eq!(*keeping.0.lock().unwrap(), ["Bearer token-1", "Bearer token-2"]);
    assert_eq!(request.headers().get_optional_str(&AUTHORIZATION), None);

    // With nothing behind it, it has nothing to send by.
    assert!(policy.send(&Context::new(), &mut request, &[]).await.is_err());
}

/// Reads the stream of the request itself, where `reqwest` reads a clone. Refuses the first.
#[derive(Debug, Default)]
struct Consuming(Mutex<Vec<Vec<u8>>>);

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths)]
impl Policy for Consuming {
    async fn send(&self, _: &Context, request: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        let Body::SeekableStream(stream) = request.body_mut() else { panic!() };
        let mut read = Vec::new();
        while let Some(piece) = poll_fn(|context| Pin::new(&mut **stream).poll_next(context)).await {
            read.extend_from_slice(&piece.unwrap());
        }
        let mut bodies = self.0.lock().unwrap();
        bodies.push(read);
        let status = if bodies.len() == 1 { StatusCode::Unauthorized } else { StatusCode::Ok };
        Ok(AsyncRawResponse::from_bytes(status, Headers::new(), ""))
    }
}

#[tokio::test]
async fn a_stream_that_was_read_is_sought_before_it_is_sent_again() {
    let consuming = Arc::new(Consuming::default());
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    let mut request = Request::new("https://fhir.contoso.example/r4/Patient".parse().unwrap(), Method::Post);
    request.set_body(BytesStream::new("the whole stream"));
    let next: Vec<Arc<dyn Policy>> = vec![consuming.clone()];
    let response = policy(audience, &credential()).send(&Context::new(), &mut request, &next).await.unwrap();
    assert_eq!(response.status(), StatusCode::Ok);
    assert_eq!(*consuming.0.lock().unwrap(), [b"the whole stream"; 2]);
}

#[test]
fn it_is_shared_between_threads_and_shows_the_audience_alone() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    let policy = policy(audience.clone(), &credential());
    shared(&*policy);
    assert_eq!(format!("{policy:?}"), format!("BearerPolicy({audience:?})"));
}
