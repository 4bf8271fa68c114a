//! The pipeline of `azure_core`, with the policy.

use std::sync::Arc;

use azure_core::http::{ClientOptions, Context, Method, Pipeline, Request, RetryOptions, Transport};
use azure_healthcare_auth::adapters::BearerPolicy;

use super::{Auth, Outcome, Sent, Subject, http};

#[derive(Clone)]
pub(crate) struct Policied(Pipeline);

impl Subject for Policied {
    const MENDS: bool = true;

    fn new(auth: Auth) -> Self {
        let options = ClientOptions {
            per_try_policies: vec![Arc::new(BearerPolicy::new(auth))],
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(http()))),
            ..ClientOptions::default()
        };
        Self(Pipeline::new(None, None, options, vec![], vec![], None))
    }

    async fn send(&self, request: Sent) -> Outcome {
        let method = match request.method.as_str() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            _ => return Outcome::Unspeakable,
        };
        let Ok(url) = request.url.parse() else { return Outcome::Unspeakable };
        let mut sent = Request::new(url, method);
        for (name, value) in request.headers {
            sent.insert_header(name.to_lowercase(), value);
        }
        sent.set_body(request.body);
        match self.0.stream(&Context::new(), &mut sent, None).await {
            Ok(response) => Outcome::Answered(u16::from(response.status())),
            // The pipeline makes an error of every status outside 2xx.
            Err(error) => match error.http_status() {
                Some(status) => Outcome::Answered(u16::from(status)),
                None => Outcome::failed(&error),
            },
        }
    }
}
