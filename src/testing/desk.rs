//! [`Desk`]: takes a request in, checks it, has it answered and keeps the record.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderName, StatusCode, header};
use url::{Position, Url};
use wiremock::{Request, Respond, ResponseTemplate};

use super::{
    answer::Answer,
    credential::{DICOM_ROLE, FHIR_ROLE, unix_now},
    dicom,
    feed::Feed,
    fhir::{self, Patients},
    gate::{self, Wording},
    received::Received,
};
use crate::Service;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");

/// The front of one service.
pub(super) struct Desk {
    pub(super) service: Service,
    /// The origin of the service, without a slash at its end.
    pub(super) origin: String,
    /// What its tokens must be for.
    pub(super) audience: String,
    pub(super) wording: Wording,
    pub(super) shared: Arc<Shared>,
}

/// What both services work on.
pub(super) struct Shared(Mutex<State>);

pub(super) struct State {
    patients: Patients,
    feed: Feed,
    throttled: usize,
    wait: Duration,
    received: Vec<Received>,
}

impl Shared {
    pub(super) fn new(patients: usize, changes: usize) -> Self {
        Self(Mutex::new(State {
            patients: Patients::new(patients),
            feed: Feed::new(changes),
            throttled: 0,
            wait: Duration::ZERO,
            received: Vec::new(),
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves nothing half done here: every change is one assignment or one push.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn throttle(&mut self, requests: usize, wait: Duration) {
        (self.throttled, self.wait) = (requests, wait);
    }

    pub(super) fn received(&self) -> &[Received] {
        &self.received
    }

    /// The wait that this request is told, if it is one of those to be put off.
    fn put_off(&mut self) -> Option<Duration> {
        self.throttled = self.throttled.checked_sub(1)?;
        Some(self.wait)
    }
}

impl Respond for Desk {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut state = self.shared.lock();
        let answer = self.answer(&mut state, request, unix_now());
        state.received.push(Received {
            service: self.service,
            method: request.method.clone(),
            url: self.own_url(&request.url),
            headers: request.headers.clone(),
            body: request.body.clone(),
            status: answer.status,
        });
        answer.into_template()
    }
}

impl Desk {
    fn answer(&self, state: &mut State, request: &Request, now: u64) -> Answer {
        let id = format!("00000000-0000-4000-8000-{:012x}", state.received.len() + 1);
        let answer = self.admitted(state, request, now, &id);
        if self.service != Service::Fhir {
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
        let fhir = self.service == Service::Fhir;
        if fhir && fhir::is_open(request) {
            return fhir::metadata();
        }
        let refuse = |status| if fhir { fhir::refusal(status, id) } else { dicom::refusal(status) };
        let claims = match gate::admit(&request.headers, &self.audience, now) {
            Ok(claims) => claims,
            Err(refusal) => {
                let challenge = refusal.challenge(self.wording, &self.audience);
                return refuse(StatusCode::UNAUTHORIZED).with(header::WWW_AUTHENTICATE, &challenge);
            }
        };
        if let Some(wait) = state.put_off() {
            return refuse(StatusCode::TOO_MANY_REQUESTS)
                .with(RETRY_AFTER_MS, &wait.as_millis().to_string())
                .with(header::RETRY_AFTER, &seconds(wait).to_string());
        }
        if !claims.has_role(if fhir { FHIR_ROLE } else { DICOM_ROLE }) {
            return refuse(StatusCode::FORBIDDEN);
        }
        if fhir {
            fhir::answer(&mut state.patients, &self.origin, request, id)
        } else {
            dicom::answer(&state.feed, request)
        }
    }

    /// The URL of a request on the service's own origin. `wiremock` puts another host before the path.
    fn own_url(&self, url: &Url) -> Url {
        Url::parse(&format!("{}{}", self.origin, &url[Position::BeforePath..]))
            .unwrap_or_else(|_| url.clone())
    }
}

/// A wait in whole seconds, as the services round it: none is 0, and anything else at least 1.
fn seconds(wait: Duration) -> u128 {
    if wait.is_zero() { 0 } else { ((wait.as_millis() + 500) / 1_000).max(1) }
}

#[cfg(test)]
mod tests {
    use azure_core::credentials::TokenCredential;
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{StandInCredential, answer::request};

    const ID: &str = "00000000-0000-4000-8000-000000000001";

    /// Both services, with the same things behind them.
    fn desks() -> [Desk; 2] {
        let shared = Arc::new(Shared::new(1, 1));
        [Service::Fhir, Service::Dicom].map(|service| Desk {
            service,
            origin: "http://here".to_owned(),
            audience: "http://here".to_owned(),
            wording: Wording::Managed,
            shared: shared.clone(),
        })
    }

    async fn ask(desk: &Desk, line: &str, credential: &StandInCredential) -> Answer {
        let token = credential.get_token(&["http://here/.default"], None).await.unwrap();
        let mut request = request(line, "");
        let value = format!("Bearer {}", token.token.secret()).parse().unwrap();
        request.headers.insert(header::AUTHORIZATION, value);
        desk.answer(&mut desk.shared.lock(), &request, unix_now())
    }

    fn outcome(code: &str, diagnostics: &str) -> Value {
        let issue = json!([{"severity": "error", "code": code, "diagnostics": diagnostics}]);
        json!({"resourceType": "OperationOutcome", "id": ID, "issue": issue})
    }

    #[tokio::test]
    async fn each_wrong_token_is_refused_in_the_services_own_form() {
        let new = StandInCredential::new;
        let token =
            |description| format!(r#"Bearer error="invalid_token", error_description="{description}""#);
        for (credential, status, challenge) in [
            (new(), 200, String::new()),
            (new().with_audience("http://other"), 401, token("The audience is invalid")),
            (new().with_audience("http://here/"), 401, token("The audience is invalid")),
            (new().expired(), 401, token("The token is expired")),
            (new().with_life(Duration::ZERO), 401, token("The token is expired")),
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
    async fn the_wait_is_told_in_both_forms() {
        for (millis, seconds) in [(0, "0"), (1, "1"), (1_499, "1"), (1_500, "2"), (60_000, "60")] {
            let [fhir, dicom] = desks();
            fhir.shared.lock().throttle(2, Duration::from_millis(millis));
            let of_fhir = ask(&fhir, "GET /Patient", &StandInCredential::new()).await;
            let of_dicom = ask(&dicom, "GET /v1/changefeed", &StandInCredential::new()).await;
            for answer in [&of_fhir, &of_dicom] {
                assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
                assert_eq!(answer.header("x-ms-retry-after-ms"), millis.to_string());
                assert_eq!(answer.header("retry-after"), seconds);
            }
            assert_eq!(of_fhir.value()["issue"][0]["code"], "throttled");
            assert_eq!(ask(&fhir, "GET /Patient", &StandInCredential::new()).await.status, StatusCode::OK);
        }
    }

    #[tokio::test]
    async fn the_token_comes_before_the_load_and_the_load_before_the_role() {
        let [fhir, _] = desks();
        fhir.shared.lock().throttle(1, Duration::from_secs(1));
        let [expired, no_role] =
            [StandInCredential::new().expired(), StandInCredential::new().without_role()];
        let metadata = fhir.answer(&mut fhir.shared.lock(), &request("GET /metadata", ""), 0);
        assert_eq!(metadata.status, StatusCode::OK);
        for (credential, status) in [(&expired, 401), (&no_role, 429), (&no_role, 403)] {
            assert_eq!(ask(&fhir, "GET /Patient", credential).await.status.as_u16(), status);
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
