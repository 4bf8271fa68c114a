//! What is `tower`'s own: readiness, bodies that cannot be cloned, URIs that are sent as they stand, its neighbours.

#![cfg(feature = "tower")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use crate::wire::{Fixed, Holding, credential};
use azure_healthcare_auth::{
    Authenticator, Error, ErrorKind, FhirAudience, HealthcareAuth,
    adapters::{BearerLayer, BearerService},
};
use http::{HeaderMap, Request, Response, Uri, header};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    limit::{ConcurrencyLimit, ConcurrencyLimitLayer},
    service_fn,
};
use tower_http::follow_redirect::FollowRedirectLayer;

type Body = &'static str;

const BASE: &str = "https://fhir.contoso.example/r4/";

fn auth() -> Arc<Authenticator<FhirAudience>> {
    Arc::new(Authenticator::new(BASE.parse().unwrap(), credential()))
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body("").unwrap()
}

/// Answers with the statuses it is told, keeps what it was sent, and must be ready each time it is called. A clone is
/// not ready because what it was made of is.
struct Strict {
    ready: bool,
    statuses: Arc<Mutex<Vec<u16>>>,
    seen: Arc<Mutex<Vec<(Uri, HeaderMap)>>>,
}

impl Strict {
    fn new(statuses: &[u16]) -> Self {
        let statuses = Arc::new(Mutex::new(statuses.iter().rev().copied().collect()));
        Self { ready: false, statuses, seen: Arc::default() }
    }
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: false, statuses: self.statuses.clone(), seen: self.seen.clone() }
    }
}

impl<B> Service<Request<B>> for Strict {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without having been ready");
        self.seen.lock().unwrap().push((request.uri().clone(), request.headers().clone()));
        let status = self.statuses.lock().unwrap().pop().unwrap();
        ready(Ok(Response::builder().status(status).header("location", "/r40/x").body(()).unwrap()))
    }
}

#[tokio::test]
async fn for_the_first_send_and_for_the_second() {
    let strict = Strict::new(&[200, 401, 200, 401, 401]);
    let mut service = BearerLayer::new(auth()).layer(strict.clone());
    for status in [200, 200, 401] {
        let response = service.ready().await.unwrap().call(get(&format!("{BASE}Patient"))).await.unwrap();
        assert_eq!(response.status(), status);
    }
    // The third found no other token: the next forced call is 30 s away.
    let seen = strict.seen.lock().unwrap();
    let values: Vec<_> = seen.iter().map(|(_, headers)| &headers[header::AUTHORIZATION]).collect();
    assert_eq!(values, ["Bearer token-1", "Bearer token-1", "Bearer token-2", "Bearer token-2"]);
    assert!(values.iter().all(|value| value.is_sensitive()));
}

#[tokio::test]
async fn with_a_value_that_is_marked_sensitive_whoever_gives_it() {
    let auths: [Arc<dyn HealthcareAuth<Audience = FhirAudience>>; 2] =
        [Arc::new(Fixed(BASE.parse().unwrap())), Arc::new(Holding(BASE.parse().unwrap()))];
    let strict = Strict::new(&[200, 200]);
    for auth in auths {
        BearerLayer::new(auth).layer(strict.clone()).oneshot(get(BASE)).await.unwrap();
    }
    let seen = strict.seen.lock().unwrap();
    let values: Vec<_> = seen.iter().map(|(_, headers)| &headers[header::AUTHORIZATION]).collect();
    assert_eq!(values, ["Bearer fixed", "Bearer held"]);
    assert!(values.iter().all(|value| value.is_sensitive()));
}

