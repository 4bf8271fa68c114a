//! The adapters: requests that are answered, refused by the service, refused before they are sent, and without a
//! token or a connection. What the stack says in its own errors is its own; this crate's, within them, is looked at.

use std::{error::Error as StdError, iter::successors, sync::Arc};

use azure_core::http::{ClientOptions, Context, Method, Pipeline, Request, RetryOptions, Transport};
use azure_healthcare_auth::{
    Audience, Error, ErrorKind, FhirAudience,
    adapters::{BearerLayer, BearerMiddleware, BearerPolicy},
};
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use reqwest_middleware::ClientBuilder;
use tower::{Layer, ServiceExt};

use super::{
    providers::Provider,
    requests::outcome,
    wire::{responding, fhir, service},
    witness::{failed, shown},
};

const BASE: &str = "http://127.0.0.1:1/r4/";

const REFUSED: &[&str] = &[
    "https://contoso.example/canaryid?name=canaryname",
    "http://127.0.0.1:1/canaryid?name=canaryname",
    "http://127.0.0.1:1/r4/canaryid/..%2fcanaryid?name=canaryname",
    "http://user:canaryuser@127.0.0.1:1/r4/canaryid?name=canaryname",
    "ftp://user:canaryuser@contoso.example/r4/canaryid?name=canaryname",
];

pub(crate) async fn drive() {
    let well = service().await;
    inside(Provider::Gives, &fhir(&well)).await;
    for status in [401, 403, 404, 503] {
        let server = responding(outcome(status, "login")).await;
        inside(Provider::Gives, &fhir(&server)).await;
    }
    for provider in Provider::FAILING {
        assert!(inside(provider, &fhir(&well)).await.iter().all(Option::is_some));
    }
    let nowhere = BASE.parse().unwrap();
    inside(Provider::Gives, &nowhere).await;
    for url in REFUSED {
        assert_eq!(sent(Provider::Gives, &nowhere, url, "x-note").await, [Some(ErrorKind::UrlNotAllowed); 3]);
    }
    assert_eq!(sent(Provider::Gives, &nowhere, BASE, "host").await, [Some(ErrorKind::UrlNotAllowed); 3]);
}

async fn inside(provider: Provider, audience: &FhirAudience) -> [Option<ErrorKind>; 3] {
    let url = format!("{}Patient/canaryid?name=canaryname", audience.endpoint());
    sent(provider, audience, &url, "x-note").await
}

/// This crate's errors in what becomes of a request by each adapter, with a header of this name.
async fn sent(
    provider: Provider,
    audience: &FhirAudience,
    url: &str,
    header: &'static str,
) -> [Option<ErrorKind>; 3] {
    let auth = || Arc::new(provider.auth(audience.clone()));
    [
        by_middleware(BearerMiddleware::new(auth()), url, header).await,
        by_layer(BearerLayer::new(auth()), url, header).await,
        by_policy(BearerPolicy::new(auth()), url, header).await,
    ]
}

/// Keeps the error of this crate, if there is one in that of a stack.
fn found(error: &(dyn StdError + 'static)) -> Option<ErrorKind> {
    let ours =
        successors(Some(error), |&cause| cause.source()).find_map(|cause| cause.downcast_ref::<Error>());
    ours.map(failed)
}

/// As the transport of `azure_core`, but for the environment's proxy.
fn http() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

async fn by_middleware(
    middleware: BearerMiddleware<FhirAudience>,
    url: &str,
    header: &'static str,
) -> Option<ErrorKind> {
    shown(&middleware);
    let client = ClientBuilder::new(http()).with(middleware).build();
    let mut request = reqwest::Request::new(http::Method::POST, url.parse().unwrap());
    request.headers_mut().insert(header, "canaryheader".parse().unwrap());
    *request.body_mut() = Some("canarybody".into());
    match client.execute(request).await {
        Err(reqwest_middleware::Error::Middleware(error)) => found(&*error),
        Err(reqwest_middleware::Error::Reqwest(error)) => found(&error),
        Ok(_) => None,
    }
}

async fn by_layer(
    layer: BearerLayer<FhirAudience, Full<Bytes>>,
    url: &str,
    header: &'static str,
) -> Option<ErrorKind> {
    shown(&layer);
    let service = layer.layer(Client::builder(TokioExecutor::new()).build_http());
    shown(&service);
    let request = http::Request::post(url).header(header, "canaryheader").body("canarybody".into()).unwrap();
    service.oneshot(request).await.err().and_then(|error| found(&*error))
}

async fn by_policy(policy: BearerPolicy<FhirAudience>, url: &str, header: &'static str) -> Option<ErrorKind> {
    shown(&policy);
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
    pipeline.send(&Context::new(), &mut request, None).await.err().and_then(|error| found(&error))
}
