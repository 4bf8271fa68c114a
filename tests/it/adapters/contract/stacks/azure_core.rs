//! The pipeline of `azure_core` with `BearerPolicy`.

use std::sync::Arc;

use azure_core::http::{ClientOptions, Context, Method, Pipeline, Request, RetryOptions, Transport};
use azure_healthcare_auth::adapters::BearerPolicy;

use super::{Auth, Outcome, Stack, TestRequest, http};

#[derive(Clone)]
pub(crate) struct AzureCoreStack(Pipeline);

impl Stack for AzureCoreStack {
    const NORMALIZES_URLS: bool = true;

    fn new(auth: Auth) -> Self {
        let options = ClientOptions {
            per_try_policies: vec![Arc::new(BearerPolicy::new(auth))],
            retry: RetryOptions::none(),
            transport: Some(Transport::new(Arc::new(http()))),
            ..ClientOptions::default()
        };
        Self(Pipeline::new(None, None, options, vec![], vec![], None))
    }

    async fn send(&self, request: TestRequest) -> Outcome {
        let method = match request.method.as_str() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "PATCH" => Method::Patch,
            "DELETE" => Method::Delete,
            _ => return Outcome::NotExpressible,
        };
        let Ok(url) = request.url.parse() else { return Outcome::NotExpressible };
        let mut message = Request::new(url, method);
        for (name, value) in request.headers {
            message.insert_header(name.to_lowercase(), value);
        }
        message.set_body(request.body);
        match self.0.stream(&Context::new(), &mut message, None).await {
            Ok(response) => Outcome::Response(u16::from(response.status())),
            // The pipeline turns every status other than 2xx into an error.
            Err(error) => match error.http_status() {
                Some(status) => Outcome::Response(u16::from(status)),
                None => Outcome::from_error(&error),
            },
        }
    }
}
