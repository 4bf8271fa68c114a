//! The adapters: requests that succeed, that the service rejects, that are not allowed, and that fail without a token or
//! a connection.
//!
//! Only the errors of this crate are captured. Those of the HTTP stack around them are not its output.

use std::{error::Error as StdError, iter::successors, sync::Arc};

use azure_core::http::{ClientOptions, Context, Method, Pipeline, Request, RetryOptions, Transport};
use azure_healthcare_auth::{
    Error, ErrorKind, FhirAudience,
    adapters::{BearerLayer, BearerMiddleware, BearerPolicy},
};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use reqwest_middleware::ClientBuilder;
use tower::{Layer, ServiceExt};

use super::{
    capture::{capture_debug, capture_error},
    requests::outcome,
    test_credential::TestCredential,
    wire::{fhir, responding, service},
};

const BASE: &str = "http://127.0.0.1:1/r4/";

const NOT_ALLOWED: &[&str] = &[
    "https://contoso.example/canaryid?name=canaryname",
    "http://127.0.0.1:1/canaryid?name=canaryname",
    "http://127.0.0.1:1/r4/canaryid/..%2fcanaryid?name=canaryname",
    "http://user:canaryuser@127.0.0.1:1/r4/canaryid?name=canaryname",
    "ftp://user:canaryuser@contoso.example/r4/canaryid?name=canaryname",
];

pub(crate) async fn run() {
    let server = service().await;
    send_allowed(TestCredential::Valid, &fhir(&server)).await;
    for status in [401, 403, 404, 503] {
        let server = responding(outcome(status, "login")).await;
        send_allowed(TestCredential::Valid, &fhir(&server)).await;
    }
    for credential in TestCredential::FAILING {
        assert!(send_allowed(credential, &fhir(&server)).await.iter().all(Option::is_some));
    }
    let unreachable = BASE.parse().unwrap();
    send_allowed(TestCredential::Valid, &unreachable).await;
    for url in NOT_ALLOWED {
        assert_eq!(
            send(TestCredential::Valid, &unreachable, url, "x-note").await,
            [Some(ErrorKind::UrlNotAllowed); 3]
        );
    }
    assert_eq!(
        send(TestCredential::Valid, &unreachable, BASE, "host").await,
        [Some(ErrorKind::UrlNotAllowed); 3]
    );
}

async fn send_allowed(credential: TestCredential, audience: &FhirAudience) -> [Option<ErrorKind>; 3] {
    let url = format!("{}Patient/canaryid?name=canaryname", audience.endpoint());
    send(credential, audience, &url, "x-note").await
}

/// Sends a request with a header of this name through each adapter, and returns the kinds of this crate's errors.
async fn send(
    credential: TestCredential,
    audience: &FhirAudience,
    url: &str,
    header: &'static str,
) -> [Option<ErrorKind>; 3] {
    let auth = || Arc::new(credential.auth(audience.clone()));
    [
        send_with_middleware(BearerMiddleware::new(auth()), url, header).await,
        send_with_layer(BearerLayer::new(auth()), url, header).await,
        send_with_policy(BearerPolicy::new(auth()), url, header).await,
    ]
}

/// Captures the error of this crate in the error of an HTTP stack, if there is one.
fn capture_own_error(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    let own =
        successors(Some(error), |&cause| cause.source()).find_map(|cause| cause.downcast_ref::<Error>());
    own.map(capture_error)
}

/// Returns a client like the transport of `azure_core`, but without the proxy of the environment.
fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap()
}

async fn send_with_middleware(
    middleware: BearerMiddleware<FhirAudience>,
    url: &str,
    header: &'static str,
) -> Option<ErrorKind> {
    capture_debug(&middleware);
    let client = ClientBuilder::new(http()).with(middleware).build();
    let mut request = reqwest::Request::new(http::Method::POST, url.parse().unwrap());
    request.headers_mut().insert(header, "canaryheader".parse().unwrap());
    *request.body_mut() = Some("canarybody".into());
    match client.execute(request).await {
        Err(reqwest_middleware::Error::Middleware(error)) => capture_own_error(&*error),
        Err(reqwest_middleware::Error::Reqwest(error)) => capture_own_error(&error),
        Ok(_) => None,
    }
}

async fn send_with_layer(
    layer: BearerLayer<FhirAudience, Full<Bytes>>,
    url: &str,
    header: &'static str,
) -> Option<ErrorKind> {
    capture_debug(&layer);
    let service = layer.layer(Client::builder(TokioExecutor::new()).build_http());
    capture_debug(&service);
    let request = http::Request::post(url).header(header, "canaryheader").body("canarybody".into()).unwrap();
    service.oneshot(request).await.err().and_then(|error| capture_own_error(&*error))
}

async fn send_with_policy(
    policy: BearerPolicy<FhirAudience>,
    url: &str,
    header: &'static str,
) -> Option<ErrorKind> {
    capture_debug(&policy);
    let options = ClientOptions {
        per_try_policies: vec![Arc::new(policy)],
        retry: RetryOptions::none(),
        transport: Some(Transport::new(Arc::new(http()))),
        ..ClientOptions::default()
    };
    let pipeline = Pipeline::new(None, None, options, vec![], vec![], None);
    let mut request = Request::new(url.parse().unwrap(), Method::Post);
    request.insert_header(header, "canaryheader");
    request.set_body("canarybody");
    pipeline.send(&Context::new(), &mut request, None).await.err().and_then(|error| capture_own_error(&error))
}
