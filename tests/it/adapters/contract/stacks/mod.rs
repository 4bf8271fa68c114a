//! The client and the three adapters, each as a [`Stack`].

mod azure_core;
mod client;
mod reqwest_middleware;
mod tower;

use std::{error::Error as StdError, future::Future, iter::successors, sync::Arc};

use azure_healthcare_auth::{Error, ErrorKind, FhirAudience, HealthcareAuth};
use http::Method;

pub(crate) use self::{
    azure_core::AzureCoreStack, client::ClientStack, reqwest_middleware::ReqwestMiddlewareStack,
    tower::TowerStack,
};

pub(crate) type Auth = Arc<dyn HealthcareAuth<Audience = FhirAudience>>;

pub(crate) trait Stack: Clone + Send + Sync + 'static {
    /// `true` if the stack's URL type normalizes paths such as `/a/../b`, so that the adapter sees another URL.
    const NORMALIZES_URLS: bool;

    /// Uses HTTP/2, so that a thousand requests need only one connection.
    fn new(auth: Auth) -> Self;

    fn send(&self, request: TestRequest) -> impl Future<Output = Outcome> + Send;
}

/// A request that does not depend on the stack.
#[derive(Clone)]
pub(crate) struct TestRequest {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: &'static str,
}

impl TestRequest {
    pub(crate) fn new(method: Method, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: "" }
    }

    pub(crate) fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A response with this status.
    Response(u16),
    /// An error of this crate, at any depth of the stack's error.
    Error(ErrorKind),
    /// The stack cannot express the request.
    NotExpressible,
}

impl Outcome {
    /// Finds the error of this crate in the stack's error.
    pub(crate) fn from_error(error: &(dyn StdError + 'static)) -> Self {
        let mut chain = successors(Some(error), |&error| error.source());
        match chain.find_map(|error| error.downcast_ref::<Error>()) {
            Some(error) => Self::Error(error.kind()),
            None => panic!("no error of this crate in {error:?}"),
        }
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy()
        // Plain requests need no CA certificates, but building the client does.
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}
