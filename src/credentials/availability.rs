//! Whether a credential that gave no token is not there, or was refused.

use azure_core::error::{Error, ErrorKind};

use super::CredentialUnavailableError;
use crate::token::{
    complaint::{causes, kinds},
    machine_refusal,
};

/// What the credentials of `azure_identity` say where nothing is installed, set up or signed in. They tell it by their
/// words alone.
const SIGNS: [&str; 5] = [
    // A shell without the tool, a machine without a shell.
    "not found on PATH",
    "wasn't found on PATH",
    "az login",
    "az account set",
    "azd auth login",
];

/// How the errors of those begin that ask tools. The last is of one that asks both.
const TOOLS: [&str; 3] = [
    "AzureCliCredential authentication failed.",
    "AzureDeveloperCliCredential authentication failed.",
    "Multiple errors were encountered while attempting to authenticate:\nAzureCliCredential authentication failed.",
];

/// Where `azure_identity` knows that a machine has an identity, and cannot ask for it.
const UNSUPPORTED: [&str; 4] = ["Azure Arc", "Azure ML", "CloudShell", "Service Fabric"];

/// Whether the error means "not available here", so that a chain goes on. Everything else is a refusal: to go on from
/// one would take another identity than the one that was meant, and hide why.
pub(super) fn is_unavailable(error: &Error) -> bool {
    if causes(error).any(|cause| cause.is::<CredentialUnavailableError>()) {
        return true;
    }
    // Only what begins as those of `azure_identity` do: others quote them, as a chain does that stopped at a refusal.
    let text = error.to_string();
    if text.starts_with("ManagedIdentityCredential authentication failed.") {
        return no_identity(error, &text);
    }
    match text.strip_suffix(" managed identity isn't supported") {
        Some(machine) => UNSUPPORTED.contains(&machine),
        None => TOOLS.iter().any(|tool| text.starts_with(tool)) && no_tool(&text),
    }
}

/// Whether each tool that was asked is not there.
fn no_tool(text: &str) -> bool {
    // Entra was asked and has said no. What is to be done about it can be `az login` as well.
    !text.contains("AADSTS")
        && text
            .split("Credential authentication failed.")
            .skip(1)
            .all(|said| SIGNS.iter().any(|sign| said.contains(sign)))
}

