//! [`BearerMiddleware`]: for `reqwest-middleware`.

use std::sync::Arc;

use async_trait::async_trait;
use http::{Extensions, HeaderValue, StatusCode, header};
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::Bearer;
use crate::{Audience, HealthcareAuth};

/// A middleware for [`reqwest_middleware`] that puts the token on each request, and keeps it with its service.
///
/// [What it does](crate::adapters) is what all adapters do. A body that cannot be cloned, a stream, is not sent again:
/// a 401 is handed on then.
///
/// # Redirects
///
/// They are followed below all middleware, by the inner client, unless it is told not to. A `reqwest` that follows
///
/// * takes the token off on the way to another host or port, but not the body (307, 308);
/// * tells that host, in `Referer`, the whole URL that it comes from, with what a query says of a patient;
/// * leaves the token on where the redirect stays on the origin and leaves the base path, and by its version 0.13.2
///   also from `https://host` to `http://host:443`, since that compares no schemes (0.13.5 does).
///
/// So build the inner client without, as here, and with a time-out, which it has none of by itself:
///
/// ```
/// use azure_healthcare_auth::{Authenticator, adapters::BearerMiddleware};
/// use reqwest::redirect::Policy;
/// use std::{sync::Arc, time::Duration};
/// # use azure_healthcare_auth::testing::FakeServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let fake_server = FakeServer::start().await;
/// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
/// # let patients = azure_healthcare_auth::Audience::url(&audience, "Patient")?;
/// let authenticator = Authenticator::new(audience, credential);
/// let http = reqwest::Client::builder().redirect(Policy::none()).read_timeout(Duration::from_secs(60));
/// # let http = http.no_proxy();
/// let client = reqwest_middleware::ClientBuilder::new(http.build()?)
///     .with(BearerMiddleware::new(Arc::new(authenticator)))
///     .build();
/// let response = client.get(patients).send().await?;
/// assert_eq!(response.status(), 200);
/// # Ok(()) }
/// ```
///
/// # Proxies
///
/// To an `http` endpoint, which is one on this machine, the token goes in clear. The inner client gives it to the proxy
/// that `HTTP_PROXY` names, unless `NO_PROXY` excepts this machine: build it with
/// [`no_proxy`](reqwest::ClientBuilder::no_proxy) there.
///
/// # Retries
///
/// `reqwest-retry` works on either side. Before this middleware, in the order of `with`, it sends each repeat through it,
/// with the token of that moment; and what it cannot clone it does not send. Behind it, each of the at most two sends
/// has its own repeats. Either way it repeats a `POST` too: what acts twice is to be kept out of it.
///
/// # Errors
///
/// One of this crate is the [`Middleware`](Error::Middleware) of the stack's error. `reqwest-retry` in front of it
/// wraps that once more:
///
/// ```
/// use azure_healthcare_auth::Error;
/// use reqwest_retry::RetryError;
///
/// fn ours(error: &reqwest_middleware::Error) -> Option<&Error> {
///     let reqwest_middleware::Error::Middleware(error) = error else { return None };
///     match error.downcast_ref::<RetryError>() {
///         Some(RetryError::Error(error) | RetryError::WithRetries { err: error, .. }) => ours(error),
///         None => error.downcast_ref::<Error>(),
///     }
/// }
/// ```
///
/// A [`reqwest::Error`] is handed on as it is.
#[derive(Clone, Debug)]
pub struct BearerMiddleware<A: Audience>(Bearer<A>);

impl<A: Audience> BearerMiddleware<A> {
    /// A middleware that gets its values from `auth`.
    pub fn new(auth: Arc<dyn HealthcareAuth<Audience = A>>) -> Self {
        Self(Bearer(auth))
    }

    fn check_url(&self, request: &Request) -> crate::Result<()> {
        self.0.audience().check_url(request.url())?;
        self.0.check_url(request.method(), request.headers())
    }

    /// Sends what was refused with another value, if there is one.
    async fn send_again(
        &self,
        mut request: Request,
        refused: &HeaderValue,
        refusal: Response,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let Some(other) = self.0.renewed(refused).await else { return Ok(refusal) };
        drop(refusal);
        request.headers_mut().insert(header::AUTHORIZATION, other);
        next.run(request, extensions).await
    }
}

#[async_trait]
impl<A: Audience> Middleware for BearerMiddleware<A> {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        self.check_url(&request).map_err(Error::middleware)?;
        let value = self.0.value().await.map_err(Error::middleware)?;
        let again = request.try_clone().map(Box::new);
        request.headers_mut().insert(header::AUTHORIZATION, value.clone());
        let response = next.clone().run(request, extensions).await?;
        match again {
            // Boxed, so that the future of a request that is not refused stays small.
            Some(again) if response.status() == StatusCode::UNAUTHORIZED => {
                Box::pin(self.send_again(*again, &value, response, extensions, next)).await
            }
            _ => Ok(response),
        }
    }
}
