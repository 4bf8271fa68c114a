//! [`check`]: the interactions that some types of resources exclude.

use http::{Method, StatusCode};

use super::outcome::Outcome;

/// Rejects what the capability statement excludes: Parameters are never stored, AuditEvents never change (`fhir-server
/// ValidateCapabilityPreProcessor.cs`, `CapabilityStatementBuilder.cs`).
pub(super) fn check(resource_type: &str, method: &Method) -> Result<(), Outcome> {
    let is_change = [Method::PUT, Method::PATCH, Method::DELETE].contains(method);
    match resource_type {
        "Parameters" => {}
        "AuditEvent" if is_change => {}
        _ => return Ok(()),
    }
    let diagnostics = "The service does not support this interaction with this type of resource.";
    Err(Outcome::new(StatusCode::METHOD_NOT_ALLOWED, "forbidden", diagnostics))
}
