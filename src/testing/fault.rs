//! [`Fault`]: what a service of the stand-in does in place of what it was asked for.

use std::{collections::VecDeque, time::Duration};

use http::{HeaderName, StatusCode, header};

use super::{answer::Answer, gate::Refusal};

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("x-ms-retry-after-ms");

/// What a service of a [`FakeServer`](super::FakeServer) does to a request whose token is good: see
/// [`FakeServer::inject_fault`](super::FakeServer::inject_fault).
///
/// The 401s are worded as [`ChallengeFormat`](super::ChallengeFormat) says. They refuse a token in which nothing is wrong, as a
/// service does that was just given other settings; a token that *is* wrong comes from a
/// [`FakeCredential`](super::FakeCredential), and is refused without a fault.
///
/// What a service that creates a Patient makes of each:
///
/// ```
/// use azure_healthcare_auth::{HealthcareClient, testing::{Fault, FakeServer}};
/// use http::StatusCode;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let fake_server = FakeServer::start().await;
/// let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
/// for (fault, expected) in [
///     (Fault::WrongAudience, "wrong-audience"),
///     (Fault::Expired, "expired"),
///     (Fault::NotYetValid, "not-yet-valid"),
///     (Fault::WrongTenant, "wrong-tenant"),
///     (Fault::InvalidSignature, "invalid-signature"),
///     (Fault::UnknownKey, "invalid-signature"),
///     (Fault::MissingRole, "missing-role"),
///     (Fault::Throttled(Duration::ZERO), "201"),                // it had not acted, and was sent again
///     (Fault::Status(StatusCode::SERVICE_UNAVAILABLE), "503"),  // it may have acted, and was not
///     (Fault::Delay(Duration::from_millis(5)), "201"),
///     (Fault::TruncatedBody, "Connection"),                               // it has acted
/// ] {
///     // Enough of it for what is sent once more: with another token, or after a wait.
///     fake_server.inject_fault(2, fault);
///     let created = fhir.post("Patient").json(&serde_json::json!({ "resourceType": "Patient" })).send().await;
///     let outcome = match created {
///         Ok(response) => response.status().as_str().to_owned(),
///         Err(error) => match error.denial() {
///             Some(denial) => denial.cause().to_string(),
///             None => format!("{:?}", error.kind()),
///         },
///     };
///     assert_eq!(outcome, expected);
///     fake_server.clear_faults();
/// }
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// 401: the audience is invalid.
    WrongAudience,
    /// 401: the token is expired.
    Expired,
    /// 401: the token is not valid yet.
    NotYetValid,
    /// 401: the issuer is invalid, as for a token of another tenant.
    WrongTenant,
    /// 401: the signature is invalid.
    InvalidSignature,
    /// 401: the signature key was not found.
    UnknownKey,
    /// 403: authorization failed, as for a principal without a role.
    MissingRole,
    /// 429, and the wait until the next try.
    ///
    /// It is told twice: in whole milliseconds (`x-ms-retry-after-ms`), and in seconds, rounded and at least 1 unless
    /// it is zero (`Retry-After`).
    Throttled(Duration),
    /// Another status, such as 424, 500 or 503, and a body that says no more than that.
    ///
    /// Of the body only the form is the services' own: an `OperationOutcome`, and plain text for DICOM.
    Status(StatusCode),
    /// The answer, so much later. The time is real time, also where a test has paused its runtime's clock.
    Delay(Duration),
    /// The head of the answer and the first half of its body; then the connection is closed. Of an answer that has no
    /// body nothing is sent.
    ///
    /// The request **has** acted: a Patient that was posted is there.
    TruncatedBody,
}

impl Fault {
    /// Why the token of a request is refused that came at `now` to a service that wants `audience`.
    pub(super) fn refusal(&self, audience: &str, now: u64) -> Option<Refusal> {
        const MINUTE: u64 = 60;
        Some(match self {
            Self::WrongAudience => Refusal::Audience(format!("{audience}/")),
            Self::Expired => Refusal::Expired(now.saturating_sub(MINUTE)),
            Self::NotYetValid => Refusal::Early(now.saturating_add(MINUTE)),
            Self::WrongTenant => {
                Refusal::Issuer("https://sts.windows.net/0a1b2c3d-0000-4000-8000-5741d1000009/".to_owned())
            }
            Self::InvalidSignature => Refusal::Signature,
            Self::UnknownKey => Refusal::Key,
            _ => return None,
        })
    }

    /// What becomes of the answer, where the fault leaves one.
    pub(super) fn on_the_way(&self, answer: Answer) -> Answer {
        match self {
            Self::Delay(delay) => Answer { delay: *delay, ..answer },
            Self::TruncatedBody => Answer { cut: true, ..answer },
            _ => answer,
        }
    }
}

impl Answer {
    /// With the wait until the next try, in both forms.
    pub(super) fn with_wait(self, wait: Duration) -> Self {
        self.with(RETRY_AFTER_MS, &wait.as_millis().to_string())
            .with(header::RETRY_AFTER, &seconds(wait).to_string())
    }
}

/// A wait in whole seconds, as the services round it: none is 0, and anything else at least 1.
fn seconds(wait: Duration) -> u128 {
    if wait.is_zero() { 0 } else { ((wait.as_millis() + 500) / 1_000).max(1) }
}

/// The faults that are still to come, each with the number of requests it is for.
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

    /// The fault of this request.
    pub(super) fn take(&mut self) -> Option<Fault> {
        let (left, fault) = self.0.front_mut()?;
        *left -= 1;
        if *left > 0 { Some(fault.clone()) } else { self.0.pop_front().map(|(_, fault)| fault) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_come_in_their_order_and_as_often_as_was_said() {
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
    fn the_wait_is_told_in_both_forms() {
        for (millis, seconds) in [(0, "0"), (1, "1"), (1_499, "1"), (1_500, "2"), (60_000, "60")] {
            let answer = Answer::empty(StatusCode::OK).with_wait(Duration::from_millis(millis));
            assert_eq!(answer.header("x-ms-retry-after-ms"), millis.to_string());
            assert_eq!(answer.header("retry-after"), seconds);
        }
    }

    #[test]
    fn only_what_is_on_the_way_changes_an_answer() {
        let wait = Duration::from_secs(1);
        let sent = |fault: Fault| {
            let answer = fault.on_the_way(Answer::empty(StatusCode::OK));
            (answer.delay, answer.cut)
        };
        assert_eq!(sent(Fault::Delay(wait)), (wait, false));
        assert_eq!(sent(Fault::TruncatedBody), (Duration::ZERO, true));
        assert_eq!(sent(Fault::Throttled(wait)), (Duration::ZERO, false));
    }
}