/// Whether a machine has no managed identity, or not the one that is asked for.
fn no_identity(error: &Error, text: &str) -> bool {
    kinds(error).any(|kind| match kind {
        // Nothing listens there: not a machine of Azure.
        ErrorKind::Connection | ErrorKind::Io => true,
        ErrorKind::HttpResponse { status, .. } => match u16::from(*status) {
            // "Identity not found", if it is that.
            400 => machine_refusal(error).is_none(),
            // So says a gateway to an address that leads nowhere.
            502 | 504 => true,
            // So answers Docker Desktop.
            403 => text.contains("unreachable"),
            _ => false,
        },
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use azure_core::http::{RawResponse, StatusCode, headers::Headers};

    use super::*;

    /// As `azure_identity` builds its errors.
    fn identity(name: &str, cause: Error) -> Error {
        let text = format!("{name} authentication failed. {cause}\nTo troubleshoot, visit https://aka.ms/x");
        Error::with_error(ErrorKind::Credential, cause, text)
    }

    fn tool(name: &str, text: &'static str) -> Error {
        identity(name, Error::with_message(ErrorKind::Credential, text))
    }

    /// As its `DeveloperToolsCredential` tells of both.
    fn tools(az: &'static str, azd: &'static str) -> Error {
        let said = format!("{}\n{}", tool(CLI, az), tool(AZD, azd));
        let text = format!("Multiple errors were encountered while attempting to authenticate:\n{said}");
        Error::with_message(ErrorKind::Credential, text)
    }

    fn http(name: &str, status: u16, text: &'static str) -> Error {
        let status = status.into();
        let kind = ErrorKind::HttpResponse { status, error_code: None, raw_response: None };
        identity(name, Error::with_message(kind, text))
    }

    /// As it makes one of a 400, whatever was answered.
    fn machine(body: &'static str) -> Error {
        let response = RawResponse::from_bytes(StatusCode::BadRequest, Headers::new(), body);
        let kind = ErrorKind::HttpResponse {
            status: StatusCode::BadRequest,
            error_code: None,
            raw_response: Some(Box::new(response)),
        };
        let text = "The requested identity has not been assigned to this resource";
        identity(MANAGED, Error::with_message(kind, text))
    }

    fn connection(name: &str) -> Error {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = Error::with_error(ErrorKind::Connection, refused, "failed to execute `reqwest` request");
        identity(name, error.with_context("retry policy expired and the request will no longer be retried"))
    }

    const CLI: &str = "AzureCliCredential";
    const AZD: &str = "AzureDeveloperCliCredential";
    const MANAGED: &str = "ManagedIdentityCredential";
    const SECRET: &str = "ClientSecretCredential";
    const WORKLOAD: &str = "WorkloadIdentityCredential";

    #[test]
    fn only_what_is_not_there_is_passed_over() {
        let docker = "The request failed: A socket operation was attempted to an unreachable network";
        for (unavailable, error) in [
            (true, CredentialUnavailableError::new("nothing here").into()),
            (true, Error::from(CredentialUnavailableError::new("nothing here")).with_context("around it")),
            (true, tool(CLI, "az not found on PATH")),
            (true, tool(CLI, "\"/bin/sh\" wasn't found on PATH")),
            (true, tool(CLI, "ERROR: Please run 'az login' to setup account.")),
            (true, tool(CLI, "ERROR: No subscription found. Run 'az account set' to select a subscription.")),
            (
                false,
                tool(CLI, "ERROR: AADSTS50076: you must use multi-factor … Please run: az login --scope x"),
            ),
            (false, tool(CLI, "ERROR: AADSTS500011: The resource principal named x was not found")),
            (false, tool(CLI, "Traceback (most recent call last): MsalServiceError")),
            (false, tool(CLI, "expires_on field not found. Please use Azure CLI 2.54.0 or newer.")),
            (true, tool(AZD, "azd not found on PATH")),
            (true, tool(AZD, "ERROR: not logged in, run `azd auth login` to login")),
            (false, tool(AZD, "ERROR: AADSTS70043: reauthentication required, run `azd auth login`")),
            (true, connection(MANAGED)),
            (true, machine(r#"{"error":"invalid_request","error_description":"Identity not found"}"#)),
            (true, machine(r#"{"statusCode":400,"message":"No managed identity found"}"#)),
            (true, http(MANAGED, 502, "The request failed due to a gateway error")),
            (true, http(MANAGED, 504, "The request failed due to a gateway error")),
            (true, http(MANAGED, 403, docker)),
            (true, Error::with_message(ErrorKind::Credential, "Azure Arc managed identity isn't supported")),
            (false, http(MANAGED, 403, "The request failed: no permission")),
            (false, http(MANAGED, 500, "The request failed: {}")),
            (
                false,
                machine(r#"{"error_description":"AADSTS700016: Application not found in the directory"}"#),
            ),
            (false, machine(r#"{"error":"invalid_resource"}"#)),
            (false, machine(r#"{"error_description":"Multiple user assigned identities exist"}"#)),
            (false, http(SECRET, 401, "AADSTS7000215: Invalid client secret provided.")),
            (false, http(SECRET, 400, "AADSTS90002: Tenant 'x' not found.")),
            (false, http(SECRET, 503, "")),
            (false, connection(SECRET)),
            (false, http(WORKLOAD, 401, "AADSTS700024: Client assertion is not within its valid time range")),
            (false, tool(WORKLOAD, "failed to read federated token from file /var/run/secrets/x")),
            (false, Error::with_message(ErrorKind::Credential, "the broker says no")),
            // As a chain in which both were passed over, and one that followed was refused.
            (
                false,
                Error::with_message(ErrorKind::Credential, "Azure CLI: run 'az login'; app: no such secret"),
            ),
            (
                false,
                Error::with_message(ErrorKind::Credential, "no: Azure Arc managed identity isn't supported"),
            ),
            (false, Error::with_message(ErrorKind::Io, "ManagedIdentityCredential: connection reset")),
            (true, tools("az not found on PATH", "azd not found on PATH")),
            (true, tools("ERROR: Please run 'az login' to setup account.", "azd not found on PATH")),
            (false, tools("ERROR: Please run 'az login' to setup account.", "Traceback")),
            (false, tools("Traceback", "azd not found on PATH")),
            (false, tools("ERROR: AADSTS50076: run: az login", "azd not found on PATH")),
        ] {
            assert_eq!(is_unavailable(&error), unavailable, "{error}");
        }
    }
}
