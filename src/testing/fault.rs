//! [`Fault`]: the failures that a fake service can simulate.

use std::{collections::VecDeque, time::Duration};

use http::{HeaderName, StatusCode, header};

use super::{gate::Rejection, response::FakeResponse};

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");

/// A failure that a service of the [`FakeServer`](super::FakeServer) simulates for a request with a valid token.
///
/// Inject it with [`FakeServer::inject_fault`](super::FakeServer::inject_fault).
///
/// The faults that reject the token respond with 401 and a challenge in the configured
/// [`ChallengeFormat`](super::ChallengeFormat). The token is valid, as it can be if a service is misconfigured. To send
/// a token that is *not* valid, use a [`FakeCredential`](super::FakeCredential): the fake services reject it without a
/// fault.
///
/// # Examples
///
/// The effect of each fault on a client that creates a Patient:
///
/// ```
/// use azure_healthcare_auth::{DenialCause, ErrorKind, HealthcareClient, testing::{FakeServer, Fault}};
/// use http::StatusCode;
/// use serde_json::json;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let fake_server = FakeServer::start().await;
/// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// let create = async |fault| {
///     // Two requests, because the client may send a request twice: with a new token, or after a wait.
///     fake_server.inject_fault(2, fault);
///     let result = fhir.post("Patient").json(&json!({ "resourceType": "Patient" })).send().await;
///     fake_server.clear_faults();
///     result
/// };
///
/// for (fault, cause) in [
///     (Fault::WrongAudience, DenialCause::WrongAudience),
///     (Fault::Expired, DenialCause::Expired),
///     (Fault::NotYetValid, DenialCause::NotYetValid),
///     (Fault::WrongTenant, DenialCause::WrongTenant),
///     (Fault::InvalidSignature, DenialCause::InvalidSignature),
///     (Fault::UnknownKey, DenialCause::InvalidSignature),
///     (Fault::MissingRole, DenialCause::MissingRole),
/// ] {
///     assert_eq!(create(fault).await.unwrap_err().denial().unwrap().cause(), cause);
/// }
///
/// for (fault, status) in [
///     // The service did not process the request, so the client retried it.
///     (Fault::Throttled(Duration::ZERO), 201),
///     // The service may have processed the request, so the client did not retry it.
///     (Fault::Status(StatusCode::SERVICE_UNAVAILABLE), 503),
///     // The service processed the request and responded late.
///     (Fault::Delay(Duration::from_millis(5)), 201),
/// ] {
///     assert_eq!(create(fault).await.unwrap().status(), status);
/// }
///
/// // The service processed the request, but the client did not receive the complete response.
/// assert_eq!(create(Fault::TruncatedBody).await.unwrap_err().kind(), ErrorKind::Connection);
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// 401: the token's audience is invalid.
    WrongAudience,
    /// 401: the token is expired.
    Expired,
    /// 401: the token is not valid yet.
    NotYetValid,
    /// 401: the issuer is invalid, as for a token from another tenant.
    WrongTenant,
    /// 401: the signature is invalid.
    InvalidSignature,
    /// 401: the signature key was not found.
    UnknownKey,
    /// 403: authorization failed, as for a principal without a role.
    MissingRole,
    /// 429, with the time to wait before a retry.
    ///
    /// The response contains it twice: as whole milliseconds in `x-ms-retry-after-ms`, and in `Retry-After` as seconds,
    /// rounded to the nearest second but at least 1 unless the duration is zero.
    Throttled(Duration),
    /// Another status, such as 424, 500 or 503.
    ///
    /// The body has the format of the real service, an `OperationOutcome` for FHIR and plain text for DICOM, but its text
    /// is only the status's reason phrase.
    Status(StatusCode),
    /// The normal response after a delay.
    ///
    /// The delay is real time, even if the test has paused its runtime's clock.
    Delay(Duration),
    /// The head of the response and the first half of its body, after which the connection is closed.
    ///
    /// If the response has no body, nothing is sent. If the token's role allows the request, it **was** processed: a
    /// posted Patient exists.
    TruncatedBody,
}

