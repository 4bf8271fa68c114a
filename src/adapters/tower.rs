//! [`BearerLayer`] and [`BearerService`], for `tower`.

use std::{
    fmt,
    future::{Future, poll_fn, ready},
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, StatusCode, header};
use tower_layer::Layer;
use tower_service::Service;

use super::Bearer;
use crate::{Audience, HealthcareAuth, audience::check_uri};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A [`Layer`] that adds the token to each [`http::Request`].
///
/// `B` is the body type of the requests. The [module documentation](crate::adapters) describes what all adapters
/// guarantee. The URI of a request must have a scheme and a host. It is sent unchanged.
///
/// # Placement
///
/// Put the layer next to the client. `tower`'s retries, timeouts and limits work outside it, and each retry carries the
/// current token. A layer that follows redirects belongs outside too. There, each redirect is checked, and one that
/// leaves the audience is an error. Inside, the redirect would carry the token to the new URL.
///
/// The layer calls the inner service at most once per successful `poll_ready`, and polls a clone for readiness before a
/// replay. While a token is fetched, the inner service stays reserved, including any concurrency permit.
///
/// # Errors
///
/// The stack's error is a box that contains an error of this crate, or the unchanged error of the inner service.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use azure_healthcare_auth::{Authenticator, adapters::BearerLayer};
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// # use azure_healthcare_auth::{};
/// # use azure_healthcare_auth_testing::FakeServer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # let fake_server = FakeServer::start().await;
/// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
/// # let patients = audience.url("Patient")?.to_string();
/// let authenticator = Authenticator::new(audience, credential);
/// let mut client = ServiceBuilder::new()
///     .layer(BearerLayer::new(Arc::new(authenticator)))
///     .service(Client::builder(TokioExecutor::new()).build_http());
/// let request = http::Request::get(patients).body(Empty::<bytes::Bytes>::new())?;
/// let response = client.ready().await?.call(request).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(()) }
/// ```
///
/// Finding the error of this crate:
///
/// ```
/// # fn print_kind(error: Box<dyn std::error::Error + Send + Sync>) {
/// use azure_healthcare_auth::Error;
///
/// if let Some(error) = error.downcast_ref::<Error>() {
///     println!("{:?}: {error}", error.kind());
/// }
/// # }
/// ```
pub struct BearerLayer<A, B> {
    bearer: Bearer<A>,
    clone_body: fn(&B) -> Option<B>,
}

impl<A: Audience, B> BearerLayer<A, B> {
    /// Creates a layer for bodies that implement [`Clone`].
    ///
    /// The layer clones each body before it sends it. That is cheap for `Full<Bytes>` and `Empty`, and a copy for
    /// `String`.
    #[must_use]
    pub fn new(auth: Arc<dyn HealthcareAuth<Audience = A>>) -> Self
    where
        B: Clone,
    {
        Self::with_clone_body(auth, |body| Some(body.clone()))
    }

    /// Creates a layer that copies bodies with `clone_body`.
    ///
    /// The layer calls `clone_body` before it sends a request. If it returns `None`, the request is not replayed after
    /// a 401.
    ///
    /// # Examples
    ///
    /// An empty body can be created again, whatever its type:
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use azure_healthcare_auth::{Authenticator, FhirAudience, adapters::BearerLayer};
    /// use http_body_util::combinators::BoxBody;
    /// use hyper::body::Body;
    ///
    /// fn layer(auth: Authenticator<FhirAudience>) -> BearerLayer<FhirAudience, BoxBody<bytes::Bytes, hyper::Error>> {
    ///     BearerLayer::with_clone_body(Arc::new(auth), |body| body.is_end_stream().then(BoxBody::default))
    /// }
    /// ```
    #[must_use]
    pub fn with_clone_body(
        auth: Arc<dyn HealthcareAuth<Audience = A>>,
        clone_body: fn(&B) -> Option<B>,
    ) -> Self {
        Self { bearer: Bearer(auth), clone_body }
    }
}

impl<S, A, B> Layer<S> for BearerLayer<A, B> {
    type Service = BearerService<S, A, B>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerService { inner, layer: self.clone() }
    }
}

