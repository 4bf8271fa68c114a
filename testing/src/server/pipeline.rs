//! [`Pipeline`]: what happens to a request before and after a service handles it.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, response::Response};
use azure_core::time::{OffsetDateTime, to_rfc7231};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use tower::ServiceExt;
use url::Url;

use super::{limits, request::ReceivedRequest};
use crate::{
    clock::Clock,
    context::{Caller, RequestId, Unsupported},
    dicom,
    fault::{Fault, Faults, RequestLine},
    fhir,
    service::FakeService,
    storage,
    token::{self, ChallengeFormat, Rejection},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");

/// A handler for requests that the fake does not support.
pub(super) type Fallback =
    Arc<dyn Fn(FakeService, &http::Request<Bytes>) -> Option<http::Response<Bytes>> + Send + Sync>;

/// The checks around a service, in the order of the real services: size, token, load, role.
pub(super) struct Pipeline {
    pub(super) service: FakeService,
    /// The origin of the service, without a trailing slash.
    pub(super) origin: String,
    /// The expected `aud` claim.
    pub(super) audience: String,
    pub(super) challenge_format: ChallengeFormat,
    pub(super) clock: Clock,
    pub(super) router: Router,
    pub(super) fallback: Option<Fallback>,
    pub(super) shared: Arc<Shared>,
}

/// The state that all services share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) faults: Arc<Mutex<Faults>>,
    requests: Mutex<Vec<ReceivedRequest>>,
    /// The number of requests so far, including those that a test has cleared.
    count: AtomicU64,
}

/// A complete response and how it is sent.
pub(super) struct Reply {
    pub(super) response: http::Response<Bytes>,
    /// The time to wait before the response is sent.
    pub(super) delay: Duration,
    /// Set if the connection is closed in the middle of the response.
    pub(super) truncated: bool,
}

impl Shared {
    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        // A panic in another thread cannot leave the state inconsistent, because every change is one push or removal.
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn requests(&self) -> MutexGuard<'_, Vec<ReceivedRequest>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipeline {
    /// Responds to a request and records it.
    pub(super) async fn respond(&self, head: Parts, body: Bytes) -> Reply {
        let id =
            format!("00000000-0000-4000-8000-{:012x}", self.shared.count.fetch_add(1, Ordering::Relaxed) + 1);
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let (method, headers) = (head.method.clone(), head.headers.clone());
        let (response, fault) = self.check_and_respond(head, &target, body.clone(), &id).await;
        let (mut head, response_body) = response.into_parts();
        // The body of a fake service is complete in memory.
        let response_body = response_body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        self.add_headers(&mut head.headers, &headers, &id);
        // An invalid target has no URL. `hyper` accepts only valid ones, so the fallback is not reached.
        let url = Url::parse(&format!("{}{target}", self.origin)).or_else(|_| Url::parse(&self.origin));
        if let Ok(url) = url {
            let request = ReceivedRequest {
                service: self.service,
                method,
                target,
                url,
                headers,
                body: body.into(),
                status: head.status,
            };
            self.shared.requests().push(request);
        }
        Reply {
            response: http::Response::from_parts(head, response_body),
            delay: if let Some(Fault::Delay(delay)) = fault { delay } else { Duration::ZERO },
            truncated: fault == Some(Fault::TruncatedBody),
        }
    }

    fn add_headers(&self, response: &mut http::HeaderMap, request: &http::HeaderMap, id: &str) {
        let now = OffsetDateTime::from(self.clock.now());
        insert(response, header::DATE, &to_rfc7231(&now));
        // Only the FHIR service returns a request id, and the caller's own id as a correlation id.
        if self.service == FakeService::Fhir {
            insert(response, REQUEST_ID, id);
            if let Some(given) = request.get(&REQUEST_ID) {
                response.insert(CORRELATION_ID, given.clone());
            }
        }
    }

