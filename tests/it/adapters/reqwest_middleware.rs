//! What is `reqwest-middleware`'s own: retries on either side, redirects of the client below, streams.

#![cfg(feature = "reqwest-middleware")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::wire::{Fixed, Service, answering, authorizations, count, credential, fhir, service};
use azure_healthcare_auth::{
    Authenticator, Error, ErrorKind, FhirAudience, adapters::BearerMiddleware, testing::ScriptedCredential,
};
use http::{Extensions, HeaderValue, header};
use reqwest::{Request, Response, redirect::Policy};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_retry::{RetryError, RetryTransientMiddleware, policies::ExponentialBackoff};
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{any, header as has, path},
};

fn bearer(server: &Service, tokens: &Arc<ScriptedCredential>) -> BearerMiddleware<FhirAudience> {
    BearerMiddleware::new(Arc::new(Authenticator::new(fhir(server), tokens.clone())))
}

/// The services are on this machine, whatever proxy the environment names.
fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy()
}

fn retries() -> impl Middleware {
    let bounds = (Duration::ZERO, Duration::ZERO);
    let policy = ExponentialBackoff::builder().retry_bounds(bounds.0, bounds.1);
    RetryTransientMiddleware::new_with_policy(policy.build_with_max_retries(2))
}

#[tokio::test]
async fn retries_on_either_side() {
    for outside in [true, false] {
        // Twice out of order, then the token is refused, then all is well.
        let (server, tokens) = (Service::start().await, credential());
        let answer = |status| ResponseTemplate::new(status);
        Mock::given(any()).respond_with(answer(503)).up_to_n_times(2).mount(&server).await;
        let first = has("authorization", "Bearer token-1");
        Mock::given(first).respond_with(answer(401)).mount(&server).await;
        Mock::given(any()).respond_with(answer(200)).mount(&server).await;

        let builder = ClientBuilder::new(http().build().unwrap());
        let client = match outside {
            true => builder.with(retries()).with(bearer(&server, &tokens)),
            false => builder.with(bearer(&server, &tokens)).with(retries()),
        };
        let response = client.build().post(server.uri()).body("whole").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let expected = ["Bearer token-1", "Bearer token-1", "Bearer token-1", "Bearer token-2"];
        assert_eq!(authorizations(&server).await, expected);
        assert!(server.received_requests().await.unwrap().iter().all(|request| request.body == b"whole"));
        assert_eq!(tokens.calls(), 2);
    }
}

/// As the docs say.
fn ours(error: &reqwest_middleware::Error) -> Option<&Error> {
    let reqwest_middleware::Error::Middleware(error) = error else { return None };
    match error.downcast_ref::<RetryError>() {
        Some(RetryError::Error(error) | RetryError::WithRetries { err: error, .. }) => ours(error),
        None => error.downcast_ref::<Error>(),
    }
}

#[tokio::test]
async fn and_a_foreign_url_is_not_tried_again() {
    let (server, tokens) = (service().await, credential());
    let builder = ClientBuilder::new(http().build().unwrap());
    let client = builder.with(retries()).with(bearer(&server, &tokens)).build();
    let error = client.get("http://127.0.0.1:1/Patient/canary").send().await.unwrap_err();
    let ours = ours(&error).unwrap();
    assert_eq!((ours.kind(), ours.is_transient()), (ErrorKind::UrlNotAllowed, false));
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert_eq!((tokens.calls(), count(&server).await), (0, 0));
}

/// Redirects `/Patient` to where it is told, and answers everything else.
async fn redirecting(status: u16, location: &str) -> Service {
    let server = Service::start().await;
    let answer = ResponseTemplate::new(status).insert_header("location", location);
    Mock::given(path("/r4/Patient")).respond_with(answer).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    server
}

fn below_base(server: &Service, http: reqwest::ClientBuilder) -> ClientWithMiddleware {
    let audience: FhirAudience = format!("{}/r4", server.uri()).parse().unwrap();
    let auth = Authenticator::new(audience, credential());
    ClientBuilder::new(http.build().unwrap()).with(BearerMiddleware::new(Arc::new(auth))).build()
}

