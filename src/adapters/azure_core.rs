//! [`BearerPolicy`], a policy for `azure_core`'s pipeline.

use std::{fmt, sync::Arc};

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

/// A policy for the pipeline of [`azure_core`] that adds the token to each request.
///
/// Use it with clients that are generated in the Azure style. The [module documentation](crate::adapters) describes
/// what all adapters guarantee. Put the policy last in
/// [`ClientOptions::per_try_policies`](azure_core::http::ClientOptions::per_try_policies), or last among the policies
/// that a client library passes to its pipeline.
///
/// # Retries
///
/// In `per_try_policies`, the policy runs inside the pipeline's retries, so that each try carries the current token.
/// The pipeline retries every method, including `POST`, up to 8 times on 408, 429, 500, 502, 503, 504 and connection
/// failures, and waits as long as the service asks. Change that with [`RetryOptions`](azure_core::http::RetryOptions).
/// The pipeline does not retry errors of this policy.
///
/// # Limits
///
/// * The pipeline stores header values as plain strings: they cannot be marked sensitive, and `azure_core`'s feature
///   `debug` prints them. The policy removes the `Authorization` header from the request when the response arrives, so
///   that code that keeps the request does not keep the token.
/// * The pipeline's own log contains request paths, at `DEBUG`, and at `INFO` when a send fails.
/// * A custom transport may follow redirects. The transport of `azure_core` does not.
/// * The token is sent unencrypted to an `http` endpoint, which is on this machine. `azure_core`'s transport sends it
///   to the proxy that `HTTP_PROXY` names, unless `NO_PROXY` excludes this machine. For such an endpoint, set a
///   [transport](azure_core::http::ClientOptions::transport) that was built with `reqwest`'s
///   [`no_proxy`](https://docs.rs/reqwest/latest/reqwest/struct.ClientBuilder.html#method.no_proxy).
///
/// # Errors
///
/// The pipeline's error has the kind [`Credential`](azure_core::error::ErrorKind::Credential), and the error of this
/// crate is one of its sources.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use azure_core::http::{ClientOptions, Context, Method, Pipeline, Request};
/// use azure_healthcare_auth::{Authenticator, adapters::BearerPolicy};
/// # use azure_healthcare_auth_testing::FakeServer;
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
/// Finding the error of this crate:
///
/// ```
/// # fn print_kind(error: azure_core::Error) {
/// use std::{error::Error as _, iter::successors};
///
/// let mut sources = successors(error.source(), |&error| error.source());
/// if let Some(error) = sources.find_map(|error| error.downcast_ref::<azure_healthcare_auth::Error>()) {
///     println!("{:?}", error.kind());
/// }
/// # }
/// ```
pub struct BearerPolicy<A>(Bearer<A>);

impl<A: Audience> BearerPolicy<A> {
    /// Creates a policy that gets its authorization values from `auth`.
    #[must_use]
    pub fn new(auth: Arc<dyn HealthcareAuth<Audience = A>>) -> Self {
        Self(Bearer(auth))
    }

    fn check_request(&self, request: &Request) -> Result<()> {
        self.0.audience().check_url(request.url())?;
        // Iterates instead of calling `get_str`, because that builds a costly error if the header is missing.
        let host = request.headers().iter().find(|(name, _)| name.as_str() == "host");
        host.map_or(Ok(()), |(_, host)| self.0.check_host(host.as_str().as_bytes()))
    }
}

#[async_trait]
#[allow(
    elided_lifetimes_in_paths,
    reason = "the trait elides the lifetime, and `async_trait` treats an explicit one as a different signature"
)]
impl<A: Audience> Policy for BearerPolicy<A> {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some((first, rest)) = next.split_first() else {
            return Err(Error::with_message(
                ErrorKind::Other,
                "BearerPolicy is the last policy of the pipeline (add a transport after it)",
            ));
        };
        self.check_request(request).map_err(to_pipeline_error)?;
        let value = self.0.authorization().await.map_err(to_pipeline_error)?;
        let text = to_text(&value).map_err(to_pipeline_error)?;
        let response = send_with(text, context, request, first, rest).await?;
        if response.status() == StatusCode::Unauthorized
            && let Some(other) = self.0.refresh_rejected(&value).await
            && let Ok(text) = to_text(&other)
            && request.body_mut().reset().await.is_ok()
        {
            drop(response);
            return send_with(text, context, request, first, rest).await;
        }
        Ok(response)
    }
}

impl<A> Clone for BearerPolicy<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Audience> fmt::Debug for BearerPolicy<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BearerPolicy").field(&self.0).finish()
    }
}

async fn send_with(
    authorization: String,
    context: &Context<'_>,
    request: &mut Request,
    first: &Arc<dyn Policy>,
    rest: &[Arc<dyn Policy>],
) -> PolicyResult {
    request.insert_header(AUTHORIZATION, authorization);
    let response = first.send(context, request, rest).await;
    request.headers_mut().remove(AUTHORIZATION);
    response
}

fn to_pipeline_error(error: crate::Error) -> Error {
    Error::new(ErrorKind::Credential, error)
}

/// Converts the authorization value to a string, because the pipeline's headers are strings.
fn to_text(value: &HeaderValue) -> Result<String> {
    let text = str::from_utf8(value.as_bytes()).map(str::to_owned);
    text.map_err(|_| {
        crate::Error::new(crate::ErrorKind::Credential, "the authorization value is not valid UTF-8")
    })
}
