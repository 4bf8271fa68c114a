//! [`BearerMiddleware`], a middleware for `reqwest-middleware`.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use http::{Extensions, HeaderValue, StatusCode, header};
use reqwest::{Request, Response};
use reqwest_middleware::{Error, Middleware, Next, Result};

use super::Bearer;
use crate::{Audience, HealthcareAuth};

/// A middleware for [`reqwest_middleware`] that adds the token to each request.
///
/// The [module documentation](crate::adapters) describes what all adapters guarantee. A request whose body cannot be
/// cloned, such as a stream, is not replayed after a 401.
///
/// # Redirects
///
/// The inner client follows redirects below all middleware. Build it with
/// [`Policy::none`](reqwest::redirect::Policy::none), because a `reqwest` client that follows redirects
///
/// * removes the token on the way to another host or port, but sends the body there (307, 308);
/// * sends the whole URL to that host in `Referer`, including a query that may be about a patient;
/// * keeps the token on a redirect that stays on the origin but leaves the base path. Version 0.13.2 also keeps it from
///   `https://host` to `http://host:443`, because it does not compare schemes. Version 0.13.5 does.
///
/// # Timeouts
///
/// Set [`read_timeout`](reqwest::ClientBuilder::read_timeout) on the inner client, because it has no timeout by
/// default.
///
/// # Proxies
///
/// The token is sent unencrypted to an `http` endpoint, which is on this machine. The inner client sends it to the
/// proxy that `HTTP_PROXY` names, unless `NO_PROXY` excludes this machine. For such an endpoint, build the inner client
/// with [`no_proxy`](reqwest::ClientBuilder::no_proxy).
///
/// # Retries
///
/// `reqwest-retry` works on either side of this middleware. If it comes first in the order of `with`, each retry passes
/// through this middleware and carries the current token, and a request that cannot be cloned is not sent at all. If it
/// comes second, it retries the request and its replay separately. In both positions it also retries `POST`. Exclude
/// requests that are not idempotent from it.
///
/// # Errors
///
/// The stack's error is [`Error::Middleware`] and contains the error of this crate. If `reqwest-retry` comes first, it
/// adds a layer of its own. A [`reqwest::Error`] is returned unchanged.
///
/// # Examples
///
/// ```
/// use std::{sync::Arc, time::Duration};
///
/// use azure_healthcare_auth::{Authenticator, adapters::BearerMiddleware};
/// use reqwest::redirect::Policy;
/// # use azure_healthcare_auth_testing::FakeServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let fake_server = FakeServer::start().await;
/// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
/// # let patients = audience.url("Patient")?;
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
/// Finding the error of this crate:
///
/// ```
/// use azure_healthcare_auth::Error;
/// use reqwest_retry::RetryError;
///
/// fn find(error: &reqwest_middleware::Error) -> Option<&Error> {
///     let reqwest_middleware::Error::Middleware(error) = error else { return None };
///     match error.downcast_ref::<RetryError>() {
///         Some(RetryError::Error(error) | RetryError::WithRetries { err: error, .. }) => find(error),
///         None => error.downcast_ref::<Error>(),
///     }
/// }
/// ```
pub struct BearerMiddleware<A>(Bearer<A>);

impl<A: Audience> BearerMiddleware<A> {
    /// Creates a middleware that gets its authorization values from `auth`.
    #[must_use]
    pub fn new(auth: Arc<dyn HealthcareAuth<Audience = A>>) -> Self {
        Self(Bearer(auth))
    }

    fn check_request(&self, request: &Request) -> crate::Result<()> {
        self.0.audience().check_url(request.url())?;
        self.0.check_head(request.method(), request.headers())
    }

    /// Sends `request` with another authorization value, or returns `response` if there is none.
    async fn replay(
        &self,
        mut request: Request,
        rejected: &HeaderValue,
        response: Response,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        let Some(other) = self.0.refresh_rejected(rejected).await else { return Ok(response) };
        drop(response);
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
        self.check_request(&request).map_err(Error::middleware)?;
        let value = self.0.authorization().await.map_err(Error::middleware)?;
        let copy = request.try_clone().map(Box::new);
        request.headers_mut().insert(header::AUTHORIZATION, value.clone());
        let response = next.clone().run(request, extensions).await?;
        match copy {
            // Boxed to keep the future of a request that is not replayed small.
            Some(copy) if response.status() == StatusCode::UNAUTHORIZED => {
                Box::pin(self.replay(*copy, &value, response, extensions, next)).await
            }
            _ => Ok(response),
        }
    }
}

impl<A> Clone for BearerMiddleware<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Audience> fmt::Debug for BearerMiddleware<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BearerMiddleware").field(&self.0).finish()
    }
}
