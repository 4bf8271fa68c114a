//! Hunts for canaries (a token, an id in a path, a name in a query, a body, a header) in what an adapter prints of itself
//! and in its errors, and in all their sources.

#![cfg(all(feature = "reqwest-middleware", feature = "tower"))]

use std::{
    convert::Infallible,
    error::Error as StdError,
    fmt::{Debug, Write},
    future::ready,
    iter::successors,
    sync::Arc,
    time::Duration,
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind as CredentialErrorKind,
    http::{
        Context, Method, Request,
        policies::{Policy, PolicyResult},
    },
    time::OffsetDateTime,
};
use azure_healthcare_auth::{
    Authenticator, FhirAudience,
    adapters::{BearerLayer, BearerMiddleware, BearerPolicy},
};
use http::Response;
use reqwest_middleware::ClientBuilder;
use tower::{Layer, ServiceExt, service_fn};

const BASE: &str = "http://127.0.0.1:1/r4/";

const REFUSED: &[&str] = &[
    "https://evil.example/canary?name=canary",
    "http://127.0.0.1:1/canary?name=canary",
    "http://127.0.0.1:1/r4/canary/..%2fcanary?name=canary",
    "http://canary:canary@127.0.0.1:1/r4/canary",
    "ftp://canary:canary@evil.example/r4/canary",
];

#[derive(Debug)]
enum Credential {
    Tells,
    GivesUnusable,
    GivesEnded,
}

#[async_trait::async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let end = OffsetDateTime::now_utc() + Duration::from_secs(3_600);
        match self {
            Self::Tells => {
                let said = "unreadable: {\"accessToken\":\"eyJhbGciOiJub25lIn0.canary-canary-canary.c2ln\"}";
                Err(azure_core::Error::with_message(CredentialErrorKind::Credential, said))
            }
            Self::GivesUnusable => Ok(AccessToken::new("canary\n", end)),
            Self::GivesEnded => Ok(AccessToken::new("canary", end - Duration::from_secs(7_200))),
        }
    }
}

fn auth(credential: Credential) -> Arc<Authenticator<FhirAudience>> {
    Arc::new(Authenticator::new(BASE.parse().unwrap(), Arc::new(credential)))
}

fn told(error: &(dyn StdError + 'static)) -> String {
    successors(Some(error), |&cause| cause.source()).fold(String::new(), |mut text, cause| {
        write!(text, "{cause} {cause:?} {cause:#?} ").unwrap();
        text
    })
}

fn clean(text: &str) {
    assert!(!text.contains("canary"), "{text}");
    assert!(text.contains("127.0.0.1:1") || text.contains("credential"), "{text}");
}

fn shown(adapter: &impl Debug) {
    clean(&format!("{adapter:?} {adapter:#?}"));
}

/// URLs that are refused, and such as get as far as the token and find none.
fn cases() -> impl Iterator<Item = (Arc<Authenticator<FhirAudience>>, String, &'static str)> {
    let refused = REFUSED.iter().map(|url| (auth(Credential::Tells), (*url).to_owned(), "x-note"));
    let inside = format!("{BASE}Patient/canary?name=canary");
    let host = (auth(Credential::Tells), inside.clone(), "host");
    let tokenless = [Credential::Tells, Credential::GivesUnusable, Credential::GivesEnded]
        .map(|credential| (auth(credential), inside.clone(), "x-note"));
    refused.chain([host]).chain(tokenless)
}

#[tokio::test]
async fn of_reqwest_middleware() {
    for (auth, url, header) in cases() {
        let middleware = BearerMiddleware::new(auth);
        shown(&middleware);
        let client = ClientBuilder::new(reqwest::Client::new()).with(middleware).build();
        let mut request = reqwest::Request::new(http::Method::POST, url.parse().unwrap());
        request.headers_mut().insert(header, "canary".parse().unwrap());
        *request.body_mut() = Some("canary".into());
        let error = client.execute(request).await.unwrap_err();
        clean(&format!("{} {error:?}", told(&error)));
    }
}

#[tokio::test]
async fn of_tower() {
    for (auth, url, header) in cases() {
        let layer = BearerLayer::new(auth);
        let service = layer.layer(service_fn(|_| ready(Ok::<_, Infallible>(Response::new(())))));
        shown(&layer);
        shown(&service);
        let request = http::Request::post(url).header(header, "canary").body("canary").unwrap();
        clean(&told(&*service.oneshot(request).await.unwrap_err()));
    }
}

/// Never comes to it.
#[derive(Debug)]
struct Nothing;

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths)]
impl Policy for Nothing {
    async fn send(&self, _: &Context, _: &mut Request, _: &[Arc<dyn Policy>]) -> PolicyResult {
        unreachable!()
    }
}

#[tokio::test]
async fn of_azure_core() {
    for (auth, url, header) in cases() {
        let policy = BearerPolicy::new(auth);
        shown(&policy);
        let mut request = Request::new(url.parse().unwrap(), Method::Post);
        request.insert_header(header, "canary");
        request.set_body("canary");
        clean(&told(&policy.send(&Context::new(), &mut request, &[Arc::new(Nothing)]).await.unwrap_err()));
    }
}