    /// Returns the response and the fault that applies to it.
    async fn check_and_respond(
        &self,
        head: Parts,
        target: &str,
        body: Bytes,
        id: &str,
    ) -> (Response, Option<Fault>) {
        if let Some(status) = limits::check_head(&head) {
            return (self.error_response(status, id), None);
        }
        let mut caller = Caller::default();
        let mut fault = None;
        if !self.needs_no_token(&head.method, head.uri.path()) {
            // Read the clock before locking, because a test's clock may call a method of the fake server.
            let now = self.clock.unix();
            let claims = match token::check_token(&head.headers, &self.audience, now) {
                Ok(claims) => claims,
                Err(rejection) => return (self.unauthorized(&rejection, id), None),
            };
            let line = RequestLine {
                service: self.service,
                method: &head.method,
                path: head.uri.path(),
                in_bundle: false,
            };
            fault = self.shared.faults().take(&line);
            if let Some(response) = fault.as_ref().and_then(|fault| self.fault_response(fault, now, id)) {
                return (response, fault);
            }
            caller.roles = claims.roles().map(str::to_owned).collect();
            if !token::role::allows(&caller.roles, self.service, &head.method, target) {
                return (self.error_response(StatusCode::FORBIDDEN, id), fault);
            }
        }
        if let Some(status) = limits::check_body(self.service, body.len()) {
            return (self.error_response(status, id), fault);
        }
        (self.dispatch(head, body, caller, id).await, fault)
    }

    async fn dispatch(&self, mut head: Parts, body: Bytes, caller: Caller, id: &str) -> Response {
        head.extensions.insert(caller);
        head.extensions.insert(RequestId(id.to_owned()));
        let request = http::Request::from_parts(head, body);
        let response = match self.router.clone().oneshot(request.clone().map(Body::from)).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let unsupported = response.extensions().get::<Unsupported>().is_some();
        let fallback = self.fallback.as_ref().filter(|_| unsupported);
        match fallback.and_then(|fallback| fallback(self.service, &request)) {
            Some(other) => other.map(Body::from),
            None => response,
        }
    }

    fn needs_no_token(&self, method: &Method, path: &str) -> bool {
        self.service == FakeService::Fhir && fhir::needs_no_token(method, path)
    }

    /// Returns the response that a fault causes, or `None` if the fault does not replace the normal response.
    fn fault_response(&self, fault: &Fault, now: u64, id: &str) -> Option<Response> {
        Some(match fault {
            Fault::MissingRole => self.error_response(StatusCode::FORBIDDEN, id),
            Fault::Throttled(wait) => {
                let mut response = self.error_response(StatusCode::TOO_MANY_REQUESTS, id);
                insert(response.headers_mut(), RETRY_AFTER_MS, &wait.as_millis().to_string());
                insert(response.headers_mut(), header::RETRY_AFTER, &retry_after(*wait).to_string());
                response
            }
            Fault::Status(status) => self.error_response(*status, id),
            _ => self.unauthorized(&fault.rejection(&self.audience, now)?, id),
        })
    }

    fn unauthorized(&self, rejection: &Rejection, id: &str) -> Response {
        let challenge = rejection.challenge(self.challenge_format, &self.audience);
        let mut response = self.error_response(StatusCode::UNAUTHORIZED, id);
        insert(response.headers_mut(), header::WWW_AUTHENTICATE, &challenge);
        response
    }

    fn error_response(&self, status: StatusCode, id: &str) -> Response {
        match self.service {
            FakeService::Fhir => fhir::error_response(status, id),
            FakeService::Dicom => dicom::error_response(status),
            FakeService::Storage => storage::error_response(status),
        }
    }
}

/// Sets a header. Characters other than printable ASCII become `?`, because some values contain parts of a token.
fn insert(headers: &mut http::HeaderMap, name: HeaderName, value: &str) {
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    if let Ok(value) = HeaderValue::try_from(value.chars().map(printable).collect::<String>()) {
        headers.insert(name, value);
    }
}

/// Rounds to whole seconds as the services do: zero stays 0, and anything else becomes at least 1.
fn retry_after(wait: Duration) -> u128 {
    if wait.is_zero() { 0 } else { ((wait.as_millis() + 500) / 1_000).max(1) }
}
