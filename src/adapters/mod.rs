//! The same guarantees in the HTTP stack that a service already has.
//!
//! | the stack | the adapter | the feature |
//! |---|---|---|
//! | `reqwest-middleware` | `BearerMiddleware` | `reqwest-middleware` |
//! | `tower`: `hyper-util`, `tower-http` | `BearerLayer` | `tower` |
//! | `azure_core`'s pipeline | [`BearerPolicy`] | none |
//!
//! Each takes any [`HealthcareAuth`], an [`Authenticator`](crate::Authenticator) above all, and does the same with
//! every request:
//!
//! * One to another origin, or outside the base path, is an [`Error`](crate::Error) of
//!   [`ErrorKind::UrlNotAllowed`](crate::ErrorKind::UrlNotAllowed): no token is fetched and nothing is sent. The
//!   [audience itself](Audience::admit) decides that, whatever implements the trait. `CONNECT`, `TRACE` and `TRACK` are refused
//!   too.
//! * It carries one `Authorization` header, whose value is marked sensitive where the stack can do that. The caller's
//!   own does not survive.
//! * After a 401 the value is [renewed](HealthcareAuth::renew), and the request sent once more, if there is another value
//!   and its body can be sent again. Never after a 403, and never a second time.
//! * Any other answer is handed on untouched, a refusal that stands too, and so is an error of the stack. Where
//!   [`HealthcareClient`](crate::HealthcareClient) explains a refusal, here it is what the service sent.
//!
//! By the one that needs no feature; the page of each has its own stack:
//!
//! ```
//! use azure_core::http::{ClientOptions, Context, Method, Pipeline, Request, Url};
//! use azure_healthcare_auth::{Audience, Authenticator, Error, ErrorKind, adapters::BearerPolicy};
//! use std::{error::Error as _, iter::successors, sync::Arc};
//! # use azure_healthcare_auth::testing::FakeServer;
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
//! // A reference in somebody's Bundle leads to another host.
//! let refused = get(Url::parse("https://elsewhere.example/Patient/1")?).await.unwrap_err();
//! let ours = successors(refused.source(), |&cause| cause.source()).find_map(|cause| cause.downcast_ref::<Error>());
//! assert_eq!((ours.map(Error::kind), credential.calls()), (Some(ErrorKind::UrlNotAllowed), 0));
//!
//! assert_eq!(u16::from(get(patient).await?.status()), 200);
//! assert_eq!(credential.calls(), 1);
//! # Ok(()) }
//! ```
//!
//! What is checked is what the adapter hands on. A part of the stack that comes after it and leads the request
//! elsewhere (one that follows redirects, or rewrites URLs) takes the token along: put the adapter last.
//!
//! Two more things that [`HealthcareClient`](crate::HealthcareClient) sees to are the stack's here:
//!
//! * **Proxies, where the endpoint is on this machine.** To `http://localhost` and its like the token goes in clear, and
//!   so it does to the proxy that `HTTP_PROXY` names: `reqwest` and `azure_core`'s own transport use that one for this
//!   machine too, unless `NO_PROXY` excepts it. For an `http` endpoint build what sends with
//!   [`no_proxy`](https://docs.rs/reqwest/latest/reqwest/struct.ClientBuilder.html#method.no_proxy). `hyper-util`'s
//!   client takes no proxy from the environment.
//! * **Headers that frame a body.** `Content-Length`, `Transfer-Encoding` and `Connection` are handed on, since a layer
//!   above may rightly have set them. A length that is not the body's cuts it off. What hands on the headers of somebody
//!   else's request, as a gateway does, takes the last two off
//!   ([RFC 9110, 7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)), and the length unless the body is the same.
//!
//! An error of this crate is found in the stack's own error: see each adapter. As in the rest of the crate it shows no
//! token and nothing about a patient. What the stack itself says in errors and logs is its own: `reqwest`'s errors show
//! URLs, until [`without_url`](https://docs.rs/reqwest/latest/reqwest/struct.Error.html#method.without_url).

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
    auth::{other_than, sensitive},
};

pub use self::azure_core::BearerPolicy;
#[cfg(feature = "reqwest-middleware")]
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest-middleware")))]
pub use self::reqwest_middleware::BearerMiddleware;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use self::tower::{BearerLayer, BearerService};

/// What the adapters do alike.
struct Bearer<A: Audience>(Arc<dyn HealthcareAuth<Audience = A>>);

impl<A: Audience> Bearer<A> {
    fn audience(&self) -> &A {
        self.0.audience()
    }

    /// Refuses a head that leads elsewhere although the URL does not.
    #[cfg(any(feature = "reqwest-middleware", feature = "tower"))]
    fn check_url(&self, method: &Method, headers: &HeaderMap) -> Result<()> {
        check_method(method)?;
        headers.get_all(header::HOST).iter().try_for_each(|host| self.check_host(host.as_bytes()))
    }

    fn check_host(&self, host: &[u8]) -> Result<()> {
        check_host(self.audience().endpoint(), host)
    }

    /// The value for a request that was admitted.
    async fn value(&self) -> Result<HeaderValue> {
        match self.cached_authorization() {
            Some(value) => Ok(value),
            None => self.0.authorization().await.map(sensitive),
        }
    }

    /// The same, where it need not be waited for.
    fn cached_authorization(&self) -> Option<HeaderValue> {
        self.0.cached_authorization().map(sensitive)
    }

    /// Another value than one that was refused.
    async fn renewed(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        other_than(refused, self.0.refresh_rejected(refused).await).map(sensitive)
    }
}

impl<A: Audience> Clone for Bearer<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Audience> fmt::Debug for Bearer<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.audience(), f)
    }
}
