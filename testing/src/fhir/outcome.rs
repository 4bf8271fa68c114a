//! [`Outcome`]: an error response of the FHIR service.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use azure_core::time::OffsetDateTime;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::instant::instant;
use crate::context::Unsupported;

pub(crate) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// An error: a status and the issues of an `OperationOutcome`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    status: StatusCode,
    issues: Vec<Issue>,
    etag: Option<String>,
    /// Set for errors of the service itself, which have a time (`fhir-server OperationOutcomeExceptionFilterAttribute.cs`).
    timed: bool,
    /// Set if the fake does not support the request.
    unsupported: bool,
    /// Set if the service has no such path and method.
    unknown_route: bool,
}

/// Marks a response to a path and method that the service does not have, in its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnknownRoute;

/// An issue with the severity `error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issue {
    code: String,
    diagnostics: String,
    expression: Option<String>,
}

impl Issue {
    pub(crate) fn new(code: &str, diagnostics: impl Into<String>) -> Self {
        Self { code: code.to_owned(), diagnostics: diagnostics.into(), expression: None }
    }

    /// Reads an issue of an `OperationOutcome`.
    pub(crate) fn read(issue: &Value) -> Self {
        let text = |name: &str| issue.get(name).and_then(Value::as_str).unwrap_or_default();
        Self::new(text("code"), text("diagnostics"))
    }

    fn value(&self) -> Value {
        let mut value = json!({"severity": "error", "code": self.code, "diagnostics": self.diagnostics});
        if let (Some(expression), Some(fields)) = (&self.expression, value.as_object_mut()) {
            fields.insert("expression".to_owned(), json!([expression]));
        }
        value
    }
}

impl Outcome {
    /// An error of the service.
    pub(crate) fn new(status: StatusCode, code: &str, diagnostics: impl Into<String>) -> Self {
        Self::with_issues(status, vec![Issue::new(code, diagnostics)])
    }

    pub(crate) fn with_issues(status: StatusCode, issues: Vec<Issue>) -> Self {
        Self { status, issues, etag: None, timed: true, unsupported: false, unknown_route: false }
    }

    /// An error that the web framework reports before the service handles the request (`fhir-server
    /// FhirController.cs`, custom error).
    pub(crate) fn framework(status: StatusCode, code: &str, diagnostics: impl Into<String>) -> Self {
        Self { timed: false, ..Self::new(status, code, diagnostics) }
    }

    /// 400, code `invalid` (`fhir-server BadRequestException.cs`, `RequestNotValidException.cs`).
    pub(crate) fn invalid(diagnostics: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", diagnostics)
    }

    /// 404, code `not-found` (`fhir-server ResourceNotFoundException.cs`).
    pub(crate) fn not_found(diagnostics: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", diagnostics)
    }

