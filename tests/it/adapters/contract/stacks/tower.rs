//! The client of `hyper-util` with `BearerLayer`.

use azure_healthcare_auth::{
    FhirAudience,
    adapters::{BearerLayer, BearerService},
};
use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Layer, ServiceExt};

use super::{Auth, Outcome, Stack, TestRequest};

type Body = Full<Bytes>;

#[derive(Clone)]
pub(crate) struct TowerStack(BearerService<Client<HttpConnector, Body>, FhirAudience, Body>);

impl Stack for TowerStack {
    const NORMALIZES_URLS: bool = false;

    fn new(auth: Auth) -> Self {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        Self(BearerLayer::new(auth).layer(client))
    }

    async fn send(&self, request: TestRequest) -> Outcome {
        let Ok(uri) = request.url.parse::<Uri>() else { return Outcome::NotExpressible };
        let mut builder = Request::builder().method(request.method).uri(uri);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let message = builder.body(Body::from(request.body)).unwrap();
        match self.0.clone().oneshot(message).await {
            Ok(response) => Outcome::Response(response.status().as_u16()),
            Err(error) => Outcome::from_error(&*error),
        }
    }
}
