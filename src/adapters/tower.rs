//! [`BearerLayer`] and [`BearerService`]: for `tower`.

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

/// The error of a stack: one of this crate, or that of the service below, as it was.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A layer for [`tower`](tower_service) that puts the token on each [`http::Request`], and keeps it with its service.
///
/// [What it does](crate::adapters) is what all adapters do. The URI must be whole, with scheme and host, and is sent as
/// it stands: nothing in it is mended. `B` is the body of the requests.
///
/// ```
/// use azure_healthcare_auth::{Authenticator, adapters::BearerLayer};
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use std::sync::Arc;
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// # use azure_healthcare_auth::{Audience, testing::FakeServer};
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
/// # Where it goes
///
/// Next to what sends. `tower`'s retries, time-outs and limits work on its outside, and each repeat has the token of its
/// moment. A layer that follows redirects belongs outside too: there each step is checked, and one that leads out of the
/// audience is an error. On its inside it would take the token along.
///
/// The service below is called once for each time that it was ready, and asked anew before a request is sent again. It
/// is held ready while a token is waited for.
///
/// # Errors
///
/// The stack's error is a box: with an error of this crate, or with that of the service below, as it was.
///
/// ```
/// # fn told(error: Box<dyn std::error::Error + Send + Sync>) {
/// use azure_healthcare_auth::Error;
///
/// if let Some(error) = error.downcast_ref::<Error>() {
///     println!("{:?}: {error}", error.kind());
/// }
/// # }
/// ```
pub struct BearerLayer<A: Audience, B> {
    bearer: Bearer<A>,
    replay: fn(&B) -> Option<B>,
}

impl<A: Audience, B> BearerLayer<A, B> {
    /// A layer that gets its values from `auth`, for bodies that can be cloned.
    ///
    /// Each body is cloned before it is sent: cheap for `Full<Bytes>` and `Empty`, a copy for `String`.
    pub fn new(auth: Arc<dyn HealthcareAuth<Audience = A>>) -> Self
    where
        B: Clone,
    {
        Self::with_clone_body(auth, |body| Some(body.clone()))
    }

    /// The same for other bodies: `replay` makes one that can be sent in the place of a body, before that is sent.
    ///
    /// Where it gives `None`, the request is not sent again after a 401. An empty body can always be made again:
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, FhirAudience, adapters::BearerLayer};
    /// use http_body_util::combinators::BoxBody;
    /// use hyper::body::Body;
    /// use std::sync::Arc;
    ///
    /// fn layer(auth: Authenticator<FhirAudience>) -> BearerLayer<FhirAudience, BoxBody<bytes::Bytes, hyper::Error>> {
    ///     BearerLayer::with_clone_body(Arc::new(auth), |body| body.is_end_stream().then(BoxBody::default))
    /// }
    /// ```
    pub fn with_clone_body(auth: Arc<dyn HealthcareAuth<Audience = A>>, replay: fn(&B) -> Option<B>) -> Self {
        Self { bearer: Bearer(auth), replay }
    }
}

impl<S, A: Audience, B> Layer<S> for BearerLayer<A, B> {
    type Service = BearerService<S, A, B>;

    fn layer(&self, inner: S) -> Self::Service {
        BearerService { inner, layer: self.clone() }
    }
}

/// What a [`BearerLayer`] makes of the service below it.
///
/// It is to be named where a part of a program keeps its client:
///
/// ```
/// use azure_healthcare_auth::{Authenticator, FhirAudience, adapters::{BearerLayer, BearerService}};
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::{Client, connect::HttpConnector}, rt::TokioExecutor};
/// use std::sync::Arc;
/// use tower::{Layer, ServiceExt};
/// # use azure_healthcare_auth::{Audience, testing::FakeServer};
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
pub struct BearerService<S, A: Audience, B> {
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

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let layer = &self.layer;
        if let Err(error) = layer.check_url(&request) {
            return Box::pin(ready(Err(error.into())));
        }
        if let Some(value) = layer.bearer.cached_authorization() {
            return Box::pin(layer.send(&mut self.inner, request, value));
        }
        // The one that is ready is called, and its clone is asked the next time.
        let (layer, clone) = (layer.clone(), self.inner.clone());
        let mut inner = mem::replace(&mut self.inner, clone);
        Box::pin(async move {
            let value = layer.bearer.value().await?;
            layer.send(&mut inner, request, value).await
        })
    }
}

impl<A: Audience, B> BearerLayer<A, B> {
    fn check_url(&self, request: &Request<B>) -> crate::Result<()> {
        check_uri(self.bearer.audience().endpoint(), request.uri())?;
        self.bearer.check_url(request.method(), request.headers())
    }

    /// Calls `inner`, which is ready.
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
        let again = (self.replay)(&body).map(|body| Again {
            bearer: self.bearer.clone(),
            inner: inner.clone(),
            request: Request::from_parts(parts.clone(), body),
            refused: value.clone(),
        });
        parts.headers.insert(header::AUTHORIZATION, value);
        let answer = inner.call(Request::from_parts(parts, body));
        async move {
            let response = answer.await.map_err(Into::into)?;
            match again {
                // Boxed, so that the future of a request that is not refused stays small.
                Some(again) if response.status() == StatusCode::UNAUTHORIZED => {
                    Box::pin(again.send(response)).await
                }
                _ => Ok(response),
            }
        }
    }
}

/// What it takes to send a request in the place of one that was refused.
struct Again<S, A: Audience, B> {
    bearer: Bearer<A>,
    inner: S,
    request: Request<B>,
    refused: HeaderValue,
}

impl<S, A, B, R> Again<S, A, B>
where
    S: Service<Request<B>, Response = Response<R>, Error: Into<BoxError>>,
    A: Audience,
{
    /// The answer to it, or the refusal where there is no other value.
    async fn send(mut self, refusal: Response<R>) -> Result<Response<R>, BoxError> {
        let Some(other) = self.bearer.renewed(&self.refused).await else { return Ok(refusal) };
        // It may hold what the service has to have free in order to be ready.
        drop(refusal);
        poll_fn(|context| self.inner.poll_ready(context)).await.map_err(Into::into)?;
        self.request.headers_mut().insert(header::AUTHORIZATION, other);
        self.inner.call(self.request).await.map_err(Into::into)
    }
}

impl<A: Audience, B> Clone for BearerLayer<A, B> {
    fn clone(&self) -> Self {
        Self { bearer: self.bearer.clone(), replay: self.replay }
    }
}

impl<S: Clone, A: Audience, B> Clone for BearerService<S, A, B> {
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
        // What the service below shows is not known.
        f.debug_tuple("BearerService").field(&self.layer.bearer).finish()
    }
}
