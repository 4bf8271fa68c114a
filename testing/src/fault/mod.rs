//! [`Fault`]: the failures that a fake service can simulate.

mod filter;

use std::time::Duration;

use http::StatusCode;

pub use self::filter::RequestFilter;
pub(crate) use self::filter::RequestLine;
use crate::token::Rejection;

/// A failure that a service of the [`FakeServer`](crate::FakeServer) simulates for a request with a valid token.
///
/// Inject it with [`FakeServer::inject_fault`](crate::FakeServer::inject_fault).
///
/// The faults that reject the token respond with 401 and a challenge in the configured
/// [`ChallengeFormat`](crate::ChallengeFormat). The token is valid, as it can be if a service is misconfigured. To send
/// a token that is *not* valid, use a [`FakeCredential`](crate::FakeCredential): the fake services reject it without a
/// fault.
///
/// # Examples
///
/// The effect of each fault on a client that creates a Patient:
///
/// ```
/// use azure_healthcare_auth::{DenialCause, ErrorKind, HealthcareClient};
/// use azure_healthcare_auth_testing::{FakeServer, Fault};
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
    pub(crate) fn rejection(&self, audience: &str, now: u64) -> Option<Rejection> {
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
}

/// The pending faults, each with the requests to which it applies.
#[derive(Default)]
pub(crate) struct Faults(Vec<(RequestFilter, Fault)>);

impl Faults {
    pub(crate) fn add(&mut self, filter: RequestFilter, fault: Fault) {
        if !filter.is_exhausted() {
            self.0.push((filter, fault));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts the request and returns the first fault that applies to it.
    ///
    /// Only the fault that applies, and those before it, count the request.
    pub(crate) fn take(&mut self, request: &RequestLine<'_>) -> Option<Fault> {
        let index = self.0.iter_mut().position(|(filter, _)| filter.select(request))?;
        let (filter, fault) = self.0.get(index)?;
        if filter.is_exhausted() { Some(self.0.remove(index).1) } else { Some(fault.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::FakeService;

    const REQUEST: RequestLine<'static> = RequestLine {
        service: FakeService::Fhir,
        method: &http::Method::GET,
        path: "/Patient",
        in_bundle: false,
    };

    #[test]
    fn faults_apply_in_order_and_as_often_as_requested() {
        let mut faults = Faults::default();
        faults.add(2.into(), Fault::TruncatedBody);
        faults.add(0.into(), Fault::MissingRole);
        faults.add(1.into(), Fault::Expired);
        let taken: Vec<_> = (0..4).map(|_| faults.take(&REQUEST)).collect();
        assert_eq!(
            taken,
            [Some(Fault::TruncatedBody), Some(Fault::TruncatedBody), Some(Fault::Expired), None]
        );
        faults.add(RequestFilter::all(), Fault::TruncatedBody);
        assert_eq!(faults.take(&REQUEST), Some(Fault::TruncatedBody));
        faults.clear();
        assert_eq!(faults.take(&REQUEST), None);
    }

    #[test]
    fn fault_for_other_requests_does_not_block_later_faults() {
        let mut faults = Faults::default();
        faults.add(RequestFilter::next(1).service(FakeService::Dicom), Fault::MissingRole);
        faults.add(RequestFilter::nth(2), Fault::Expired);
        let dicom = RequestLine { service: FakeService::Dicom, ..REQUEST };
        assert_eq!(faults.take(&REQUEST), None);
        assert_eq!(faults.take(&REQUEST), Some(Fault::Expired));
        assert_eq!(faults.take(&dicom), Some(Fault::MissingRole));
        assert_eq!(faults.take(&dicom), None);
    }
}
