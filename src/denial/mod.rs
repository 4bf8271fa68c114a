//! [`Denial`]: the explanation of a 401 or 403.
//!
//! A denial is diagnosed from three sources: the challenge ([`Challenge`], RFC 9110 §11.6.1 and RFC 6750 §3), the body
//! (a FHIR `OperationOutcome`, or the plain text of the DICOM service), and the [`UnverifiedClaims`] of the token that
//! was sent. What the service reports takes precedence over what the token shows. If neither determines the cause, it is
//! [`DenialCause::Unknown`], and the denial lists the two most likely causes.

mod audience_mismatch;
mod candidate;
mod cause;
mod challenge;
mod context;
mod diagnosis;
mod duration;
mod evidence;
mod explanation;
mod hints;
mod named_resource;
mod outcome;
mod phrases;
#[cfg(test)]
mod tests;

use std::{fmt, time::SystemTime};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use self::{context::DenialContext, hints::ErrorHints, outcome::OperationOutcome};
use crate::{
    audience::service_kind::ServiceKind,
    claims::UnverifiedClaims,
    text::{MAX_RESOURCE_LEN, printable, tenant_of},
};

pub use cause::DenialCause;
pub use challenge::Challenge;
pub(crate) use evidence::{Evidence, RefreshAttempt};
pub(crate) use outcome::MAX_DENIAL_BODY;

