//! Tests of `BearerMiddleware` that are specific to `reqwest-middleware`: retries, redirects of the inner client, streams.

#![cfg(feature = "reqwest-middleware")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use azure_healthcare_auth::{Authenticator, Error, ErrorKind, FhirAudience, adapters::BearerMiddleware};
use azure_healthcare_auth_testing::ScriptedCredential;
use http::{Extensions, HeaderValue, header};
use reqwest::{Request, Response, redirect::Policy};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_retry::{RetryError, RetryTransientMiddleware, policies::ExponentialBackoff};
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{any, header as has_header, path},
};

use crate::wire::{FixedAuth, Service, authorizations, count, credential, fhir, responding, service};

fn bearer(server: &Service, credential: &Arc<ScriptedCredential>) -> BearerMiddleware<FhirAudience> {
    BearerMiddleware::new(Arc::new(Authenticator::new(fhir(server), credential.clone())))
}

/// A client builder that ignores proxies of the environment, because the servers are on this machine.
fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().no_proxy().tls_certs_only([])
}

fn retries() -> impl Middleware {
    let policy = ExponentialBackoff::builder().retry_bounds(Duration::ZERO, Duration::ZERO);
    RetryTransientMiddleware::new_with_policy(policy.build_with_max_retries(2))
}

#[tokio::test]
async fn retries_work_before_and_after_the_middleware() {
    for retries_first in [true, false] {
        // Responds with 503 twice, then with 401 to the first token, then with 200.
        let (server, credential) = (Service::start().await, credential());
        let response = |status| ResponseTemplate::new(status);
        Mock::given(any()).respond_with(response(503)).up_to_n_times(2).mount(&server).await;
        let first = has_header("authorization", "Bearer token-1");
        Mock::given(first).respond_with(response(401)).mount(&server).await;
        Mock::given(any()).respond_with(response(200)).mount(&server).await;

        let builder = ClientBuilder::new(http().build().unwrap());
        let client = match retries_first {
            true => builder.with(retries()).with(bearer(&server, &credential)),
            false => builder.with(bearer(&server, &credential)).with(retries()),
        };
        let response = client.build().post(server.uri()).body("body").send().await.unwrap();
        assert_eq!(response.status(), 200);
        let expected = ["Bearer token-1", "Bearer token-1", "Bearer token-1", "Bearer token-2"];
        assert_eq!(authorizations(&server).await, expected);
        assert!(server.received_requests().await.unwrap().iter().all(|request| request.body == b"body"));
        assert_eq!(credential.calls(), 2);
    }
}

/// The function of the documentation of `BearerMiddleware`.
fn find(error: &reqwest_middleware::Error) -> Option<&Error> {
    let reqwest_middleware::Error::Middleware(error) = error else { return None };
    match error.downcast_ref::<RetryError>() {
        Some(RetryError::Error(error) | RetryError::WithRetries { err: error, .. }) => find(error),
        None => error.downcast_ref::<Error>(),
    }
}

#[tokio::test]
async fn url_outside_audience_is_not_retried() {
    let (server, credential) = (service().await, credential());
    let builder = ClientBuilder::new(http().build().unwrap());
    let client = builder.with(retries()).with(bearer(&server, &credential)).build();
    let error = client.get("http://127.0.0.1:1/Patient/canary").send().await.unwrap_err();
    let source = find(&error).unwrap();
    assert_eq!((source.kind(), source.is_transient()), (ErrorKind::UrlNotAllowed, false));
    assert!(!format!("{error} {error:?}").contains("canary"));
    assert_eq!((credential.calls(), count(&server).await), (0, 0));
}

/// A server that redirects `/r4/Patient` to `location` and responds with 200 to everything else.
async fn redirecting_server(status: u16, location: &str) -> Service {
    let server = Service::start().await;
    let redirect = ResponseTemplate::new(status).insert_header("location", location);
    Mock::given(path("/r4/Patient")).respond_with(redirect).mount(&server).await;
    Mock::given(any()).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    server
}

