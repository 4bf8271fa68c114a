//! Interpretation of the error messages of `azure_identity`.
//!
//! Its credentials report most failures only in words. All code that depends on those words is in this file.

use azure_core::{
    Value,
    error::{Error, ErrorKind},
};

use super::unavailable_error::CredentialUnavailableError;
use crate::error::chain::{azure_core_kinds, error_chain};

pub(super) const MANAGED_IDENTITY_FAILED: &str = "ManagedIdentityCredential authentication failed.";

/// The message of `ManagedIdentityCredential` for every 400, whatever the response body contains.
const IDENTITY_NOT_ASSIGNED: &str = "The requested identity has not been assigned to this resource";

/// Substrings of the body of a 400 that imply that the machine has an identity: Entra rejected the token request, or the
/// machine has several identities.
const IDENTITY_EXISTS: [&str; 3] = ["AADSTS", "invalid_resource", "Multiple user assigned"];

/// The prefixes of the messages of `AzureCliCredential`, `AzureDeveloperCliCredential` and `DeveloperToolsCredential`.
const TOOL_FAILED: [&str; 3] = [
    "AzureCliCredential authentication failed.",
    "AzureDeveloperCliCredential authentication failed.",
    "Multiple errors were encountered while attempting to authenticate:\nAzureCliCredential authentication failed.",
];

/// Substrings of those messages that mean that the tool is not installed, no user is signed in, or no subscription is
/// selected.
const TOOL_UNAVAILABLE: [&str; 5] = [
    // The tool or the shell that runs it is missing.
    "not found on PATH",
    "wasn't found on PATH",
    "az login",
    "az account set",
    "azd auth login",
];

/// Managed identity sources that `azure_identity` recognizes but does not support.
const UNSUPPORTED_SOURCES: [&str; 4] = ["Azure Arc", "Azure ML", "CloudShell", "Service Fabric"];

/// Returns `true` if the credential is unavailable on this machine, so that a chain continues with its next member.
///
/// Any other error must stop the chain. Continuing would use an identity other than the intended one and hide the cause.
pub(super) fn is_unavailable(error: &Error) -> bool {
    if error_chain(error).any(|error| error.is::<CredentialUnavailableError>()) {
        return true;
    }
    // Only the start of the message identifies the credential, because other errors may quote these messages: a chain
    // that stopped at a rejection quotes those of all its members.
    let message = error.to_string();
    if message.starts_with(MANAGED_IDENTITY_FAILED) {
        return has_no_identity(error, &message);
    }
    match message.strip_suffix(" managed identity isn't supported") {
        Some(source) => UNSUPPORTED_SOURCES.contains(&source),
        None => TOOL_FAILED.iter().any(|start| message.starts_with(start)) && all_tools_unavailable(&message),
    }
}

fn all_tools_unavailable(message: &str) -> bool {
    // After a rejection by Entra, the tool may also suggest `az login`.
    !message.contains("AADSTS")
        && message
            .split("Credential authentication failed.")
            .skip(1)
            .all(|reason| TOOL_UNAVAILABLE.iter().any(|part| reason.contains(part)))
}

/// Returns `true` if the machine has no managed identity, or not the requested one.
fn has_no_identity(error: &Error, message: &str) -> bool {
    azure_core_kinds(error).any(|kind| match kind {
        // The endpoint is unreachable: this is not an Azure machine.
        ErrorKind::Connection | ErrorKind::Io => true,
        ErrorKind::HttpResponse { status, .. } => match u16::from(*status) {
            // "Identity not found", unless the body shows another reason.
            400 => managed_identity_rejection(error).is_none(),
            // A proxy returns these statuses for a host that it cannot reach.
            502 | 504 => true,
            // Docker Desktop returns this for 169.254.169.254.
            403 => message.contains("unreachable"),
            _ => false,
        },
        _ => false,
    })
}

/// Returns the endpoint's error message, unredacted, if the endpoint rejected a request for an identity that exists.
fn managed_identity_rejection(error: &Error) -> Option<String> {
    azure_core_kinds(error).find_map(|kind| match kind {
        ErrorKind::HttpResponse { status, raw_response: Some(response), .. } if u16::from(*status) == 400 => {
            let body = String::from_utf8_lossy(response.body());
            IDENTITY_EXISTS.iter().any(|part| body.contains(part)).then(|| {
                let json = response.body().json::<Value>().unwrap_or_default();
                let description = json.get("error_description").and_then(Value::as_str);
                description.map_or_else(|| body.into_owned(), ToOwned::to_owned)
            })
        }
        _ => None,
    })
}

/// Returns the message of `error`, unredacted.
///
/// If `azure_identity` replaced the endpoint's message with a guess, restores the original.
pub(super) fn corrected_message(error: &Error) -> String {
    let message = error.to_string();
    match managed_identity_rejection(error) {
        Some(original) => message.replace(IDENTITY_NOT_ASSIGNED, &original),
        None => message,
    }
}

