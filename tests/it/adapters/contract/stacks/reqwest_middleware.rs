//! `reqwest-middleware`, with the middleware.

use azure_healthcare_auth::adapters::BearerMiddleware;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error};

use super::{Auth, Outcome, Sent, Subject, http};

#[derive(Clone)]
pub(crate) struct Middlewared(ClientWithMiddleware);

impl Subject for Middlewared {
    const MENDS: bool = true;

    fn new(auth: Auth) -> Self {
        Self(ClientBuilder::new(http()).with(BearerMiddleware::new(auth)).build())
    }

    async fn send(&self, request: Sent) -> Outcome {
        // Without a builder, which takes a user name out of the URL and makes a header of it.
        let Ok(url) = request.url.parse() else { return Outcome::Unspeakable };
        let mut sent = reqwest::Request::new(request.method, url);
        for (name, value) in request.headers {
            sent.headers_mut().append(name, value.parse().unwrap());
        }
        *sent.body_mut() = Some(request.body.into());
        match self.0.execute(sent).await {
            Ok(response) => Outcome::Answered(response.status().as_u16()),
            Err(Error::Middleware(error)) => Outcome::failed(&*error),
            Err(Error::Reqwest(error)) => Outcome::failed(&error),
        }
    }
}
