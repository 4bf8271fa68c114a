//! [`BearerPolicy`]: for `azure_core`'s pipeline.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        Context, Request, StatusCode,
        headers::AUTHORIZATION,
        policies::{Policy, PolicyResult},
    },
};
use http::HeaderValue;

use super::Bearer;
use crate::{Audience, HealthcareAuth, Result};

/// A policy for the pipeline of [`azure_core`], for clients that are generated in the Azure style: it puts the token on
/// each request, and keeps it with its service.
///
/// [What it does](crate::adapters) is what all adapters do. It goes last among
/// [`ClientOptions::per_try_policies`](azure_core::http::ClientOptions::per_try_policies), or among those that a
/// client library gives to its pipeline:
///
/// ```
/// use azure_core::http::{ClientOptions, Context, Method, Pipeline, Request};
/// use azure_healthcare_auth::{Audience, Authenticator, adapters::BearerPolicy};
/// use std::sync::Arc;
/// # use azure_healthcare_auth::testing::FakeServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_core::Result<()> {
/// # let fake_server = FakeServer::start().await;
/// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
/// # let patients = audience.url("Patient").unwrap();
/// let policy = BearerPolicy::new(Arc::new(Authenticator::new(audience, credential)));
/// let options = ClientOptions { per_try_policies: vec![Arc::new(policy)], ..ClientOptions::default() };
/// # let http = reqwest::Client::builder().no_proxy().build().unwrap();
/// # let transport = Some(azure_core::http::Transport::new(Arc::new(http)));
/// # let options = ClientOptions { transport, ..options };
/// let pipeline = Pipeline::new(None, None, options, vec![], vec![], None);
/// let response = pipeline.send(&Context::new(), &mut Request::new(patients, Method::Get), None).await?;
/// assert_eq!(u16::from(response.status()), 200);
/// # Ok(()) }
/// ```
///
/// There it is within the pipeline's own retries, so that each has the token of its moment. Those repeat every method,
/// a `POST` too, up to 8 times on 408, 429, 500, 502, 503, 504 and broken connections, and wait as long as the service
/// asks: set [`RetryOptions`](azure_core::http::RetryOptions). This policy's own errors are not repeated.
///
/// # What it cannot do
///
/// * This pipeline keeps the values of headers as plain strings: none can be marked sensitive, and with
///   `azure_core`'s feature `debug` they are printed. Once a request is answered its `Authorization` header is
///   taken off, so that nothing that keeps the request keeps the token.
/// * The pipeline's own log has request paths, at `DEBUG`, and at `INFO` when a send fails.
/// * A transport of one's own may follow redirects; that of `azure_core` does not.
/// * To an `http` endpoint, which is one on this machine, the token goes in clear, and `azure_core`'s transport gives it
///   to the proxy that `HTTP_PROXY` names, unless `NO_PROXY` excepts this machine. Set a
///   [transport](azure_core::http::ClientOptions::transport) there that was built with `reqwest`'s
///   [`no_proxy`](https://docs.rs/reqwest/latest/reqwest/struct.ClientBuilder.html#method.no_proxy).
///
/// # Errors
///
/// One of this crate is a source of the pipeline's error, whose kind is
/// [`Credential`](azure_core::error::ErrorKind::Credential):
///
/// ```
/// # async fn refused(error: azure_core::Error) {
/// use std::{error::Error as _, iter::successors};
///
/// let mut causes = successors(error.source(), |&cause| cause.source());
/// if let Some(error) = causes.find_map(|cause| cause.downcast_ref::<azure_healthcare_auth::Error>()) {
///     println!("{:?}", error.kind());
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BearerPolicy<A: Audience>(Bearer<A>);

impl<A: Audience> BearerPolicy<A> {
    /// A policy that gets its values from `auth`.
    pub fn new(auth: Arc<dyn HealthcareAuth<Audience = A>>) -> Self {
        Self(Bearer(auth))
    }

    fn check_url(&self, request: &Request) -> Result<()> {
        self.0.audience().check_url(request.url())?;
        // Looking it up makes an error where there is none, which costs more than all the rest.
        let host = request.headers().iter().find(|(name, _)| name.as_str() == "host");
        host.map_or(Ok(()), |(_, host)| self.0.check_host(host.as_str().as_bytes()))
    }
}

#[async_trait]
#[allow(
    elided_lifetimes_in_paths,
    reason = "the trait elides it, and `async_trait` would tell the two apart"
)]
impl<A: Audience> Policy for BearerPolicy<A> {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some((first, rest)) = next.split_first() else {
            return Err(Error::with_message(
                ErrorKind::Other,
                "behind this policy there is nothing to send by",
            ));
        };
        self.check_url(request).map_err(error)?;
        let value = self.0.value().await.map_err(error)?;
        let text = text_of(&value).map_err(error)?;
        let response = send_with(text, context, request, first, rest).await?;
        if response.status() == StatusCode::Unauthorized
            && let Some(other) = self.0.renewed(&value).await
            && let Ok(text) = text_of(&other)
            && request.body_mut().reset().await.is_ok()
        {
            drop(response);
            return send_with(text, context, request, first, rest).await;
        }
        Ok(response)
    }
}

async fn send_with(
    text: String,
    context: &Context<'_>,
    request: &mut Request,
    first: &Arc<dyn Policy>,
    rest: &[Arc<dyn Policy>],
) -> PolicyResult {
    request.insert_header(AUTHORIZATION, text);
    let answer = first.send(context, request, rest).await;
    request.headers_mut().remove(AUTHORIZATION);
    answer
}

/// Ours as the source of the pipeline's.
fn error(error: crate::Error) -> Error {
    Error::new(ErrorKind::Credential, error)
}

/// The value as this pipeline takes it.
fn text_of(value: &HeaderValue) -> Result<String> {
    let text = str::from_utf8(value.as_bytes()).map(str::to_owned);
    text.map_err(|_| crate::Error::new(crate::ErrorKind::Credential, "the authorization value is not text"))
}