/// Returns the part of a one-line message that is specific to the failure.
///
/// Removes the name of the credential at the start and every link to the troubleshooting guide.
pub(super) fn without_boilerplate(message: &str) -> String {
    let message = match message.split_once(" authentication failed. ") {
        Some((name, reason)) if name.ends_with("Credential") && !name.contains(' ') => reason,
        _ => message,
    };
    let mut parts = message.split(" To troubleshoot, visit ");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // The link ends at a space, or at the colon before the reason of a failed connection.
        let end = [part.find(": "), part.find(' ')].into_iter().flatten().min();
        result.push_str(end.and_then(|end| part.get(end..)).unwrap_or_default());
    }
    result
}

#[cfg(test)]
mod tests {
    use azure_core::http::{RawResponse, StatusCode, headers::Headers};

    use super::*;

    const CLI: &str = "AzureCliCredential";
    const AZD: &str = "AzureDeveloperCliCredential";
    const MANAGED: &str = "ManagedIdentityCredential";
    const SECRET: &str = "ClientSecretCredential";
    const WORKLOAD: &str = "WorkloadIdentityCredential";

    /// An error of the credential `name`, as `azure_identity` builds it.
    fn credential_error(name: &str, source: Error) -> Error {
        let message =
            format!("{name} authentication failed. {source}\nTo troubleshoot, visit https://aka.ms/x");
        Error::with_error(ErrorKind::Credential, source, message)
    }

    fn tool_error(name: &str, message: &'static str) -> Error {
        credential_error(name, Error::with_message(ErrorKind::Credential, message))
    }

    /// An error of `DeveloperToolsCredential`.
    fn developer_tools_error(az: &'static str, azd: &'static str) -> Error {
        let messages = format!("{}\n{}", tool_error(CLI, az), tool_error(AZD, azd));
        let message =
            format!("Multiple errors were encountered while attempting to authenticate:\n{messages}");
        Error::with_message(ErrorKind::Credential, message)
    }

    fn http_error(name: &str, status: u16, message: &'static str) -> Error {
        let status = status.into();
        let kind = ErrorKind::HttpResponse { status, error_code: None, raw_response: None };
        credential_error(name, Error::with_message(kind, message))
    }

    /// An error of `ManagedIdentityCredential` for a response with a body.
    fn managed_identity_error(status: StatusCode, body: &'static str) -> Error {
        let response = RawResponse::from_bytes(status, Headers::new(), body);
        let raw_response = Some(Box::new(response));
        let kind = ErrorKind::HttpResponse { status, error_code: None, raw_response };
        credential_error(MANAGED, Error::with_message(kind, IDENTITY_NOT_ASSIGNED))
    }

    fn bad_request(body: &'static str) -> Error {
        managed_identity_error(StatusCode::BadRequest, body)
    }

    fn connection_error(name: &str) -> Error {
        let connection_refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = Error::with_error(
            ErrorKind::Connection,
            connection_refused,
            "failed to execute `reqwest` request",
        );
        let context = "retry policy expired and the request will no longer be retried";
        credential_error(name, error.with_context(context))
    }

    fn unavailable_error() -> Error {
        CredentialUnavailableError::new("no broker is running").into()
    }

    fn other_error(message: &'static str) -> Error {
        Error::with_message(ErrorKind::Credential, message)
    }

