//! [`Desk`]: takes a request in, checks it, has it answered and keeps the record.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderName, StatusCode, header};
use wiremock::Request;

use super::{
    answer::Answer,
    dicom,
    fault::{Fault, Faults},
    feed::Feed,
    fhir,
    gate::{self, ChallengeFormat, Refusal},
    received::ReceivedRequest,
    role,
    store::Store,
};
use crate::{ServiceKind, clock::Clock};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The front of one service.
pub(super) struct Desk {
    pub(super) service: ServiceKind,
    /// The origin of the service, without a slash at its end.
    pub(super) origin: String,
    /// What its tokens must be for.
    pub(super) audience: String,
    pub(super) wording: ChallengeFormat,
    pub(super) clock: Clock,
    pub(super) shared: Arc<Shared>,
}

/// What both services work on.
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
        // A panic elsewhere leaves nothing half done here: every change is one assignment or one push.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    pub(super) fn answer_and_record(&self, request: Request) -> Answer {
        // Before the lock: a test's own clock may look at what was received.
        let now = self.clock.unix();
        let mut state = self.shared.lock();
        let answer = self.answer(&mut state, &request, now);
        let Request { url, method, headers, body } = request;
        let (service, status) = (self.service, answer.status);
        state.received.push(ReceivedRequest { service, method, url, headers, body, status });
        answer
    }

    fn answer(&self, state: &mut State, request: &Request, now: u64) -> Answer {
        let id = format!("00000000-0000-4000-8000-{:012x}", state.received.len() + 1);
        let answer = self.admitted(state, request, now, &id);
        if self.service != ServiceKind::Fhir {
            return answer;
        }
        // Only the FHIR server names its requests, and gives back what the caller named its own.
        let answer = answer.with(REQUEST_ID, &id);
        match request.headers.get(&REQUEST_ID).and_then(|given| given.to_str().ok()) {
            Some(given) => answer.with(CORRELATION_ID, given),
            None => answer,
        }
    }

    /// The answer after the checks, in the services' order: the token, the load, the role.
    fn admitted(&self, state: &mut State, request: &Request, now: u64, id: &str) -> Answer {
        let fhir = self.service == ServiceKind::Fhir;
        if fhir && fhir::is_open(request) {
            return fhir::metadata();
        }
        let claims = match gate::admit(&request.headers, &self.audience, now) {
            Ok(claims) => claims,
            Err(refusal) => return self.unauthorized(&refusal, id),
        };
        let fault = state.faults.take();
        if let Some(answer) = fault.as_ref().and_then(|fault| self.instead(fault, now, id)) {
            return answer;
        }
        let answer = if !claims.roles().any(|role| role::allows(role, self.service, request)) {
            self.refuse(StatusCode::FORBIDDEN, id)
        } else if fhir {
            fhir::answer(&mut state.store, &self.origin, request, id)
        } else {
            dicom::answer(&state.feed, request)
        };
        match fault {
            Some(fault) => fault.on_the_way(answer),
            None => answer,
        }
    }

    /// What a fault has answered in place of what was asked for. `None` where it leaves that as it is.
    fn instead(&self, fault: &Fault, now: u64, id: &str) -> Option<Answer> {
        Some(match fault {
            Fault::MissingRole => self.refuse(StatusCode::FORBIDDEN, id),
            Fault::Throttled(wait) => self.refuse(StatusCode::TOO_MANY_REQUESTS, id).with_wait(*wait),
            Fault::Status(status) => self.refuse(*status, id),
            _ => self.unauthorized(&fault.refusal(&self.audience, now)?, id),
        })
    }

    fn unauthorized(&self, refusal: &Refusal, id: &str) -> Answer {
        let challenge = refusal.challenge(self.wording, &self.audience);
        self.refuse(StatusCode::UNAUTHORIZED, id).with(header::WWW_AUTHENTICATE, &challenge)
    }

    fn refuse(&self, status: StatusCode, id: &str) -> Answer {
        match self.service {
            ServiceKind::Fhir => fhir::refusal(status, id),
            ServiceKind::Dicom => dicom::refusal(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use azure_core::credentials::TokenCredential;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{FakeCredential, answer::request, seed::Seeds};

    const ID: &str = "00000000-0000-4000-8000-000000000001";

    /// Both services, with the same things behind them.
    fn desks() -> [Desk; 2] {
        let seeds = Seeds::default();
        let shared = Arc::new(Shared::new(Store::new(1, &seeds), Feed::new(1, seeds.instances)));
        [ServiceKind::Fhir, ServiceKind::Dicom].map(|service| Desk {
            service,
            origin: "http://here".to_owned(),
            audience: "http://here".to_owned(),
            wording: ChallengeFormat::Managed,
            clock: Clock::default(),
            shared: shared.clone(),
        })
    }

    async fn ask(desk: &Desk, line: &str, credential: &FakeCredential) -> Answer {
        let token = credential.get_token(&["http://here/.default"], None).await.unwrap();
        let mut request = request(line, "");
        let value = format!("Bearer {}", token.token.secret()).parse().unwrap();
        request.headers.insert(header::AUTHORIZATION, value);
        desk.answer(&mut desk.shared.lock(), &request, desk.clock.unix())
    }

    fn outcome(code: &str, diagnostics: &str) -> Value {
        let issue = json!([{"severity": "error", "code": code, "diagnostics": diagnostics}]);
        json!({"resourceType": "OperationOutcome", "id": ID, "issue": issue})
    }

    #[tokio::test]
    async fn each_wrong_token_is_refused_in_the_services_own_form() {
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
            let [fhir, dicom] = desks();
            let of_fhir = ask(&fhir, "GET /Patient", &credential).await;
            let of_dicom = ask(&dicom, "GET /v2/changefeed", &credential).await;
            for answer in [&of_fhir, &of_dicom] {
                assert_eq!(
                    (answer.status.as_u16(), answer.header("www-authenticate")),
                    (status, &*challenge)
                );
            }
            match status {
                401 => assert_eq!(of_fhir.value(), outcome("login", "Authentication failed.")),
                403 => assert_eq!(of_fhir.value(), outcome("forbidden", "Authorization failed.")),
                _ => continue,
            }
            let said = if status == 401 { "" } else { "Authorization failed." };
            assert_eq!(String::from_utf8(of_dicom.body).unwrap(), said);
        }
    }

    #[tokio::test]
    async fn each_fault_is_answered_in_the_services_own_form() {
        let token =
            |description| format!(r#"Bearer error="invalid_token", error_description="{description}""#);
        let status = |status| Fault::Status(StatusCode::from_u16(status).unwrap());
        for (fault, status, code, said, challenge) in [
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
            let [fhir, dicom] = desks();
            fhir.shared.lock().faults.add(2, fault.clone());
            let of_fhir = ask(&fhir, "GET /Patient", &FakeCredential::new()).await;
            let of_dicom = ask(&dicom, "GET /v1/changefeed", &FakeCredential::new()).await;
            for answer in [&of_fhir, &of_dicom] {
                assert_eq!(answer.status.as_u16(), status, "{fault:?}");
                assert_eq!(answer.header("www-authenticate"), challenge);
                assert_eq!(answer.header("retry-after"), if status == 429 { "2" } else { "" });
            }
            assert_eq!(of_fhir.value()["issue"][0]["code"], code, "{fault:?}");
            assert_eq!(String::from_utf8(of_dicom.body).unwrap(), said, "{fault:?}");
            assert_eq!(ask(&fhir, "GET /Patient", &FakeCredential::new()).await.status, StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn the_token_comes_before_the_load_and_the_load_before_the_role() {
        let [fhir, _] = desks();
        fhir.shared.lock().faults.add(1, Fault::Throttled(Duration::from_secs(1)));
        let [expired, no_role] = [FakeCredential::new().expired(), FakeCredential::new().without_role()];
        let metadata = fhir.answer(&mut fhir.shared.lock(), &request("GET /metadata", ""), 0);
        assert_eq!(metadata.status, StatusCode::OK);
        for (credential, status) in [(&expired, 401), (&no_role, 429), (&no_role, 403)] {
            assert_eq!(ask(&fhir, "GET /Patient", credential).await.status.as_u16(), status);
        }
    }

    #[tokio::test]
    async fn a_reader_is_refused_what_writes() {
        let [fhir, _] = desks();
        let reader = FakeCredential::new().with_roles(&["FHIR Data Reader"]);
        for (line, status) in [("GET /Patient", 200), ("POST /Patient/_search", 200), ("POST /Patient", 403)]
        {
            assert_eq!(ask(&fhir, line, &reader).await.status.as_u16(), status, "{line}");
        }
    }

    #[test]
    fn only_the_fhir_service_names_its_requests() {
        let [fhir, dicom] = desks();
        let mut own = request("GET /Patient", "");
        let ask = |desk: &Desk, request: &Request| desk.answer(&mut desk.shared.lock(), request, 0);
        assert_eq!(ask(&fhir, &own).header("x-request-id"), ID);
        assert_eq!(ask(&fhir, &own).header("x-correlation-id"), "");
        own.headers.insert(REQUEST_ID, "mine".parse().unwrap());
        assert_eq!(ask(&fhir, &own).header("x-correlation-id"), "mine");
        assert_eq!(ask(&dicom, &own).header("x-request-id"), "");
    }
}
