//! [`FakeService`]: checks a request, responds to it and records it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderName, StatusCode, header};
use wiremock::Request;

use super::{
    dicom,
    fault::{Fault, Faults},
    feed::Feed,
    fhir,
    gate::{self, ChallengeFormat, Rejection},
    received::ReceivedRequest,
    response::FakeResponse,
    role,
    store::Store,
};
use crate::{ServiceKind, clock::Clock};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// One of the two services.
pub(super) struct FakeService {
    pub(super) service: ServiceKind,
    /// The origin of the service, without a trailing slash.
    pub(super) origin: String,
    /// The expected `aud` claim.
    pub(super) audience: String,
    pub(super) challenge_format: ChallengeFormat,
    pub(super) clock: Clock,
    pub(super) shared: Arc<Shared>,
}

/// The state that both services share.
pub(super) struct Shared(Mutex<State>);

pub(super) struct State {
    store: Store,
    feed: Feed,
    pub(super) faults: Faults,
    pub(super) received: Vec<ReceivedRequest>,
}

impl Shared {
    pub(super) fn new(store: Store, feed: Feed) -> Self {
        Self(Mutex::new(State { store, feed, faults: Faults::default(), received: Vec::new() }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in another thread cannot leave the state inconsistent, because every change is one assignment or one
        // push.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeService {
    pub(super) fn respond_and_record(&self, request: Request) -> FakeResponse {
        // Read the clock before locking, because a test's clock may call `FakeServer::received`.
        let now = self.clock.unix();
        let mut state = self.shared.lock();
        let response = self.respond(&mut state, &request, now);
        let Request { url, method, headers, body } = request;
        let (service, status) = (self.service, response.status);
        state.received.push(ReceivedRequest { service, method, url, headers, body, status });
        response
    }

    fn respond(&self, state: &mut State, request: &Request, now: u64) -> FakeResponse {
        let id = format!("00000000-0000-4000-8000-{:012x}", state.received.len() + 1);
        let response = self.check_and_respond(state, request, now, &id);
        if self.service != ServiceKind::Fhir {
            return response;
        }
        // Only the FHIR service returns a request id, and the caller's own id as a correlation id.
        let response = response.with(REQUEST_ID, &id);
        match request.headers.get(&REQUEST_ID).and_then(|given| given.to_str().ok()) {
            Some(given) => response.with(CORRELATION_ID, given),
            None => response,
        }
    }

    /// Responds after the checks, in the order of the real services: token, load, role.
    fn check_and_respond(&self, state: &mut State, request: &Request, now: u64, id: &str) -> FakeResponse {
        let fhir = self.service == ServiceKind::Fhir;
        if fhir && fhir::needs_no_token(request) {
            return fhir::metadata();
        }
        let claims = match gate::check_token(&request.headers, &self.audience, now) {
            Ok(claims) => claims,
            Err(rejection) => return self.unauthorized(&rejection, id),
        };
        let fault = state.faults.take();
        if let Some(response) = fault.as_ref().and_then(|fault| self.fault_response(fault, now, id)) {
            return response;
        }
        let response = if !claims.roles().any(|role| role::allows(role, self.service, request)) {
            self.error_response(StatusCode::FORBIDDEN, id)
        } else if fhir {
            fhir::respond(&mut state.store, &self.origin, request, id)
        } else {
            dicom::respond(&state.feed, request)
        };
        match fault {
            Some(fault) => fault.apply(response),
            None => response,
        }
    }

    /// Returns the response that a fault causes, or `None` if the fault does not replace the normal response.
    fn fault_response(&self, fault: &Fault, now: u64, id: &str) -> Option<FakeResponse> {
        Some(match fault {
            Fault::MissingRole => self.error_response(StatusCode::FORBIDDEN, id),
            Fault::Throttled(wait) => {
                self.error_response(StatusCode::TOO_MANY_REQUESTS, id).with_retry_after(*wait)
            }
            Fault::Status(status) => self.error_response(*status, id),
            _ => self.unauthorized(&fault.rejection(&self.audience, now)?, id),
        })
    }

    fn unauthorized(&self, rejection: &Rejection, id: &str) -> FakeResponse {
        let challenge = rejection.challenge(self.challenge_format, &self.audience);
        self.error_response(StatusCode::UNAUTHORIZED, id).with(header::WWW_AUTHENTICATE, &challenge)
    }

    fn error_response(&self, status: StatusCode, id: &str) -> FakeResponse {
        match self.service {
            ServiceKind::Fhir => fhir::error_response(status, id),
            ServiceKind::Dicom => dicom::error_response(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use azure_core::credentials::TokenCredential;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{FakeCredential, response::request, seed::Seeds};

    const ID: &str = "00000000-0000-4000-8000-000000000001";

    /// Creates both services with shared state.
    fn services() -> [FakeService; 2] {
        let seeds = Seeds::default();
        let shared = Arc::new(Shared::new(Store::new(1, &seeds), Feed::new(1, seeds.instances)));
        [ServiceKind::Fhir, ServiceKind::Dicom].map(|service| FakeService {
            service,
            origin: "http://here".to_owned(),
            audience: "http://here".to_owned(),
            challenge_format: ChallengeFormat::Managed,
            clock: Clock::default(),
            shared: shared.clone(),
        })
    }

    async fn send(service: &FakeService, line: &str, credential: &FakeCredential) -> FakeResponse {
        let token = credential.get_token(&["http://here/.default"], None).await.unwrap();
        let mut request = request(line, "");
        let value = format!("Bearer {}", token.token.secret()).parse().unwrap();
        request.headers.insert(header::AUTHORIZATION, value);
        service.respond(&mut service.shared.lock(), &request, service.clock.unix())
    }

    fn outcome(code: &str, diagnostics: &str) -> Value {
        let issue = json!([{"severity": "error", "code": code, "diagnostics": diagnostics}]);
        json!({"resourceType": "OperationOutcome", "id": ID, "issue": issue})
    }

    #[tokio::test]
    async fn rejected_tokens_get_the_error_response_of_each_service() {
        let new = FakeCredential::new;
        let token =
            |description| format!(r#"Bearer error="invalid_token", error_description="{description}""#);
        for (credential, status, challenge) in [
            (new(), 200, String::new()),
            (new().with_audience("http://other"), 401, token("The audience is invalid")),
            (new().with_audience("http://here/"), 401, token("The audience is invalid")),
            (new().expired(), 401, token("The token is expired")),
            (new().with_lifetime(Duration::ZERO), 401, token("The token is expired")),
            (new().with_tenant("other"), 401, token("The issuer is invalid")),
            (new().without_role(), 403, String::new()),
        ] {
            let [fhir, dicom] = services();
            let fhir_response = send(&fhir, "GET /Patient", &credential).await;
            let dicom_response = send(&dicom, "GET /v2/changefeed", &credential).await;
            for response in [&fhir_response, &dicom_response] {
                assert_eq!(
                    (response.status.as_u16(), response.header("www-authenticate")),
                    (status, &*challenge)
                );
            }
            match status {
                401 => assert_eq!(fhir_response.value(), outcome("login", "Authentication failed.")),
                403 => assert_eq!(fhir_response.value(), outcome("forbidden", "Authorization failed.")),
                _ => continue,
            }
            let text = if status == 401 { "" } else { "Authorization failed." };
            assert_eq!(String::from_utf8(dicom_response.body).unwrap(), text);
        }
    }

    #[tokio::test]
    async fn faults_get_the_error_response_of_each_service() {
        let token =
            |description| format!(r#"Bearer error="invalid_token", error_description="{description}""#);
        let status = |status| Fault::Status(StatusCode::from_u16(status).unwrap());
        for (fault, status, code, text, challenge) in [
            (Fault::WrongAudience, 401, "login", "", token("The audience is invalid")),
            (Fault::Expired, 401, "login", "", token("The token is expired")),
            (Fault::NotYetValid, 401, "login", "", token("The token is not valid yet")),
            (Fault::WrongTenant, 401, "login", "", token("The issuer is invalid")),
            (Fault::InvalidSignature, 401, "login", "", token("The signature is invalid")),
            (Fault::UnknownKey, 401, "login", "", token("The signature key was not found")),
            (Fault::MissingRole, 403, "forbidden", "Authorization failed.", String::new()),
            (Fault::Throttled(Duration::from_secs(2)), 429, "throttled", "", String::new()),
            (status(503), 503, "exception", "Service Unavailable", String::new()),
            (status(424), 424, "processing", "Failed Dependency", String::new()),
        ] {
            let [fhir, dicom] = services();
            fhir.shared.lock().faults.add(2, fault.clone());
            let fhir_response = send(&fhir, "GET /Patient", &FakeCredential::new()).await;
            let dicom_response = send(&dicom, "GET /v1/changefeed", &FakeCredential::new()).await;
            for response in [&fhir_response, &dicom_response] {
                assert_eq!(response.status.as_u16(), status, "{fault:?}");
                assert_eq!(response.header("www-authenticate"), challenge);
                assert_eq!(response.header("retry-after"), if status == 429 { "2" } else { "" });
            }
            assert_eq!(fhir_response.value()["issue"][0]["code"], code, "{fault:?}");
            assert_eq!(String::from_utf8(dicom_response.body).unwrap(), text, "{fault:?}");
            assert_eq!(send(&fhir, "GET /Patient", &FakeCredential::new()).await.status, StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn token_is_checked_before_throttling_and_throttling_before_roles() {
        let [fhir, _] = services();
        fhir.shared.lock().faults.add(1, Fault::Throttled(Duration::from_secs(1)));
        let [expired, without_role] = [FakeCredential::new().expired(), FakeCredential::new().without_role()];
        let metadata = fhir.respond(&mut fhir.shared.lock(), &request("GET /metadata", ""), 0);
        assert_eq!(metadata.status, StatusCode::OK);
        for (credential, status) in [(&expired, 401), (&without_role, 429), (&without_role, 403)] {
            assert_eq!(send(&fhir, "GET /Patient", credential).await.status.as_u16(), status);
        }
    }

    #[tokio::test]
    async fn reader_role_cannot_create_resources() {
        let [fhir, _] = services();
        let reader = FakeCredential::new().with_roles(&["FHIR Data Reader"]);
        for (line, status) in [("GET /Patient", 200), ("POST /Patient/_search", 200), ("POST /Patient", 403)]
        {
            assert_eq!(send(&fhir, line, &reader).await.status.as_u16(), status, "{line}");
        }
    }

    #[test]
    fn only_the_fhir_service_returns_request_ids() {
        let [fhir, dicom] = services();
        let mut request = request("GET /Patient", "");
        let send = |service: &FakeService, request: &Request| {
            service.respond(&mut service.shared.lock(), request, 0)
        };
        assert_eq!(send(&fhir, &request).header("x-request-id"), ID);
        assert_eq!(send(&fhir, &request).header("x-correlation-id"), "");
        request.headers.insert(REQUEST_ID, "mine".parse().unwrap());
        assert_eq!(send(&fhir, &request).header("x-correlation-id"), "mine");
        assert_eq!(send(&dicom, &request).header("x-request-id"), "");
    }
}
