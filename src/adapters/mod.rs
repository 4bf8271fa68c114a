//! Adapters that add the token in an HTTP stack that a service already uses.
//!
//! | Stack | Adapter | Feature |
//! |---|---|---|
//! | `reqwest-middleware` | `BearerMiddleware` | `reqwest-middleware` |
//! | `tower`: `hyper-util`, `tower-http` | `BearerLayer` | `tower` |
//! | `azure_core`'s pipeline | [`BearerPolicy`] | none |
//!
//! Each adapter takes any [`HealthcareAuth`], usually an [`Authenticator`](crate::Authenticator). All of them give the
//! same guarantees:
//!
//! * A request to another origin or outside the base path fails with [`ErrorKind::UrlNotAllowed`]. No token is fetched
//!   and nothing is sent. [`Audience::check_url`] makes this decision, even if an implementation of [`HealthcareAuth`]
//!   would return a value for the URL. `CONNECT`, `TRACE` and `TRACK` requests fail too.
//! * A request carries exactly one `Authorization` header. It replaces the caller's own, and its value is marked
//!   sensitive if the stack supports that.
//! * After a 401 to a request whose body can be sent again, the adapter [requests another authorization
//!   value](HealthcareAuth::refresh_rejected) and, if there is one, replays the request once. If the forced refresh
//!   fails, the 401 response is returned. A 403 is never replayed.
//! * Every other response and every error of the stack is returned unchanged. Unlike
//!   [`HealthcareClient`](crate::HealthcareClient), an adapter does not explain a 401 or 403.
//!
//! [`ErrorKind::UrlNotAllowed`]: crate::ErrorKind::UrlNotAllowed
//!
//! # Placement
//!
//! Put the adapter last, because it checks only the request that it passes on. A layer after it that follows redirects
//! or rewrites URLs takes the token along.
//!
//! # Limits
//!
//! [`HealthcareClient`](crate::HealthcareClient) also handles the following. With an adapter, the stack has to handle
//! it:
//!
//! * **Proxies for an endpoint on this machine.** The token is sent unencrypted to an `http` endpoint such as
//!   `http://localhost`. `reqwest` and `azure_core`'s own transport send such a request to the proxy that `HTTP_PROXY`
//!   names, unless `NO_PROXY` excludes this machine. Build the inner client with
//!   [`no_proxy`](https://docs.rs/reqwest/latest/reqwest/struct.ClientBuilder.html#method.no_proxy) for an `http`
//!   endpoint. The client of `hyper-util` does not read proxy settings from the environment.
//! * **Headers that frame a body.** `Content-Length`, `Transfer-Encoding` and `Connection` are passed on, because
//!   another layer may have set them for a good reason. A `Content-Length` that does not match the body truncates it. A
//!   gateway that forwards the headers of other requests must remove the last two ([RFC 9110 section
//!   7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)), and must remove `Content-Length` if it changes the
//!   body.
//!
//! # Errors
//!
//! Each adapter documents where an [`Error`](crate::Error) of this crate is found in the stack's error. Such an error
//! contains no token and nothing about a patient. This crate does not control the stack's own errors and logs. For
//! example, errors of `reqwest` contain URLs unless
//! [`without_url`](https://docs.rs/reqwest/latest/reqwest/struct.Error.html#method.without_url) removes them.
//!
//! # Examples
//!
//! With [`BearerPolicy`], which needs no feature. The page of each adapter has an example for its own stack.
//!
//! ```
//! use std::{error::Error as _, iter::successors, sync::Arc};
//!
//! use azure_core::http::{ClientOptions, Context, Method, Pipeline, Request, Url};
//! use azure_healthcare_auth::{Authenticator, Error, ErrorKind, adapters::BearerPolicy};
//! # use azure_healthcare_auth_testing::FakeServer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let fake_server = FakeServer::start().await;
//! # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
//! let patient = audience.url("Patient/example-0001")?;
//! let policy = BearerPolicy::new(Arc::new(Authenticator::new(audience, credential.clone())));
//! let options = ClientOptions { per_try_policies: vec![Arc::new(policy)], ..ClientOptions::default() };
//! # let http = reqwest::Client::builder().no_proxy().build()?;
//! # let transport = Some(azure_core::http::Transport::new(Arc::new(http)));
//! # let options = ClientOptions { transport, ..options };
//! let pipeline = Pipeline::new(None, None, options, vec![], vec![], None);
//! let get = async |url| pipeline.send(&Context::new(), &mut Request::new(url, Method::Get), None).await;
//!
//! // A reference in a Bundle points to another host. No token is fetched.
//! let error = get(Url::parse("https://elsewhere.example/Patient/1")?).await.unwrap_err();
//! let source = successors(error.source(), |&error| error.source()).find_map(|error| error.downcast_ref::<Error>());
//! assert_eq!((source.map(Error::kind), credential.calls()), (Some(ErrorKind::UrlNotAllowed), 0));
//!
//! assert_eq!(u16::from(get(patient).await?.status()), 200);
//! assert_eq!(credential.calls(), 1);
//! # Ok(()) }
//! ```

mod azure_core;
#[cfg(feature = "reqwest-middleware")]
mod reqwest_middleware;
#[cfg(feature = "tower")]
mod tower;

use std::{fmt, sync::Arc};

use http::HeaderValue;
#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
use http::{HeaderMap, Method, header};

#[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
use crate::audience::check_method;
use crate::{
    Audience, HealthcareAuth, Result,
    audience::check_host,
    auth::{replacement, sensitive},
};

pub use self::azure_core::BearerPolicy;
#[cfg(feature = "reqwest-middleware")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest-middleware")))]
pub use self::reqwest_middleware::BearerMiddleware;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::tower::{BearerLayer, BearerService};

/// The logic that all adapters share.
struct Bearer<A>(Arc<dyn HealthcareAuth<Audience = A>>);

impl<A: Audience> Bearer<A> {
    fn audience(&self) -> &A {
        self.0.audience()
    }

    /// Checks the parts of a request head that can redirect or expose it although its URL is allowed.
    #[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
    fn check_head(&self, method: &Method, headers: &HeaderMap) -> Result<()> {
        check_method(method)?;
        headers.get_all(header::HOST).iter().try_for_each(|host| self.check_host(host.as_bytes()))
    }

    fn check_host(&self, host: &[u8]) -> Result<()> {
        check_host(self.audience().endpoint(), host)
    }

    /// Returns the authorization value for a request that passed the checks.
    async fn authorization(&self) -> Result<HeaderValue> {
        match self.cached_authorization() {
            Some(value) => Ok(value),
            None => self.0.authorization().await.map(sensitive),
        }
    }

    /// Returns the cached authorization value, if there is one.
    fn cached_authorization(&self) -> Option<HeaderValue> {
        self.0.cached_authorization().map(sensitive)
    }

    /// Returns an authorization value that differs from the rejected one, or `None` if there is none.
    async fn refresh_rejected(&self, rejected: &HeaderValue) -> Option<HeaderValue> {
        let refreshed = replacement(rejected, self.0.refresh_rejected(rejected).await);
        refreshed.ok().flatten().map(sensitive)
    }
}

impl<A> Clone for Bearer<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Audience> fmt::Debug for Bearer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.audience(), f)
    }
}
