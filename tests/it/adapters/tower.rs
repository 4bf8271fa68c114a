//! Tests of `BearerLayer` that are specific to `tower`: readiness, bodies that cannot be cloned, unchanged URIs, other layers.

#![cfg(feature = "tower")]

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

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

use crate::wire::{CachedAuth, FixedAuth, credential};

type Body = &'static str;

const BASE: &str = "https://fhir.contoso.example/r4/";

fn auth() -> Arc<Authenticator<FhirAudience>> {
    Arc::new(Authenticator::new(BASE.parse().unwrap(), credential()))
}

fn get(uri: &str) -> Request<Body> {
    Request::get(uri).body("").unwrap()
}

/// A service that responds with the given statuses in turn, records requests, and panics if it is called without having
/// been ready. A clone of a ready service is not ready.
struct StrictService {
    ready: bool,
    statuses: Arc<Mutex<Vec<u16>>>,
    seen: Arc<Mutex<Vec<(Uri, HeaderMap)>>>,
}

impl StrictService {
    fn new(statuses: &[u16]) -> Self {
        let statuses = Arc::new(Mutex::new(statuses.iter().rev().copied().collect()));
        Self { ready: false, statuses, seen: Arc::default() }
    }
}

impl Clone for StrictService {
    fn clone(&self) -> Self {
        Self { ready: false, statuses: self.statuses.clone(), seen: self.seen.clone() }
    }
}

impl<B> Service<Request<B>> for StrictService {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without being ready");
        self.seen.lock().unwrap().push((request.uri().clone(), request.headers().clone()));
        let status = self.statuses.lock().unwrap().pop().unwrap();
        ready(Ok(Response::builder().status(status).header("location", "/r40/x").body(()).unwrap()))
    }
}

#[tokio::test]
async fn inner_service_is_ready_for_request_and_replay() {
    let inner = StrictService::new(&[200, 401, 200, 401, 401]);
    let mut service = BearerLayer::new(auth()).layer(inner.clone());
    for status in [200, 200, 401] {
        let response = service.ready().await.unwrap().call(get(&format!("{BASE}Patient"))).await.unwrap();
        assert_eq!(response.status(), status);
    }
    // The third request is not replayed, because the last forced refresh was less than 30 s ago.
    let seen = inner.seen.lock().unwrap();
    let values: Vec<_> = seen.iter().map(|(_, headers)| &headers[header::AUTHORIZATION]).collect();
    assert_eq!(values, ["Bearer token-1", "Bearer token-1", "Bearer token-2", "Bearer token-2"]);
    assert!(values.iter().all(|value| value.is_sensitive()));
}

#[tokio::test]
async fn authorization_value_is_marked_sensitive_for_any_auth_implementation() {
    let auths: [Arc<dyn HealthcareAuth<Audience = FhirAudience>>; 2] =
        [Arc::new(FixedAuth(BASE.parse().unwrap())), Arc::new(CachedAuth(BASE.parse().unwrap()))];
    let inner = StrictService::new(&[200, 200]);
    for auth in auths {
        BearerLayer::new(auth).layer(inner.clone()).oneshot(get(BASE)).await.unwrap();
    }
    let seen = inner.seen.lock().unwrap();
    let values: Vec<_> = seen.iter().map(|(_, headers)| &headers[header::AUTHORIZATION]).collect();
    assert_eq!(values, ["Bearer fixed", "Bearer cached"]);
    assert!(values.iter().all(|value| value.is_sensitive()));
}