#[tokio::test]
async fn and_is_waited_for_by_who_asks() {
    let mut limited = ConcurrencyLimit::new(Strict::new(&[200]), 1);
    ServiceExt::<Request<Body>>::ready(&mut limited).await.unwrap();
    let mut service = BearerLayer::new(auth()).layer(limited.clone());
    let context = &mut Context::from_waker(Waker::noop());
    assert!(service.poll_ready(context).is_pending());
    drop(limited);
    assert!(service.poll_ready(context).is_ready());
    assert_eq!(service.call(get(BASE)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn and_is_free_again_before_it_is_asked_a_second_time() {
    // As a body does that holds its connection until it is dropped.
    let free = Arc::new(tokio::sync::Semaphore::new(1));
    let holding = service_fn(move |request: Request<Body>| {
        let permit = free.clone().try_acquire_owned().expect("the first answer is still held");
        let first = request.headers()[header::AUTHORIZATION] == "Bearer token-1";
        let status = if first { 401 } else { 200 };
        ready(Ok::<_, Infallible>(Response::builder().status(status).body(permit).unwrap()))
    });
    let service = BearerLayer::new(auth()).layer(holding);
    assert_eq!(service.oneshot(get(BASE)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn under_a_limit_of_one_on_either_side() {
    for inside in [true, false] {
        let strict = Strict::new(&[401, 200]);
        let (limit, bearer) = (ConcurrencyLimitLayer::new(1), BearerLayer::new(auth()));
        let response = match inside {
            true => ServiceBuilder::new().layer(bearer).layer(limit).service(strict).oneshot(get(BASE)).await,
            false => {
                ServiceBuilder::new().layer(limit).layer(bearer).service(strict).oneshot(get(BASE)).await
            }
        };
        assert_eq!(response.unwrap().status(), 200);
    }
}

/// A body that cannot be cloned.
struct Stream {
    empty: bool,
}

#[tokio::test]
async fn a_body_that_cannot_be_made_again_is_sent_once() {
    let layer =
        || BearerLayer::with_clone_body(auth(), |body: &Stream| body.empty.then_some(Stream { empty: true }));
    for (empty, status, sends) in [(true, 200, 2), (false, 401, 1)] {
        let strict = Strict::new(&[401, 200]);
        let request = Request::post(BASE).body(Stream { empty }).unwrap();
        let response = layer().layer(strict.clone()).oneshot(request).await.unwrap();
        assert_eq!((response.status().as_u16(), strict.seen.lock().unwrap().len()), (status, sends));
    }
}

#[tokio::test]
async fn with_all_that_a_request_has() {
    #[derive(Clone, PartialEq, Debug)]
    struct Mark(u8);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = seen.clone();
    let below = service_fn(move |request: Request<Body>| {
        let (parts, body) = request.into_parts();
        let mark = parts.extensions.get::<Mark>().cloned();
        let status = if keep.lock().unwrap().is_empty() { 401 } else { 200 };
        keep.lock().unwrap().push((parts.method, parts.uri, parts.version, mark, body));
        ready(Ok::<_, Infallible>(Response::builder().status(status).body(()).unwrap()))
    });
    let request = Request::put(format!("{BASE}Patient/1")).version(http::Version::HTTP_2).extension(Mark(7));
    let service = BearerLayer::new(auth()).layer(below);
    assert_eq!(service.oneshot(request.body("body").unwrap()).await.unwrap().status(), 200);
    let seen = seen.lock().unwrap();
    assert_eq!((seen.len(), &seen[0]), (2, &seen[1]));
    assert_eq!((&seen[1].3, seen[1].4), (&Some(Mark(7)), "body"));
}

#[tokio::test]
async fn with_the_uri_that_was_checked() {
    let auth = auth();
    for uri in [
        "/r4/Patient",
        "*",
        "fhir.contoso.example:443",
        "http://fhir.contoso.example/r4/Patient",
        "https://fhir.contoso.example:444/r4/Patient",
        "https://fhir.contoso.example:/r4/Patient",
        "https://fhir.contoso.example.:443/r4/Patient",
        "https://fhir.contoso.example:99999/r4/Patient",
        "https://fhir%2econtoso.example/r4/Patient",
        "https://fhir.contoso.example/r4/../admin",
        "https://fhir.contoso.example/r4/Patient/../../admin",
        "https://fhir.contoso.example/r4/Patient/../Observation",
        "https://fhir.contoso.example/./r4/Patient",
        "https://fhir.contoso.example/r4/%2e%2e/admin",
        "https://user@fhir.contoso.example/r4/Patient",
        "https://@fhir.contoso.example/r4/Patient",
        "https://fhir.contoso.example:443@evil.example/r4/Patient",
        "https://fhir.contoso.example",
        "https://fhir.contoso.example?x=/r4/",
    ] {
        let strict = Strict::new(&[200]);
        let Ok(uri) = uri.parse::<Uri>() else { continue };
        let service = BearerLayer::new(auth.clone()).layer(strict.clone());
        let error = service.oneshot(Request::get(uri.clone()).body("").unwrap()).await.unwrap_err();
        assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), ErrorKind::UrlNotAllowed, "{uri}");
        assert!(strict.seen.lock().unwrap().is_empty());
    }
    assert_eq!(auth.expires_on(), None);
    for uri in [
        "https://fhir.contoso.example/r4",
        "https://fhir.contoso.example/r4/Patient?name=O'Brien&y=../..",
        "https://fhir.contoso.example:443/r4/Patient",
        "HTTPS://FHIR.contoso.example/r4/Patient",
    ] {
        let strict = Strict::new(&[200]);
        BearerLayer::new(auth.clone()).layer(strict.clone()).oneshot(get(uri)).await.unwrap();
        assert_eq!(strict.seen.lock().unwrap()[0].0, uri.parse::<Uri>().unwrap());
    }
    // Numbers that a resolver takes for this machine's address.
    let local =
        Arc::new(Authenticator::new("http://127.0.0.1:1/".parse::<FhirAudience>().unwrap(), credential()));
    for host in ["0x7f000001", "0177.0.0.1", "127.1", "2130706433", "localhost", "[::ffff:127.0.0.1]"] {
        let service = BearerLayer::new(local.clone()).layer(Strict::new(&[]));
        assert!(service.oneshot(get(&format!("http://{host}:1/"))).await.is_err(), "{host}");
    }
}

#[tokio::test]
async fn a_redirect_is_checked_where_it_is_followed_outside() {
    let strict = Strict::new(&[307, 200]);
    let stack = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(BearerLayer::new(auth()));
    let request = Request::get(format!("{BASE}Patient")).body(String::new()).unwrap();
    let error = stack.service(strict.clone()).oneshot(request).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), ErrorKind::UrlNotAllowed);
    assert_eq!(strict.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_error_of_the_service_below_is_handed_on_as_it_is() {
    let broken = service_fn(|_: Request<Body>| ready(Err::<Response<()>, _>(std::io::Error::other("mine"))));
    let error = BearerLayer::new(auth()).layer(broken).oneshot(get(BASE)).await.unwrap_err();
    assert_eq!(error.downcast::<std::io::Error>().unwrap().to_string(), "mine");
}

#[test]
fn a_held_token_is_sent_anywhere_and_one_is_fetched_within_a_runtime() {
    let auth = auth();
    let send = || {
        let mut service = BearerLayer::new(auth.clone()).layer(Strict::new(&[200]));
        let context = &mut Context::from_waker(Waker::noop());
        assert!(service.poll_ready(context).is_ready());
        let Poll::Ready(outcome) = service.call(get(BASE)).as_mut().poll(context) else { panic!() };
        outcome
    };
    let error = send().unwrap_err();
    assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), ErrorKind::NoRuntime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(auth.authorization()).unwrap();
    assert_eq!(send().unwrap().status(), 200);
}

#[test]
fn and_its_parts_are_shared_between_threads_and_show_the_audience_alone() {
    fn shared<T: Clone + Send + Sync + 'static>(_: &T) {}
    struct Unshowable;
    let auth: Arc<dyn HealthcareAuth<Audience = FhirAudience>> = auth();
    let layer = BearerLayer::<_, String>::new(auth);
    let service: BearerService<Arc<Unshowable>, _, _> = layer.layer(Arc::new(Unshowable));
    shared(&layer);
    shared(&service);
    let audience: FhirAudience = BASE.parse().unwrap();
    assert_eq!(format!("{layer:?}"), format!("BearerLayer({audience:?})"));
    assert_eq!(format!("{service:?}"), format!("BearerService({audience:?})"));
}