fn client_with_base_path(server: &Service, http: reqwest::ClientBuilder) -> ClientWithMiddleware {
    let audience: FhirAudience = format!("{}/r4", server.uri()).parse().unwrap();
    let auth = Authenticator::new(audience, credential());
    ClientBuilder::new(http.build().unwrap()).with(BearerMiddleware::new(Arc::new(auth))).build()
}

#[tokio::test]
async fn followed_redirect_to_other_host_carries_url_but_no_token() {
    for status in [301, 302, 303, 307, 308] {
        let other = service().await;
        let server = redirecting_server(status, &format!("{}/taken", other.uri())).await;
        let client = client_with_base_path(&server, http());
        let url = format!("{}/r4/Patient?name=canary", server.uri());
        let response = client.get(&url).send().await.unwrap();
        assert_eq!((response.status().as_u16(), count(&other).await), (200, 1));
        assert!(authorizations(&other).await.is_empty());
        let followed = other.received_requests().await.unwrap().remove(0);
        assert_eq!(followed.headers[header::REFERER], url);
    }
}

#[tokio::test]
async fn redirect_is_not_followed_with_policy_none() {
    let other = service().await;
    for location in [format!("{}/taken", other.uri()), "/outside".into(), "/r4/Observation".into()] {
        let server = redirecting_server(307, &location).await;
        let client = client_with_base_path(&server, http().redirect(Policy::none()));
        let request = client.post(format!("{}/r4/Patient", server.uri())).body("about a patient");
        assert_eq!(request.send().await.unwrap().status(), 307);
        assert_eq!(count(&server).await, 1);
    }
    assert_eq!(count(&other).await, 0);
}

#[tokio::test]
async fn stream_is_sent_once_and_unauthorized_response_returned() {
    let unauthorized = ResponseTemplate::new(401).set_body_string("reason");
    let (server, credential) = (responding(unauthorized).await, credential());
    let client = ClientBuilder::new(http().build().unwrap()).with(bearer(&server, &credential)).build();
    let body = reqwest::Body::wrap(http_body_util::Full::<bytes::Bytes>::from("frames"));
    let response = client.post(server.uri()).body(body).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.text().await.unwrap(), "reason");
    assert_eq!((credential.calls(), count(&server).await), (1, 1));
}

/// A middleware that records the authorization values of requests.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<HeaderValue>>>);

#[async_trait::async_trait]
impl Middleware for Recorder {
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
async fn next_middleware_sees_one_sensitive_authorization_value() {
    let (server, recorder) = (responding(ResponseTemplate::new(401)).await, Recorder::default());
    // Returns a value that is not marked sensitive.
    let fixed = BearerMiddleware::new(Arc::new(FixedAuth(fhir(&server))));
    for bearer in [bearer(&server, &credential()), fixed] {
        let builder = ClientBuilder::new(http().build().unwrap()).with(bearer).with(recorder.clone());
        builder.build().get(server.uri()).basic_auth("mine", Some("password")).send().await.unwrap();
    }
    let values = recorder.0.lock().unwrap();
    assert_eq!(*values, ["Bearer token-1", "Bearer token-2", "Bearer fixed"]);
    assert!(values.iter().all(HeaderValue::is_sensitive));
}

#[tokio::test]
async fn reqwest_error_is_returned_unchanged() {
    let auth = Authenticator::new("http://127.0.0.1:1/".parse::<FhirAudience>().unwrap(), credential());
    let builder = ClientBuilder::new(http().build().unwrap()).with(BearerMiddleware::new(Arc::new(auth)));
    let error = builder.build().get("http://127.0.0.1:1/Patient").send().await.unwrap_err();
    assert!(matches!(error, reqwest_middleware::Error::Reqwest(error) if error.is_connect()));
}

#[test]
fn middleware_is_send_sync_clone_and_debug_shows_only_audience() {
    fn assert_shareable<T: Clone + Send + Sync + 'static>(_: &T) {}
    let audience: FhirAudience = "https://fhir.contoso.example/r4".parse().unwrap();
    let middleware = BearerMiddleware::new(Arc::new(Authenticator::new(audience.clone(), credential())));
    assert_shareable(&middleware);
    assert_eq!(format!("{middleware:?}"), format!("BearerMiddleware({audience:?})"));
}
