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
        let arrived = head.uri.to_string();
        let (method, headers) = (head.method.clone(), head.headers.clone());
        let (response, fault) = self.check_and_respond(head, &target, body.clone(), &id).await;
        let (mut head, response_body) = response.into_parts();
        // The body of a fake service is complete in memory.
        let response_body = response_body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        self.add_headers(&mut head.headers, &headers, &id);
        // The target of `OPTIONS *` is no path.
        let url = Url::parse(&format!("{}{target}", self.origin)).or_else(|_| Url::parse(&self.origin));
        if let Ok(url) = url {
            let request = ReceivedRequest {
                service: self.service,
                method,
                target: arrived,
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

#[cfg(test)]
mod tests {
    use azure_core::credentials::TokenCredential;
    use serde_json::{Value, json};

    use super::*;
    use crate::{FakeCredential, RequestFilter};

    /// Returns the pipelines of a FHIR and a DICOM service whose routers respond with 200 and the target.
    fn pipelines() -> [Pipeline; 2] {
        let shared = Arc::new(Shared::default());
        [FakeService::Fhir, FakeService::Dicom].map(|service| Pipeline {
            service,
            origin: "http://here".to_owned(),
            audience: "http://here".to_owned(),
            challenge_format: ChallengeFormat::Managed,
            clock: Clock::default(),
            router: Router::new().fallback(async |request: http::Request<Body>| request.uri().to_string()),
            fallback: None,
            shared: shared.clone(),
        })
    }

    async fn bearer(credential: &FakeCredential) -> String {
        let token = credential.get_token(&["http://here/.default"], None).await.unwrap();
        format!("Bearer {}", token.token.secret())
    }

    /// Sends a request such as `GET /Patient` with a token of the credential.
    async fn send(pipeline: &Pipeline, line: &str, credential: &FakeCredential) -> http::Response<Bytes> {
        send_with(pipeline, line, "authorization", &bearer(credential).await).await
    }

    async fn send_with(pipeline: &Pipeline, line: &str, name: &str, value: &str) -> http::Response<Bytes> {
        let (method, target) = line.split_once(' ').unwrap();
        let request = http::Request::builder().method(method).uri(target).header(name, value);
        let (head, ()) = request.body(()).unwrap().into_parts();
        pipeline.respond(head, Bytes::new()).await.response
    }

    fn header<'a>(response: &'a http::Response<Bytes>, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn value(response: &http::Response<Bytes>) -> Value {
        serde_json::from_slice(response.body()).unwrap()
    }

    fn outcome(code: &str, diagnostics: &str) -> Value {
        let issue = json!([{"severity": "error", "code": code, "diagnostics": diagnostics}]);
        let id = "00000000-0000-4000-8000-000000000001";
        json!({"resourceType": "OperationOutcome", "id": id, "issue": issue})
    }

    fn invalid_token(description: &str) -> String {
        format!(r#"Bearer error="invalid_token", error_description="{description}""#)
    }

    #[tokio::test]
    async fn rejected_tokens_get_the_error_response_of_each_service() {
        let new = FakeCredential::new;
        for (credential, status, challenge) in [
            (new(), 200, String::new()),
            (new().with_audience("http://other"), 401, invalid_token("The audience is invalid")),
            (new().with_audience("http://here/"), 401, invalid_token("The audience is invalid")),
            (new().expired(), 401, invalid_token("The token is expired")),
            (new().with_lifetime(Duration::ZERO), 401, invalid_token("The token is expired")),
            (new().with_tenant("other"), 401, invalid_token("The issuer is invalid")),
            (new().without_role(), 403, String::new()),
        ] {
            let [fhir, dicom] = pipelines();
            let fhir_response = send(&fhir, "GET /Patient", &credential).await;
            let dicom_response = send(&dicom, "GET /v2/changefeed", &credential).await;
            for response in [&fhir_response, &dicom_response] {
                assert_eq!(
                    (response.status().as_u16(), header(response, "www-authenticate")),
                    (status, &*challenge)
                );
            }
            match status {
                401 => assert_eq!(value(&fhir_response), outcome("login", "Authentication failed.")),
                403 => assert_eq!(value(&fhir_response), outcome("forbidden", "Authorization failed.")),
                _ => continue,
            }
            let text = if status == 401 { "" } else { "Authorization failed." };
            assert_eq!(dicom_response.body(), text);
        }
    }

    #[tokio::test]
    async fn faults_get_the_error_response_of_each_service() {
        let status = |status| Fault::Status(StatusCode::from_u16(status).unwrap());
        for (fault, status, code, text, challenge) in [
            (Fault::WrongAudience, 401, "login", "", invalid_token("The audience is invalid")),
            (Fault::Expired, 401, "login", "", invalid_token("The token is expired")),
            (Fault::NotYetValid, 401, "login", "", invalid_token("The token is not valid yet")),
            (Fault::WrongTenant, 401, "login", "", invalid_token("The issuer is invalid")),
            (Fault::InvalidSignature, 401, "login", "", invalid_token("The signature is invalid")),
            (Fault::UnknownKey, 401, "login", "", invalid_token("The signature key was not found")),
            (Fault::MissingRole, 403, "forbidden", "Authorization failed.", String::new()),
            (Fault::Throttled(Duration::from_secs(2)), 429, "throttled", "", String::new()),
            (status(503), 503, "exception", "Service Unavailable", String::new()),
            (status(424), 424, "processing", "Failed Dependency", String::new()),
        ] {
            let [fhir, dicom] = pipelines();
            fhir.shared.faults().add(2.into(), fault.clone());
            let fhir_response = send(&fhir, "GET /Patient", &FakeCredential::new()).await;
            let dicom_response = send(&dicom, "GET /v1/changefeed", &FakeCredential::new()).await;
            for response in [&fhir_response, &dicom_response] {
                assert_eq!(response.status().as_u16(), status, "{fault:?}");
                assert_eq!(header(response, "www-authenticate"), challenge);
                assert_eq!(header(response, "retry-after"), if status == 429 { "2" } else { "" });
            }
            assert_eq!(value(&fhir_response)["issue"][0]["code"], code, "{fault:?}");
            assert_eq!(dicom_response.body(), text, "{fault:?}");
            assert_eq!(send(&fhir, "GET /Patient", &FakeCredential::new()).await.status(), StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn token_is_checked_before_throttling_and_throttling_before_roles() {
        let [fhir, _] = pipelines();
        fhir.shared.faults().add(1.into(), Fault::Throttled(Duration::from_secs(1)));
        let [expired, without_role] = [FakeCredential::new().expired(), FakeCredential::new().without_role()];
        for public in ["GET /metadata", "GET /.well-known/smart-configuration?x=y"] {
            assert_eq!(send_with(&fhir, public, "x", "y").await.status(), StatusCode::OK);
        }
        for (credential, status) in [(&expired, 401), (&without_role, 429), (&without_role, 403)] {
            assert_eq!(send(&fhir, "GET /Patient", credential).await.status().as_u16(), status);
        }
    }

    #[tokio::test]
    async fn fault_applies_only_to_the_requests_that_its_filter_selects() {
        let [fhir, dicom] = pipelines();
        let filter = RequestFilter::nth(2).service(FakeService::Fhir).path_prefix("/Patient/");
        fhir.shared.faults().add(filter, Fault::MissingRole);
        let mut statuses = Vec::new();
        for (service, line) in [
            (&fhir, "GET /Patient/1"),
            (&fhir, "GET /Patient"),
            (&dicom, "GET /Patient/1"),
            (&fhir, "GET /Patient/1"),
            (&fhir, "GET /Patient/1"),
        ] {
            statuses.push(send(service, line, &FakeCredential::new()).await.status().as_u16());
        }
        assert_eq!(statuses, [200, 200, 200, 403, 200]);
    }

    #[tokio::test]
    async fn roles_decide_which_requests_are_allowed() {
        let [fhir, _] = pipelines();
        let reader = FakeCredential::new().with_roles(&["FHIR Data Reader"]);
        for (line, status) in [("GET /Patient", 200), ("POST /Patient/_search", 200), ("POST /Patient", 403)]
        {
            assert_eq!(send(&fhir, line, &reader).await.status().as_u16(), status, "{line}");
        }
    }

    #[tokio::test]
    async fn requests_that_exceed_a_limit_are_rejected_before_the_token_is_checked() {
        let [fhir, dicom] = pipelines();
        for service in [fhir, dicom] {
            let long = format!("GET /{}", "a".repeat(9_000));
            assert_eq!(send_with(&service, &long, "x", "y").await.status(), StatusCode::URI_TOO_LONG);
            let large = send_with(&service, "GET /", "x", &"y".repeat(40_000)).await;
            assert_eq!(large.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        }
    }

    #[tokio::test]
    async fn only_the_fhir_service_returns_request_ids() {
        let [fhir, dicom] = pipelines();
        let first = send_with(&fhir, "GET /Patient", "x-request-id", "mine").await;
        assert_eq!(header(&first, "x-request-id"), "00000000-0000-4000-8000-000000000001");
        assert_eq!(header(&first, "x-correlation-id"), "mine");
        fhir.shared.requests().clear();
        let second = send_with(&fhir, "GET /Patient", "x", "y").await;
        assert_eq!(header(&second, "x-request-id"), "00000000-0000-4000-8000-000000000002");
        assert_eq!(header(&second, "x-correlation-id"), "");
        let dicom = send_with(&dicom, "GET /v2/changefeed", "x-request-id", "mine").await;
        assert_eq!((header(&dicom, "x-request-id"), header(&dicom, "x-correlation-id")), ("", ""));
    }

    #[tokio::test]
    async fn date_is_that_of_the_services_clock() {
        let [mut fhir, _] = pipelines();
        fhir.clock = Clock::of(|| std::time::SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_900));
        let response = send_with(&fhir, "GET /metadata", "x", "y").await;
        assert_eq!(header(&response, "date"), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[tokio::test]
    async fn fallback_handles_only_unsupported_requests_that_passed_the_checks() {
        let [mut fhir, _] = pipelines();
        fhir.router = Router::new()
            .route("/known", axum::routing::get(async || StatusCode::NOT_FOUND))
            .fallback(async || (axum::Extension(Unsupported), StatusCode::NOT_IMPLEMENTED));
        fhir.fallback = Some(Arc::new(|service, request| {
            let body = format!("{service:?} {}", request.uri().path());
            (request.uri().path() != "/other").then(|| http::Response::new(body.into()))
        }));
        for (line, status, body) in
            [("GET /known", 404, ""), ("GET /unknown?a=b", 200, "Fhir /unknown"), ("GET /other", 501, "")]
        {
            let response = send(&fhir, line, &FakeCredential::new()).await;
            assert_eq!(
                (response.status().as_u16(), &response.body()[..]),
                (status, body.as_bytes()),
                "{line}"
            );
        }
        assert_eq!(send(&fhir, "GET /unknown", &FakeCredential::new().expired()).await.status(), 401);
    }

    #[tokio::test]
    async fn values_with_unprintable_characters_are_sent_with_question_marks() {
        let mut headers = http::HeaderMap::new();
        insert(&mut headers, header::WWW_AUTHENTICATE, "a\r\nb\u{e9}\0 ~");
        assert_eq!(headers["www-authenticate"], "a??b?? ~");
    }

    #[test]
    fn retry_delay_is_rounded_to_seconds_but_never_to_zero() {
        for (millis, seconds) in [(0, 0), (1, 1), (1_499, 1), (1_500, 2), (60_000, 60)] {
            assert_eq!(retry_after(Duration::from_millis(millis)), seconds);
        }
    }
}