    #[test]
    fn only_missing_credentials_are_unavailable() {
        let docker = "The request failed: A socket operation was attempted to an unreachable network";
        let not_logged_in = "ERROR: Please run 'az login' to setup account.";
        for (unavailable, error) in [
            (true, unavailable_error()),
            (true, unavailable_error().with_context("context")),
            (true, tool_error(CLI, "az not found on PATH")),
            (true, tool_error(CLI, "\"/bin/sh\" wasn't found on PATH")),
            (true, tool_error(CLI, not_logged_in)),
            (
                true,
                tool_error(
                    CLI,
                    "ERROR: No subscription found. Run 'az account set' to select a subscription.",
                ),
            ),
            (
                false,
                tool_error(
                    CLI,
                    "ERROR: AADSTS50076: you must use multi-factor … Please run: az login --scope x",
                ),
            ),
            (false, tool_error(CLI, "ERROR: AADSTS500011: The resource principal named x was not found")),
            (false, tool_error(CLI, "Traceback (most recent call last): MsalServiceError")),
            (false, tool_error(CLI, "expires_on field not found. Please use Azure CLI 2.54.0 or newer.")),
            (true, tool_error(AZD, "azd not found on PATH")),
            (true, tool_error(AZD, "ERROR: not logged in, run `azd auth login` to login")),
            (false, tool_error(AZD, "ERROR: AADSTS70043: reauthentication required, run `azd auth login`")),
            (true, connection_error(MANAGED)),
            (true, bad_request(r#"{"error":"invalid_request","error_description":"Identity not found"}"#)),
            (true, bad_request(r#"{"statusCode":400,"message":"No managed identity found"}"#)),
            (true, http_error(MANAGED, 502, "The request failed due to a gateway error")),
            (true, http_error(MANAGED, 504, "The request failed due to a gateway error")),
            (true, http_error(MANAGED, 403, docker)),
            (true, other_error("Azure Arc managed identity isn't supported")),
            (false, http_error(MANAGED, 403, "The request failed: no permission")),
            (false, http_error(MANAGED, 500, "The request failed: {}")),
            (
                false,
                bad_request(
                    r#"{"error_description":"AADSTS700016: Application not found in the directory"}"#,
                ),
            ),
            (false, bad_request(r#"{"error":"invalid_resource"}"#)),
            (false, bad_request(r#"{"error_description":"Multiple user assigned identities exist"}"#)),
            (false, http_error(SECRET, 401, "AADSTS7000215: Invalid client secret provided.")),
            (false, http_error(SECRET, 400, "AADSTS90002: Tenant 'x' not found.")),
            (false, http_error(SECRET, 503, "")),
            (false, connection_error(SECRET)),
            (
                false,
                http_error(
                    WORKLOAD,
                    401,
                    "AADSTS700024: Client assertion is not within its valid time range",
                ),
            ),
            (false, tool_error(WORKLOAD, "failed to read federated token from file /var/run/secrets/x")),
            (false, other_error("the broker rejected the request")),
            // From a chain that skipped its first member and stopped at its second.
            (false, other_error("Azure CLI: run 'az login'; app: no such secret")),
            (false, other_error("broker: Azure Arc managed identity isn't supported")),
            (false, Error::with_message(ErrorKind::Io, "ManagedIdentityCredential: connection reset")),
            (true, developer_tools_error("az not found on PATH", "azd not found on PATH")),
            (true, developer_tools_error(not_logged_in, "azd not found on PATH")),
            (false, developer_tools_error(not_logged_in, "Traceback")),
            (false, developer_tools_error("Traceback", "azd not found on PATH")),
            (false, developer_tools_error("ERROR: AADSTS50076: run: az login", "azd not found on PATH")),
        ] {
            assert_eq!(is_unavailable(&error), unavailable, "{error}");
        }
    }

    #[test]
    fn corrected_message_contains_endpoint_error() {
        const REJECTED: &str =
            r#"{"error":"invalid_resource","error_description":"AADSTS500011: x was not found.\r\nTrace"}"#;
        const SEVERAL: &str =
            r#"{"error":"invalid_request","error_description":"Multiple user assigned identities exist"}"#;
        const INVALID_RESOURCE: &str = r#"{"error":"invalid_resource"}"#;
        const NOT_FOUND: &str = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
        for (status, body, rejection) in [
            (400, REJECTED, Some("AADSTS500011: x was not found.\r\nTrace")),
            (400, SEVERAL, Some("Multiple user assigned identities exist")),
            (400, INVALID_RESOURCE, Some(INVALID_RESOURCE)),
            (400, "AADSTS500011", Some("AADSTS500011")),
            (400, NOT_FOUND, None),
            (400, "", None),
            // For other statuses `azure_identity` keeps the original message.
            (401, REJECTED, None),
        ] {
            let error = managed_identity_error(status.into(), body);
            assert_eq!(managed_identity_rejection(&error).as_deref(), rejection, "{body}");
            let start = format!("{MANAGED_IDENTITY_FAILED} {}", rejection.unwrap_or(IDENTITY_NOT_ASSIGNED));
            assert!(corrected_message(&error).starts_with(&start), "{body}");
        }
    }

    #[test]
    fn boilerplate_is_removed_from_messages() {
        for (message, reason) in [
            (
                "XCredential authentication failed. no secret To troubleshoot, visit https://aka.ms/x",
                "no secret",
            ),
            ("XCredential authentication failed. no secret", "no secret"),
            ("no secret", "no secret"),
            (
                "XCredential authentication failed. no retries left To troubleshoot, visit https://aka.ms/x: refused",
                "no retries left: refused",
            ),
            (
                "Multiple errors: XCredential authentication failed. no x To troubleshoot, visit https://aka.ms/x \
                 YCredential authentication failed. no y To troubleshoot, visit https://aka.ms/y",
                "Multiple errors: XCredential authentication failed. no x YCredential authentication failed. no y",
            ),
            (
                "the broker reports: authentication failed. no z",
                "the broker reports: authentication failed. no z",
            ),
        ] {
            assert_eq!(without_boilerplate(message), reason);
        }
    }
}
