//! The measured clients: the client of this crate, each adapter, and their baselines.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use azure_core::http::{
    ClientOptions, Context, Method, Pipeline, Request, Transport,
    headers::{AUTHORIZATION, HeaderValue},
    policies::{Policy, PolicyResult},
};
use azure_healthcare_auth::{
    Authenticator, FhirAudience, HealthcareClient,
    adapters::{BearerLayer, BearerMiddleware, BearerPolicy},
    credentials::StaticTokenCredential,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use reqwest_middleware::{ClientBuilder, Middleware, Next};
use tower::{Layer, Service, ServiceExt};
use tower_http::set_header::SetRequestHeaderLayer;

use super::measure;

const TOKEN_LENGTH: usize = 1_500;
/// The name of each client and that of its baseline.
pub(crate) const CLIENTS: [(&str, &str); 9] = [
    ("reqwest", "reqwest"),
    ("client", "reqwest"),
    ("azure_core", "reqwest"),
    ("middleware, fixed", "middleware, fixed"),
    ("middleware", "middleware, fixed"),
    ("tower, fixed", "tower, fixed"),
    ("tower", "tower, fixed"),
    ("policy, fixed", "policy, fixed"),
    ("policy", "policy, fixed"),
];

/// Returns a client with the timeouts and the user agent of `HealthcareClient`, so that both send the same bytes.
fn plain_client() -> reqwest::Client {
    reqwest::Client::builder()
        .user_agent(concat!("azure_healthcare_auth/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(20))
        .no_proxy()
        .build()
        .unwrap()
}

/// Sends requests one after another and returns their CPU time in seconds.
pub(crate) fn send(client: &str, url: &str, requests: usize) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let token = "t".repeat(TOKEN_LENGTH);
    runtime.block_on(async {
        match client {
            "reqwest" => {
                let client = plain_client();
                let path = format!("{url}/Patient");
                let get = async || {
                    let request =
                        client.get(&path).header("accept", "application/fhir+json").bearer_auth(&token);
                    request.send().await.unwrap().bytes().await.unwrap().len()
                };
                measure(get, requests).await
            }
            "client" => {
                let audience: FhirAudience = url.parse().unwrap();
                let client = HealthcareClient::new(audience, fixed_credential(&token));
                let get = async || client.get("Patient").send().await.unwrap().bytes().len();
                measure(get, requests).await
            }
            "azure_core" => {
                // `azure_core`'s own token policy accepts only `https`, so this uses a fixed header.
                let pipeline = pipeline(vec![]);
                let path = url::Url::parse(&format!("{url}/Patient")).unwrap();
                let get = async || {
                    let mut request = Request::new(path.clone(), Method::Get);
                    request.insert_header("accept", "application/fhir+json");
                    request.insert_header("authorization", format!("Bearer {token}"));
                    let response = pipeline.send(&Context::new(), &mut request, None).await.unwrap();
                    response.into_body().len()
                };
                measure(get, requests).await
            }
            "middleware, fixed" | "middleware" => {
                let http = ClientBuilder::new(plain_client());
                let client = match client {
                    "middleware" => http.with(BearerMiddleware::new(authenticator(url, &token))),
                    _ => http.with(FixedHeader(bearer(&token))),
                };
                let client = client.build();
                let path = format!("{url}/Patient");
                let get = async || {
                    let request = client.get(&path).header("accept", "application/fhir+json");
                    request.send().await.unwrap().bytes().await.unwrap().len()
                };
                measure(get, requests).await
            }
            "tower, fixed" => {
                let name = http::header::AUTHORIZATION;
                let layer = SetRequestHeaderLayer::overriding(name, bearer(&token));
                measure(get_with(layer.layer(hyper_client()), url), requests).await
            }
            "tower" => {
                let layer = BearerLayer::new(authenticator(url, &token));
                measure(get_with(layer.layer(hyper_client()), url), requests).await
            }
            "policy, fixed" | "policy" => {
                let policy: Arc<dyn Policy> = match client {
                    "policy" => Arc::new(BearerPolicy::new(authenticator(url, &token))),
                    _ => Arc::new(FixedPolicy(HeaderValue::from(format!("Bearer {token}")))),
                };
                let pipeline = pipeline(vec![policy]);
                let path = url::Url::parse(&format!("{url}/Patient")).unwrap();
                let get = async || {
                    let mut request = Request::new(path.clone(), Method::Get);
                    request.insert_header("accept", "application/fhir+json");
                    let response = pipeline.send(&Context::new(), &mut request, None).await.unwrap();
                    response.into_body().len()
                };
                measure(get, requests).await
            }
            other => panic!("unknown client {other}"),
        }
    })
}

/// A pipeline whose transport is configured like `azure_core`'s default, except that it ignores proxies of the environment.
fn pipeline(per_try_policies: Vec<Arc<dyn Policy>>) -> Pipeline {
    let http = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy();
    let transport = Some(Transport::new(Arc::new(http.build().unwrap())));
    let options = ClientOptions { per_try_policies, transport, ..ClientOptions::default() };
    Pipeline::new(None, None, options, vec![], vec![], None)
}

fn fixed_credential(token: &str) -> Arc<StaticTokenCredential> {
    Arc::new(
        StaticTokenCredential::with_expiry(token, SystemTime::now() + Duration::from_secs(3_600)).unwrap(),
    )
}

fn authenticator(url: &str, token: &str) -> Arc<Authenticator<FhirAudience>> {
    Arc::new(Authenticator::new(url.parse().unwrap(), fixed_credential(token)))
}

fn bearer(token: &str) -> http::HeaderValue {
    let mut value = http::HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    value.set_sensitive(true);
    value
}

struct FixedHeader(http::HeaderValue);

#[async_trait::async_trait]
impl Middleware for FixedHeader {
    async fn handle(
        &self,
        mut request: reqwest::Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<reqwest::Response> {
        request.headers_mut().insert(http::header::AUTHORIZATION, self.0.clone());
        next.run(request, extensions).await
    }
}

#[derive(Debug)]
struct FixedPolicy(HeaderValue);

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths)]
impl Policy for FixedPolicy {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header(AUTHORIZATION, self.0.clone());
        next[0].send(context, request, &next[1..]).await
    }
}

type Hyper = Client<HttpConnector, Empty<Bytes>>;

/// Configured as in `reqwest`, because the pool needs a timer to close idle connections.
fn hyper_client() -> Hyper {
    Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build_http()
}

fn get_with<S>(service: S, url: &str) -> impl AsyncFn() -> usize
where
    S: Service<http::Request<Empty<Bytes>>, Response = http::Response<hyper::body::Incoming>> + Clone,
    S::Error: std::fmt::Debug,
{
    let uri: http::Uri = format!("{url}/Patient").parse().unwrap();
    async move || {
        let request = http::Request::get(uri.clone()).header("accept", "application/fhir+json");
        let request = request.body(Empty::new()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes().len()
    }
}
