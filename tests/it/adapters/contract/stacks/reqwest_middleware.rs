//! `reqwest-middleware` with `BearerMiddleware`.

use azure_healthcare_auth::adapters::BearerMiddleware;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error};

use super::{Auth, Outcome, Stack, TestRequest, http};

#[derive(Clone)]
pub(crate) struct ReqwestMiddlewareStack(ClientWithMiddleware);

impl Stack for ReqwestMiddlewareStack {
    const NORMALIZES_URLS: bool = true;

    fn new(auth: Auth) -> Self {
        Self(ClientBuilder::new(http()).with(BearerMiddleware::new(auth)).build())
    }

    async fn send(&self, request: TestRequest) -> Outcome {
        // Not built with a request builder, because that moves a user name from the URL to a header.
        let Ok(url) = request.url.parse() else { return Outcome::NotExpressible };
        let mut message = reqwest::Request::new(request.method, url);
        for (name, value) in request.headers {
            message.headers_mut().append(name, value.parse().unwrap());
        }
        *message.body_mut() = Some(request.body.into());
        match self.0.execute(message).await {
            Ok(response) => Outcome::Response(response.status().as_u16()),
            Err(Error::Middleware(error)) => Outcome::from_error(&*error),
            Err(Error::Reqwest(error)) => Outcome::from_error(&error),
        }
    }
}