#[tokio::test]
async fn a_redirect_to_another_host_carries_the_url_but_no_token_where_it_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = service().await;
        let server = redirecting(status, &format!("{}/taken", elsewhere.uri())).await;
        let client = below_base(&server, http());
        let url = format!("{}/r4/Patient?name=canary", server.uri());
        let response = client.get(&url).send().await.unwrap();
        assert_eq!((response.status().as_u16(), count(&elsewhere).await), (200, 1));
        assert!(authorizations(&elsewhere).await.is_empty());
        let followed = elsewhere.received_requests().await.unwrap().remove(0);
        assert_eq!(followed.headers[header::REFERER], url);
    }
}

#[tokio::test]
async fn and_carries_nothing_to_anywhere_where_none_is_followed() {
    let elsewhere = service().await;
    for location in [format!("{}/taken", elsewhere.uri()), "/outside".into(), "/r4/Observation".into()] {
        let server = redirecting(307, &location).await;
        let client = below_base(&server, http().redirect(Policy::none()));
        let request = client.post(format!("{}/r4/Patient", server.uri())).body("about a patient");
        assert_eq!(request.send().await.unwrap().status(), 307);
        assert_eq!(count(&server).await, 1);
    }
    assert_eq!(count(&elsewhere).await, 0);
}

#[tokio::test]
async fn a_stream_is_sent_once_and_its_refusal_handed_on() {
    let refusal = ResponseTemplate::new(401).set_body_string("why");
    let (server, tokens) = (answering(refusal).await, credential());
    let client = ClientBuilder::new(http().build().unwrap()).with(bearer(&server, &tokens)).build();
    let body = reqwest::Body::wrap(http_body_util::Full::<bytes::Bytes>::from("frames"));
    let response = client.post(server.uri()).body(body).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.text().await.unwrap(), "why");
    assert_eq!((tokens.calls(), count(&server).await), (1, 1));
}

/// Keeps the values that pass.
#[derive(Clone, Default)]
struct Keeping(Arc<Mutex<Vec<HeaderValue>>>);

#[async_trait::async_trait]
impl Middleware for Keeping {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        self.0.lock().unwrap().extend(request.headers().get_all(header::AUTHORIZATION).iter().cloned());
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn what_comes_after_it_sees_one_value_that_is_marked_sensitive() {
    let (server, keeping) = (answering(ResponseTemplate::new(401)).await, Keeping::default());
    // One that marks nothing.
    let fixed = BearerMiddleware::new(Arc::new(Fixed(fhir(&server))));
    for bearer in [bearer(&server, &credential()), fixed] {
        let builder = ClientBuilder::new(http().build().unwrap()).with(bearer).with(keeping.clone());
        builder.build().get(server.uri()).basic_auth("mine", Some("password")).send().await.unwrap();
    }
    let values = keeping.0.lock().unwrap();
    assert_eq!(*values, ["Bearer token-1", "Bearer token-2", "Bearer fixed"]);
    assert!(values.iter().all(HeaderValue::is_sensitive));
}

#[tokio::test]
async fn an_error_of_reqwest_is_handed_on_as_it_is() {
    let nowhere = Authenticator::new("http://127.0.0.1:1/".parse::<FhirAudience>().unwrap(), credential());
    let builder = ClientBuilder::new(http().build().unwrap()).with(BearerMiddleware::new(Arc::new(nowhere)));
    let error = builder.build().get("http://127.0.0.1:1/Patient").send().await.unwrap_err();
    assert!(matches!(error, reqwest_middleware::Error::Reqwest(error) if error.is_connect()));
}

#[test]
fn it_is_shared_between_threads_and_shows_the_audience_alone() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    let middleware = BearerMiddleware::new(Arc::new(Authenticator::new(audience.clone(), credential())));
    shared(&middleware);
    assert_eq!(format!("{middleware:?}"), format!("BearerMiddleware({audience:?})"));
}