#[tokio::test]
async fn layer_is_pending_until_inner_service_is_ready() {
    let mut limited = ConcurrencyLimit::new(StrictService::new(&[200]), 1);
    ServiceExt::<Request<Body>>::ready(&mut limited).await.unwrap();
    let mut service = BearerLayer::new(auth()).layer(limited.clone());
    let context = &mut Context::from_waker(Waker::noop());
    assert!(service.poll_ready(context).is_pending());
    drop(limited);
    assert!(service.poll_ready(context).is_ready());
    assert_eq!(service.call(get(BASE)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn unauthorized_response_is_dropped_before_replay() {
    // Each response holds the only permit, as a body holds its connection until it is dropped.
    let permits = Arc::new(tokio::sync::Semaphore::new(1));
    let service = service_fn(move |request: Request<Body>| {
        let permit = permits.clone().try_acquire_owned().expect("the first response has been dropped");
        let first = request.headers()[header::AUTHORIZATION] == "Bearer token-1";
        let status = if first { 401 } else { 200 };
        ready(Ok::<_, Infallible>(Response::builder().status(status).body(permit).unwrap()))
    });
    let service = BearerLayer::new(auth()).layer(service);
    assert_eq!(service.oneshot(get(BASE)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn replay_works_with_concurrency_limit_of_one_inside_or_outside() {
    for inside in [true, false] {
        let inner = StrictService::new(&[401, 200]);
        let (limit, bearer) = (ConcurrencyLimitLayer::new(1), BearerLayer::new(auth()));
        let response = match inside {
            true => ServiceBuilder::new().layer(bearer).layer(limit).service(inner).oneshot(get(BASE)).await,
            false => ServiceBuilder::new().layer(limit).layer(bearer).service(inner).oneshot(get(BASE)).await,
        };
        assert_eq!(response.unwrap().status(), 200);
    }
}

/// A body that cannot be cloned.
struct Stream {
    empty: bool,
}

#[tokio::test]
async fn body_that_cannot_be_cloned_is_sent_once() {
    let layer =
        || BearerLayer::with_clone_body(auth(), |body: &Stream| body.empty.then_some(Stream { empty: true }));
    for (empty, status, sends) in [(true, 200, 2), (false, 401, 1)] {
        let inner = StrictService::new(&[401, 200]);
        let request = Request::post(BASE).body(Stream { empty }).unwrap();
        let response = layer().layer(inner.clone()).oneshot(request).await.unwrap();
        assert_eq!((response.status().as_u16(), inner.seen.lock().unwrap().len()), (status, sends));
    }
}

#[tokio::test]
async fn replay_has_all_parts_of_the_request() {
    #[derive(Clone, PartialEq, Debug)]
    struct Extension(u8);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let recorder = seen.clone();
    let inner = service_fn(move |request: Request<Body>| {
        let (parts, body) = request.into_parts();
        let extension = parts.extensions.get::<Extension>().cloned();
        let status = if recorder.lock().unwrap().is_empty() { 401 } else { 200 };
        recorder.lock().unwrap().push((parts.method, parts.uri, parts.version, extension, body));
        ready(Ok::<_, Infallible>(Response::builder().status(status).body(()).unwrap()))
    });
    let request =
        Request::put(format!("{BASE}Patient/1")).version(http::Version::HTTP_2).extension(Extension(7));
    let service = BearerLayer::new(auth()).layer(inner);
    assert_eq!(service.oneshot(request.body("body").unwrap()).await.unwrap().status(), 200);
    let seen = seen.lock().unwrap();
    assert_eq!((seen.len(), &seen[0]), (2, &seen[1]));
    assert_eq!((&seen[1].3, seen[1].4), (&Some(Extension(7)), "body"));
}

#[tokio::test]
async fn only_allowed_uris_are_sent_and_stay_unchanged() {
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
        let inner = StrictService::new(&[200]);
        let Ok(uri) = uri.parse::<Uri>() else { continue };
        let service = BearerLayer::new(auth.clone()).layer(inner.clone());
        let error = service.oneshot(Request::get(uri.clone()).body("").unwrap()).await.unwrap_err();
        assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), ErrorKind::UrlNotAllowed, "{uri}");
        assert!(inner.seen.lock().unwrap().is_empty());
    }
    assert_eq!(auth.expires_on(), None);
    for uri in [
        "https://fhir.contoso.example/r4",
        "https://fhir.contoso.example/r4/Patient?name=O'Brien&y=../..",
        "https://fhir.contoso.example:443/r4/Patient",
        "HTTPS://FHIR.contoso.example/r4/Patient",
    ] {
        let inner = StrictService::new(&[200]);
        BearerLayer::new(auth.clone()).layer(inner.clone()).oneshot(get(uri)).await.unwrap();
        assert_eq!(inner.seen.lock().unwrap()[0].0, uri.parse::<Uri>().unwrap());
    }
    // Other spellings of this machine's address, which a resolver may accept.
    let local =
        Arc::new(Authenticator::new("http://127.0.0.1:1/".parse::<FhirAudience>().unwrap(), credential()));
    for host in ["0x7f000001", "0177.0.0.1", "127.1", "2130706433", "localhost", "[::ffff:127.0.0.1]"] {
        let service = BearerLayer::new(local.clone()).layer(StrictService::new(&[]));
        assert!(service.oneshot(get(&format!("http://{host}:1/"))).await.is_err(), "{host}");
    }
}

#[tokio::test]
async fn redirect_followed_outside_the_layer_is_checked() {
    let inner = StrictService::new(&[307, 200]);
    let stack = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(BearerLayer::new(auth()));
    let request = Request::get(format!("{BASE}Patient")).body(String::new()).unwrap();
    let error = stack.service(inner.clone()).oneshot(request).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Error>().unwrap().kind(), ErrorKind::UrlNotAllowed);
    assert_eq!(inner.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn error_of_inner_service_is_returned_unchanged() {
    let failing =
        service_fn(|_: Request<Body>| ready(Err::<Response<()>, _>(std::io::Error::other("inner error"))));
    let error = BearerLayer::new(auth()).layer(failing).oneshot(get(BASE)).await.unwrap_err();
    assert_eq!(error.downcast::<std::io::Error>().unwrap().to_string(), "inner error");
}

#[test]
fn cached_token_needs_no_runtime_but_fetch_does() {
    let auth = auth();
    let send = || {
        let mut service = BearerLayer::new(auth.clone()).layer(StrictService::new(&[200]));
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
fn layer_and_service_are_send_sync_clone_and_debug_shows_only_audience() {
    fn assert_shareable<T: Clone + Send + Sync + 'static>(_: &T) {}
    struct NoDebug;
    let auth: Arc<dyn HealthcareAuth<Audience = FhirAudience>> = auth();
    let layer = BearerLayer::<_, String>::new(auth);
    let service: BearerService<Arc<NoDebug>, _, _> = layer.layer(Arc::new(NoDebug));
    assert_shareable(&layer);
    assert_shareable(&service);
    let audience: FhirAudience = BASE.parse().unwrap();
    assert_eq!(format!("{layer:?}"), format!("BearerLayer({audience:?})"));
    assert_eq!(format!("{service:?}"), format!("BearerService({audience:?})"));
}