/// A [`Service`] that adds the token to each request. Created by [`BearerLayer`].
///
/// # Examples
///
/// A struct that stores its client has to name this type:
///
/// ```
/// use std::sync::Arc;
///
/// use azure_healthcare_auth::{Authenticator, FhirAudience, adapters::{BearerLayer, BearerService}};
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::{Client, connect::HttpConnector}, rt::TokioExecutor};
/// use tower::{Layer, ServiceExt};
/// # use azure_healthcare_auth::{};
/// # use azure_healthcare_auth_testing::FakeServer;
///
/// type Body = Empty<bytes::Bytes>;
///
/// struct Records {
///     fhir: BearerService<Client<HttpConnector, Body>, FhirAudience, Body>,
/// }
///
/// impl Records {
///     fn new(auth: Authenticator<FhirAudience>) -> Self {
///         let http = Client::builder(TokioExecutor::new()).build_http();
///         Self { fhir: BearerLayer::new(Arc::new(auth)).layer(http) }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// # let fake_server = FakeServer::start().await;
/// # let (audience, credential) = (fake_server.fhir(), fake_server.credential());
/// # let patients = audience.url("Patient")?.to_string();
/// let records = Records::new(Authenticator::new(audience, credential));
/// let request = http::Request::get(patients).body(Body::new())?;
/// let response = records.fhir.clone().oneshot(request).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(()) }
/// ```
pub struct BearerService<S, A, B> {
    inner: S,
    layer: BearerLayer<A, B>,
}

impl<S, A, B, R> Service<Request<B>> for BearerService<S, A, B>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
    A: Audience,
    B: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let layer = &self.layer;
        if let Err(error) = layer.check_request(&request) {
            return Box::pin(ready(Err(error.into())));
        }
        if let Some(value) = layer.bearer.cached_authorization() {
            return Box::pin(layer.send(&mut self.inner, request, value));
        }
        // The future takes the ready service and leaves a clone, because a clone may not be ready.
        let (layer, clone) = (layer.clone(), self.inner.clone());
        let mut inner = mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let value = layer.bearer.authorization().await?;
            layer.send(&mut inner, request, value).await
        })
    }
}

impl<A: Audience, B> BearerLayer<A, B> {
    fn check_request(&self, request: &Request<B>) -> crate::Result<()> {
        check_uri(self.bearer.audience().endpoint(), request.uri())?;
        self.bearer.check_head(request.method(), request.headers())
    }

    /// Calls `inner`, which must be ready.
    fn send<S, R>(
        &self,
        inner: &mut S,
        request: Request<B>,
        value: HeaderValue,
    ) -> impl Future<Output = Result<Response<R>, BoxError>> + use<S, A, B, R>
    where
        S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>> + Clone,
    {
        let (mut parts, body) = request.into_parts();
        let replay = (self.clone_body)(&body).map(|body| Replay {
            bearer: self.bearer.clone(),
            inner: inner.clone(),
            request: Request::from_parts(parts.clone(), body),
            rejected: value.clone(),
        });
        parts.headers.insert(header::AUTHORIZATION, value);
        let response = inner.call(Request::from_parts(parts, body));
        async move {
            let response = response.await.map_err(Into::into)?;
            match replay {
                // Boxed to keep the future of a request that is not replayed small.
                Some(replay) if response.status() == StatusCode::UNAUTHORIZED => {
                    Box::pin(replay.send(response)).await
                }
                _ => Ok(response),
            }
        }
    }
}

/// The parts that are needed to replay a request after a 401.
struct Replay<S, A, B> {
    bearer: Bearer<A>,
    inner: S,
    request: Request<B>,
    rejected: HeaderValue,
}

impl<S, A, B, R> Replay<S, A, B>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>>,
    A: Audience,
{
    /// Sends the request with another authorization value, or returns `response` if there is none.
    async fn send(mut self, response: Response<R>) -> Result<Response<R>, BoxError> {
        let Some(other) = self.bearer.refresh_rejected(&self.rejected).await else { return Ok(response) };
        // Dropped first, because the response may hold a permit or connection that the service needs to become ready.
        drop(response);
        poll_fn(|cx| self.inner.poll_ready(cx)).await.map_err(Into::into)?;
        self.request.headers_mut().insert(header::AUTHORIZATION, other);
        self.inner.call(self.request).await.map_err(Into::into)
    }
}

impl<A, B> Clone for BearerLayer<A, B> {
    fn clone(&self) -> Self {
        Self { bearer: self.bearer.clone(), clone_body: self.clone_body }
    }
}

impl<S: Clone, A, B> Clone for BearerService<S, A, B> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<A: Audience, B> fmt::Debug for BearerLayer<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BearerLayer").field(&self.bearer).finish()
    }
}

impl<S, A: Audience, B> fmt::Debug for BearerService<S, A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `S` may not implement `Debug`.
        f.debug_tuple("BearerService").field(&self.layer.bearer).finish()
    }
}