/// The explanation of a 401 or 403: its cause, the evidence, and what to do.
///
/// `Display` writes one line with the status, the service, the resource, the reason and the help. Neither `Display` nor
/// `Debug` contains secrets, header values, the body or patient data. Both can contain audiences and the ids of tenants,
/// applications and principals.
///
/// Values from the request, the response and the token are safe to print: they are truncated after at most 200
/// characters, and quotation marks, backticks and all characters other than visible ASCII are replaced with `?`. Only
/// [`challenges`](Self::challenges), [`headers`](Self::headers) and [`body`](Self::body) are unchanged.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{DenialCause, HealthcareClient, ServiceKind, UnverifiedClaims};
/// # use azure_healthcare_auth_testing::{FakeServer, FakeCredential};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let fake_server = FakeServer::start().await;
/// # let (audience, credential) = (fake_server.fhir(), std::sync::Arc::new(FakeCredential::new().without_role()));
/// let fhir = HealthcareClient::new(audience, credential);
/// let error = fhir.get("Patient").header("X-Request-Id", "ward-7").send().await.unwrap_err();
/// let Some(denial) = error.denial() else { return Err(error) };
///
/// // One line for the log:
/// eprintln!("{denial}");
/// // The same information in parts:
/// assert_eq!((denial.status().as_u16(), denial.service()), (403, ServiceKind::Fhir));
/// assert_eq!(denial.cause(), DenialCause::MissingRole);
/// assert!(denial.reason().contains("has no role that allows this request"));
/// assert!(denial.help().starts_with("assign the principal the role \"FHIR Data Reader\""));
/// assert!(denial.possible_causes().is_empty()); // The cause is known.
///
/// // For a support case:
/// eprintln!("request {:?} at {:?} for resource {}", denial.request_id(), denial.received_at(), denial.resource());
/// assert_eq!(denial.correlation_id(), Some("ward-7"));
///
/// // The evidence. Do not log the headers and the body.
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
    received_at: SystemTime,
    cause: DenialCause,
    reason: String,
    help: String,
    possible_causes: Vec<String>,
    claims: Option<UnverifiedClaims>,
    challenges: Vec<Challenge>,
    issue_codes: Vec<&'static str>,
    request_id: Option<String>,
    correlation_id: Option<String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Denial {
    /// Diagnoses a 401 or 403.
    pub(crate) fn new(evidence: Evidence<'_>) -> Self {
        let Evidence { service, endpoint, resource, status, headers, body, authorization, now, refresh } =
            evidence;
        let challenges = challenge::from_headers(headers);
        let outcome = OperationOutcome::parse(&body);
        let claims = UnverifiedClaims::from_authorization(authorization);
        let bearer = || challenges.iter().filter(|challenge| challenge.is("Bearer"));
        let param = |name: &str| bearer().find_map(|challenge| challenge.param(name));
        let mut hints = ErrorHints::default();
        bearer()
            .filter_map(|challenge| challenge.param("error_description"))
            .for_each(|text| hints.add(text));
        if hints == ErrorHints::default() {
            // The authentication handler writes the challenge, so the body's hints are used only if the challenge has none.
            hints = outcome.as_ref().map_or(hints, |outcome| outcome.hints);
        }
        let trusted_tenant = param("authorization_uri").and_then(tenant_of);
        let context = DenialContext {
            service,
            requested: resource,
            forbidden: status == StatusCode::FORBIDDEN,
            hints,
            error: param("error"),
            expected: param("resource_id")
                .filter(|named| named_resource::is_presentable(named, resource, endpoint)),
            trusted_tenant: trusted_tenant.as_deref(),
            claims: claims.as_ref(),
            outcome: outcome.as_ref(),
            plain_text_forbidden: outcome::is_plain_text_forbidden(&body),
            now,
        };
        let diagnosis = diagnosis::diagnose(&context);
        let possible_causes = explanation::possible_causes(&context, &diagnosis);
        let reason = explanation::reason(&context, &diagnosis, &possible_causes, refresh);
        let help = explanation::help(&context, diagnosis.cause);
        let outcome_id = outcome.as_ref().and_then(|outcome| outcome.id.clone());
        Self {
            service,
            resource: printable(resource, MAX_RESOURCE_LEN),
            status,
            received_at: now,
            cause: diagnosis.cause,
            reason,
            help,
            possible_causes,
            request_id: request_id(headers).map(|id| printable(id, MAX_RESOURCE_LEN)).or(outcome_id),
            correlation_id: correlation_id(headers).map(|id| printable(id, MAX_RESOURCE_LEN)),
            issue_codes: outcome.map(|outcome| outcome.codes).unwrap_or_default(),
            claims,
            challenges,
            headers: headers.clone(),
            body,
        }
    }

    /// Returns the cause of the denial.
    #[must_use]
    pub fn cause(&self) -> DenialCause {
        self.cause
    }

    /// Returns the cause, the evidence for it, and what the client tried. This is the middle part of the `Display` output.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Returns what to do. This is the last part of the `Display` output.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }

    /// Returns the two most likely causes as text, the most likely one first.
    ///
    /// Empty unless the cause is [`DenialCause::Unknown`].
    #[must_use]
    pub fn possible_causes(&self) -> &[String] {
        &self.possible_causes
    }

    /// Returns the status: `401 Unauthorized` or `403 Forbidden`.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the kind of the service.
    #[must_use]
    pub fn service(&self) -> ServiceKind {
        self.service
    }

    /// Returns the resource that the token was requested for.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Returns when the response was received, according to the clock of the [`Authenticator`](crate::Authenticator).
    #[must_use]
    pub fn received_at(&self) -> SystemTime {
        self.received_at
    }

    /// Returns the id that the service assigned to the request. Microsoft Support asks for it.
    ///
    /// It comes from the header `x-ms-request-id`, `x-request-id` or `request-id`, otherwise from the
    /// `OperationOutcome`.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// Returns the correlation id of the request.
    ///
    /// It comes from the header `x-ms-correlation-request-id`, `x-ms-correlation-id` or `x-correlation-id`. The FHIR
    /// service returns the caller's `X-Request-Id` in the last one.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    /// Returns the claims of the token that was sent, or `None` if the token is not a JWT.
    #[must_use]
    pub fn claims(&self) -> Option<&UnverifiedClaims> {
        self.claims.as_ref()
    }

    /// Returns the challenges of the `WWW-Authenticate` headers in their order.
    ///
    /// At most 16 challenges from the first 16 KiB are parsed.
    #[must_use]
    pub fn challenges(&self) -> &[Challenge] {
        &self.challenges
    }

    /// Returns the issue codes (FHIR value set `issue-type`) of the errors in the response's `OperationOutcome`.
    ///
    /// At most 16 issues are read. A code that FHIR does not define becomes `other`. Empty if the body is not an
    /// `OperationOutcome`.
    #[must_use]
    pub fn issue_codes(&self) -> &[&'static str] {
        &self.issue_codes
    }

    /// Returns the headers of the response, unchanged. Neither `Display` nor `Debug` shows them.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Returns the body of the response, truncated after 64 KiB.
    ///
    /// The body **can contain patient data**: do not log it. Neither `Display` nor `Debug` shows it.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, resource, reason, help, .. } = self;
        write!(
            f,
            "{} from the {} service (resource {resource}): {reason} — {help}",
            self.status.as_u16(),
            service.label()
        )
    }
}

impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denial")
            .field("status", &self.status)
            .field("service", &self.service)
            .field("resource", &self.resource)
            .field("received_at", &self.received_at)
            .field("cause", &self.cause)
            .field("reason", &self.reason)
            .field("help", &self.help)
            .field("issue_codes", &self.issue_codes)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Returns the id that the service assigned to a request.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<&str> {
    first(headers, &["x-ms-request-id", "x-request-id", "request-id"])
}

fn correlation_id(headers: &HeaderMap) -> Option<&str> {
    first(headers, &["x-ms-correlation-request-id", "x-ms-correlation-id", "x-correlation-id"])
}

fn first<'a>(headers: &'a HeaderMap, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok())
}
