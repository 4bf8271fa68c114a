//! `tower`, with the layer on the client of `hyper-util`.

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

use super::{Auth, Outcome, Sent, Subject};

type Body = Full<Bytes>;

#[derive(Clone)]
pub(crate) struct Layered(BearerService<Client<HttpConnector, Body>, FhirAudience, Body>);

impl Subject for Layered {
    const MENDS: bool = false;

    fn new(auth: Auth) -> Self {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        Self(BearerLayer::new(auth).layer(client))
    }

    async fn send(&self, request: Sent) -> Outcome {
        let Ok(uri) = request.url.parse::<Uri>() else { return Outcome::Unspeakable };
        let mut builder = Request::builder().method(request.method).uri(uri);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let sent = builder.body(Body::from(request.body)).unwrap();
        match self.0.clone().oneshot(sent).await {
            Ok(response) => Outcome::Answered(response.status().as_u16()),
            Err(error) => Outcome::failed(&*error),
        }
    }
}