impl Fault {
    /// Returns the rejection for a request at `now` to a service that expects `audience`, or `None` if the fault does
    /// not reject the token.
    pub(super) fn rejection(&self, audience: &str, now: u64) -> Option<Rejection> {
        const MINUTE: u64 = 60;
        Some(match self {
            Self::WrongAudience => Rejection::WrongAudience(format!("{audience}/")),
            Self::Expired => Rejection::Expired(now.saturating_sub(MINUTE)),
            Self::NotYetValid => Rejection::NotYetValid(now.saturating_add(MINUTE)),
            Self::WrongTenant => Rejection::WrongIssuer(
                "https://sts.windows.net/0a1b2c3d-0000-4000-8000-5741d1000009/".to_owned(),
            ),
            Self::InvalidSignature => Rejection::InvalidSignature,
            Self::UnknownKey => Rejection::UnknownKey,
            _ => return None,
        })
    }

    /// Delays or truncates the response for [`Delay`](Self::Delay) and [`TruncatedBody`](Self::TruncatedBody).
    pub(super) fn apply(&self, response: FakeResponse) -> FakeResponse {
        match self {
            Self::Delay(delay) => FakeResponse { delay: *delay, ..response },
            Self::TruncatedBody => FakeResponse { truncated: true, ..response },
            _ => response,
        }
    }
}

impl FakeResponse {
    /// Adds the time to wait before a retry as `x-ms-retry-after-ms` and as `Retry-After`.
    pub(super) fn with_retry_after(self, wait: Duration) -> Self {
        self.with(RETRY_AFTER_MS, &wait.as_millis().to_string())
            .with(header::RETRY_AFTER, &seconds(wait).to_string())
    }
}

/// Rounds to whole seconds as the services do: zero stays 0, and anything else becomes at least 1.
fn seconds(wait: Duration) -> u128 {
    if wait.is_zero() { 0 } else { ((wait.as_millis() + 500) / 1_000).max(1) }
}

/// The pending faults, each with the number of requests that it still applies to.
#[derive(Default)]
pub(super) struct Faults(VecDeque<(usize, Fault)>);

impl Faults {
    pub(super) fn add(&mut self, requests: usize, fault: Fault) {
        if requests > 0 {
            self.0.push_back((requests, fault));
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the fault for the current request and counts the request.
    pub(super) fn take(&mut self) -> Option<Fault> {
        let (remaining, fault) = self.0.front_mut()?;
        *remaining -= 1;
        if *remaining > 0 { Some(fault.clone()) } else { self.0.pop_front().map(|(_, fault)| fault) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_apply_in_order_and_as_often_as_requested() {
        let mut faults = Faults::default();
        faults.add(2, Fault::TruncatedBody);
        faults.add(0, Fault::MissingRole);
        faults.add(1, Fault::Expired);
        let taken: Vec<_> = (0..4).map(|_| faults.take()).collect();
        assert_eq!(
            taken,
            [Some(Fault::TruncatedBody), Some(Fault::TruncatedBody), Some(Fault::Expired), None]
        );
        faults.add(usize::MAX, Fault::TruncatedBody);
        assert_eq!(faults.take(), Some(Fault::TruncatedBody));
        faults.clear();
        assert_eq!(faults.take(), None);
    }

    #[test]
    fn retry_delay_is_sent_in_milliseconds_and_rounded_seconds() {
        for (millis, seconds) in [(0, "0"), (1, "1"), (1_499, "1"), (1_500, "2"), (60_000, "60")] {
            let response =
                FakeResponse::empty(StatusCode::OK).with_retry_after(Duration::from_millis(millis));
            assert_eq!(response.header("x-ms-retry-after-ms"), millis.to_string());
            assert_eq!(response.header("retry-after"), seconds);
        }
    }

    #[test]
    fn only_delay_and_truncated_body_change_the_response() {
        let wait = Duration::from_secs(1);
        let sent = |fault: Fault| {
            let response = fault.apply(FakeResponse::empty(StatusCode::OK));
            (response.delay, response.truncated)
        };
        assert_eq!(sent(Fault::Delay(wait)), (wait, false));
        assert_eq!(sent(Fault::TruncatedBody), (Duration::ZERO, true));
        assert_eq!(sent(Fault::Throttled(wait)), (Duration::ZERO, false));
    }
}
