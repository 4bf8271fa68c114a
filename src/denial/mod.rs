//! Why a service answered 401 or 403, in words that a person can act on.
//!
//! A refusal is explained from three sources: the challenge ([`Challenge`], RFC 9110 §11.6.1 and RFC 6750 §3), the
//! body (a FHIR `OperationOutcome`, or the DICOM service's plain text), and the [`UnverifiedClaims`] of the token that was
//! sent. What the service says counts before what the token shows; where neither decides, the cause is
//! [`DenialCause::Unknown`] and the two possible_causes are named as such.

use std::fmt;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

pub use cause::DenialCause;
pub use challenge::Challenge;

mod cause;
mod challenge;
mod likely;
mod mismatch;
mod outcome;
mod said;
mod span;
#[cfg(test)]
mod tests;
mod verdict;
mod wanted;
mod words;

pub(crate) use outcome::LONGEST_BODY;
use outcome::Outcome;
use said::Said;
use verdict::Facts;
use wanted::is_a_resource;

use crate::{
    ServiceKind,
    claims::UnverifiedClaims,
    text::{LONG, printable, tenant_of},
};

/// What is known when a service has answered 401 or 403.
pub(crate) struct Evidence<'a> {
    pub(crate) service: ServiceKind,
    /// The base URL of its audience.
    pub(crate) endpoint: &'a Url,
    /// The resource that the token was asked for.
    pub(crate) resource: &'a str,
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    /// At most 64 KiB of it.
    pub(crate) body: Bytes,
    /// The value that was sent.
    pub(crate) authorization: &'a HeaderValue,
    pub(crate) now: SystemTime,
    pub(crate) renewal: Renewal,
}

/// What was tried when a service answered 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Nothing.
    NotTried,
    /// No other token could be had: the credential handed out the same one again, failed, or was not asked, as it had
    /// been a moment before.
    NothingNew,
    /// The request was sent again with another token, and that was refused too.
    Replayed,
}