    /// 412, code `required` (`fhir-server PreconditionFailedException.cs`).
    pub(crate) fn precondition_failed(diagnostics: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "required", diagnostics)
    }

    /// 410 without an issue, with the entity tag of the deleted version (`fhir-server ResourceGoneException.cs`).
    pub(crate) fn gone(etag: String) -> Self {
        Self { etag: Some(etag), ..Self::with_issues(StatusCode::GONE, Vec::new()) }
    }

    /// 404 for a path that the real server does not know (`fhir-server FhirController.cs`, custom error).
    pub(crate) fn unknown_path() -> Self {
        let diagnostics = "The service has no such path.";
        let outcome = Self::framework(StatusCode::NOT_FOUND, "not-found", diagnostics);
        Self { unsupported: true, unknown_route: true, ..outcome }
    }

    /// 405 (`fhir-server FhirController.cs`, custom error).
    pub(crate) fn method_not_allowed() -> Self {
        let diagnostics = "The path does not support this method.";
        let outcome = Self::framework(StatusCode::METHOD_NOT_ALLOWED, "not-supported", diagnostics);
        Self { unknown_route: true, ..outcome }
    }

    /// 501 for something that the real server supports and the fake does not.
    pub(crate) fn unsupported(feature: &str) -> Self {
        let diagnostics = format!("The fake FHIR service does not support {feature}.");
        let outcome = Self::new(StatusCode::NOT_IMPLEMENTED, "not-supported", diagnostics);
        Self { unsupported: true, ..outcome }
    }

    /// Adds the element that the issue is about.
    pub(crate) fn about(mut self, expression: impl Into<String>) -> Self {
        if let Some(issue) = self.issues.last_mut() {
            issue.expression = Some(expression.into());
        }
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the `OperationOutcome`, whose id is that of the request.
    pub(crate) fn value(&self, id: &str, now: OffsetDateTime) -> Value {
        let mut value = json!({"resourceType": "OperationOutcome", "id": id});
        if let Some(fields) = value.as_object_mut() {
            if self.timed {
                fields.insert("meta".to_owned(), json!({"lastUpdated": instant(now)}));
            }
            // FHIR does not allow empty arrays.
            if !self.issues.is_empty() {
                fields.insert("issue".to_owned(), self.issues.iter().map(Issue::value).collect());
            }
        }
        value
    }

    pub(crate) fn into_response(self, id: &str, now: OffsetDateTime) -> Response {
        let body = Body::from(self.value(id, now).to_string());
        let mut response = (self.status, [(header::CONTENT_TYPE, FHIR_JSON)], body).into_response();
        if let Some(etag) = self.etag.and_then(|etag| HeaderValue::try_from(etag).ok()) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        if self.unsupported {
            response.extensions_mut().insert(Unsupported);
        }
        if self.unknown_route {
            response.extensions_mut().insert(UnknownRoute);
        }
        response
    }
}

/// Returns the response to a request that is rejected before the service processes it.
pub(crate) fn error_response(status: StatusCode, id: &str) -> Response {
    let (code, diagnostics) = match status {
        StatusCode::UNAUTHORIZED => ("login", "Authentication failed."),
        StatusCode::FORBIDDEN => ("forbidden", "Authorization failed."),
        // A component in front of the FHIR server creates this response: plain JSON, without an id
        // (`fhir-server ThrottlingMiddleware.cs`).
        StatusCode::TOO_MANY_REQUESTS => {
            let issue = Issue::new("throttled", "Too many at once.").value();
            let body = json!({"resourceType": "OperationOutcome", "issue": [issue]}).to_string();
            let content_type = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
            return (status, content_type, body).into_response();
        }
        _ if status.is_server_error() => ("exception", status.canonical_reason().unwrap_or("Unknown status")),
        _ => ("processing", status.canonical_reason().unwrap_or("Unknown status")),
    };
    Outcome::framework(status, code, diagnostics).into_response(id, OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    #[test]
    fn outcome_has_the_id_of_the_request_and_the_time_of_the_service() {
        let outcome = Outcome::invalid("Why.").about("Patient.id");
        let expected = json!({
            "resourceType": "OperationOutcome",
            "id": "r",
            "meta": {"lastUpdated": "1970-01-01T00:00:00+00:00"},
            "issue": [{
                "severity": "error",
                "code": "invalid",
                "diagnostics": "Why.",
                "expression": ["Patient.id"],
            }],
        });
        assert_eq!(outcome.value("r", NOW), expected);
        let response = outcome.into_response("r", NOW);
        assert_eq!(response.headers()["content-type"], FHIR_JSON);
        assert_eq!(Outcome::unknown_path().value("r", NOW).get("meta"), None);
    }

    #[test]
    fn gone_response_has_an_entity_tag_and_no_issue() {
        let outcome = Outcome::gone("W/\"2\"".to_owned());
        assert_eq!(outcome.value("r", NOW).get("issue"), None);
        let response = outcome.into_response("r", NOW);
        assert_eq!(
            (response.status(), &response.headers()["etag"]),
            (StatusCode::GONE, &"W/\"2\"".parse().unwrap())
        );
    }

    #[test]
    fn unsupported_and_unknown_requests_are_marked_for_the_fallback() {
        for (outcome, marked) in [
            (Outcome::unsupported("XML"), true),
            (Outcome::unknown_path(), true),
            (Outcome::not_found("No."), false),
        ] {
            let status = outcome.status();
            let response = outcome.into_response("r", NOW);
            assert_eq!(response.extensions().get::<Unsupported>().is_some(), marked, "{status}");
        }
    }
}
