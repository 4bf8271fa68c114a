//! The four ways to send that carry the same promises, each as a [`Subject`].

#![allow(dead_code, reason = "each file of tests uses a part of it")]

mod azure_core;
mod client;
mod reqwest_middleware;
mod tower;

use std::{error::Error as StdError, future::Future, iter::successors, sync::Arc};

use azure_healthcare_auth::{Error, ErrorKind, FhirAudience, HealthcareAuth};
use http::Method;

pub(crate) use self::{
    azure_core::Policied, client::Clients, reqwest_middleware::Middlewared, tower::Layered,
};

pub(crate) type Auth = Arc<dyn HealthcareAuth<Audience = FhirAudience>>;

pub(crate) trait Subject: Clone + Send + Sync + 'static {
    /// Whether what stands before it mends a URL (`/a/../b`), so that it is given, and sends, another.
    const MENDS: bool;

    /// With HTTP/2, so that a thousand requests need one connection.
    fn new(auth: Auth) -> Self;

    fn send(&self, request: Sent) -> impl Future<Output = Outcome> + Send;
}

/// A request, as any of them can be given it.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: &'static str,
}

impl Sent {
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
    Answered(u16),
    /// By an error of the crate, wherever the stack put it.
    Failed(ErrorKind),
    /// The stack has no way to say it.
    Unspeakable,
}

impl Outcome {
    /// Finds the error of the crate in an error of a stack.
    pub(crate) fn failed(error: &(dyn StdError + 'static)) -> Self {
        let mut causes = successors(Some(error), |&cause| cause.source());
        match causes.find_map(|cause| cause.downcast_ref::<Error>()) {
            Some(error) => Self::Failed(error.kind()),
            None => panic!("{error:?}"),
        }
    }
}

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .http2_prior_knowledge()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}