/// Why a service answered 401 or 403.
///
/// `Display` is one line: what happened, to what, why and on what evidence, what to do. Neither it nor `Debug` ever
/// holds a secret, a header value, the body, or anything about a patient; audience, tenant, application and object id
/// are shown. No method panics.
///
/// ```
/// use azure_healthcare_auth::{DenialCause, UnverifiedClaims, HealthcareClient, ServiceKind};
/// # use azure_healthcare_auth::testing::{FakeServer, FakeCredential};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let fake_server = FakeServer::start().await;
/// # let (audience, credential) = (fake_server.fhir(), std::sync::Arc::new(FakeCredential::new().without_role()));
/// let fhir = HealthcareClient::new(audience, credential);
/// let error = fhir.get("Patient").header("X-Request-Id", "ward-7").send().await.unwrap_err();
/// let Some(denial) = error.denial() else { return Err(error) };
///
/// // For whoever is called at night, in one line, or in parts:
/// eprintln!("{denial}");
/// assert_eq!((denial.status().as_u16(), denial.service(), denial.cause()), (403, ServiceKind::Fhir, DenialCause::MissingRole));
/// assert!(denial.reason().contains("has no role that allows this request"));
/// assert!(denial.help().starts_with("assign it \"FHIR Data Reader\""));
/// assert_eq!(denial.possible_causes(), None); // the cause is known
///
/// // For the support case:
/// eprintln!("request {:?} at {:?} with a token for {}", denial.request_id(), denial.received_at(), denial.resource());
/// assert_eq!(denial.correlation_id(), Some("ward-7"));
///
/// // The evidence. Of it the headers and the body do not belong in a log.
/// assert!(denial.claims().and_then(UnverifiedClaims::object_id).is_some());
/// assert_eq!((denial.challenges().len(), denial.issue_codes()), (0, &["forbidden"][..]));
/// assert!(denial.headers().contains_key("x-request-id") && denial.body().starts_with(b"{"));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Denial {
    service: ServiceKind,
    resource: String,
    status: StatusCode,
    time: SystemTime,
    cause: DenialCause,
    reason: String,
    help: String,
    possible_causes: Option<[String; 2]>,
    claims: Option<UnverifiedClaims>,
    challenges: Vec<Challenge>,
    codes: Vec<&'static str>,
    request_id: Option<String>,
    correlation_id: Option<String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Denial {
    /// Explains a refusal.
    pub(crate) fn new(evidence: Evidence<'_>) -> Self {
        let Evidence { service, endpoint, resource, status, headers, body, authorization, now, renewal } =
            evidence;
        let challenges = challenge::from_headers(headers);
        let outcome = Outcome::read(&body);
        let claims = UnverifiedClaims::from_authorization(authorization);
        let bearer = || challenges.iter().filter(|c| c.is("Bearer"));
        let param = |name: &str| bearer().find_map(|c| c.param(name));
        let mut said = Said::default();
        bearer().filter_map(|c| c.param("error_description")).for_each(|text| said.read(text));
        let trusted = param("authorization_uri").and_then(tenant_of);
        let facts = Facts {
            service,
            asked: resource,
            forbidden: status == StatusCode::FORBIDDEN,
            // The header is the authentication's own word; the body can only add where that is silent.
            said: if said == Said::default() { outcome.as_ref().map_or(said, |o| o.said) } else { said },
            error: param("error"),
            wanted: param("resource_id").filter(|wanted| is_a_resource(wanted, resource, endpoint)),
            trusted: trusted.as_deref(),
            claims: claims.as_ref(),
            outcome: outcome.as_ref(),
            plainly_forbidden: outcome::says_forbidden(&body),
            now,
        };
        let verdict = facts.judge();
        let (reason, help) = (facts.reason(&verdict, renewal), facts.help(verdict.cause));
        let possible_causes = facts.possible_causes(&verdict);
        let own_id = outcome.as_ref().and_then(|o| o.id.clone());
        Self {
            service,
            resource: printable(resource, LONG),
            status,
            time: now,
            cause: verdict.cause,
            reason,
            help,
            possible_causes,
            request_id: request_id(headers).map(|id| printable(id, LONG)).or(own_id),
            correlation_id: correlation_id(headers).map(|id| printable(id, LONG)),
            codes: outcome.map(|o| o.codes).unwrap_or_default(),
            claims,
            challenges,
            headers: headers.clone(),
            body,
        }
    }

    /// Why the request was refused.
    pub fn cause(&self) -> DenialCause {
        self.cause
    }

    /// The cause in words, with the evidence; the middle of the `Display` line.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// What to do, in one sentence; the end of the `Display` line.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The two possible_causes causes, the likelier first, where the cause is [`DenialCause::Unknown`].
    pub fn possible_causes(&self) -> Option<[&str; 2]> {
        self.possible_causes.as_ref().map(|two| two.each_ref().map(String::as_str))
    }

    /// `401 Unauthorized` or `403 Forbidden`.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Which kind of service refused.
    pub fn service(&self) -> ServiceKind {
        self.service
    }

    /// The resource that the token was asked for; visible ASCII only, and cut after 200 characters.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// When the answer came, by this machine's clock.
    pub fn received_at(&self) -> SystemTime {
        self.time
    }

    /// The service's own id of the request, which its support asks for: from `x-ms-request-id`, `x-request-id` or
    /// `request-id`, else from the `OperationOutcome`. Visible ASCII only, and cut after 200 characters.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The id that ties the request to others: from `x-ms-correlation-request-id`, `x-ms-correlation-id` or
    /// `x-correlation-id`, in which the FHIR service echoes the caller's own `X-Request-Id`. Visible ASCII only, and
    /// cut after 200 characters.
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    /// The unverified claims of the token that was sent. `None` where it is not a JWT.
    pub fn claims(&self) -> Option<&UnverifiedClaims> {
        self.claims.as_ref()
    }

    /// The challenges of the answer's `WWW-Authenticate` headers, in their order; at most 16, from the first 16 KiB.
    pub fn challenges(&self) -> &[Challenge] {
        &self.challenges
    }

    /// The codes (FHIR value set `issue-type`) of the errors in the answer's `OperationOutcome`; at most 16, and
    /// `other` for one that FHIR does not define. Empty where the body is none.
    pub fn issue_codes(&self) -> &[&'static str] {
        &self.codes
    }

    /// The headers of the answer as they came. They are in neither `Display` nor `Debug`.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body of the answer as it came, at most 64 KiB. It **may be about a patient**: it is in neither `Display`
    /// nor `Debug`, and does not belong in a log.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, resource, reason, help, .. } = self;
        write!(
            f,
            "{} from the {service} service (resource {resource}): {reason} — {help}",
            self.status.as_u16()
        )
    }
}

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial")
            .field("status", &self.status)
            .field("service", &self.service)
            .field("resource", &self.resource)
            .field("time", &self.time)
            .field("cause", &self.cause)
            .field("reason", &self.reason)
            .field("help", &self.help)
            .field("issue_codes", &self.codes)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The service's own id of a request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    first(headers, &["x-ms-request-id", "x-request-id", "request-id"])
}

/// The caller's id of a request, which the FHIR server echoes.
fn correlation_id(headers: &HeaderMap) -> Option<&str> {
    first(headers, &["x-ms-correlation-request-id", "x-ms-correlation-id", "x-correlation-id"])
}

fn first<'a>(headers: &'a HeaderMap, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok())
}
