//! Parses what PowerShell writes.

use std::{borrow::Cow, process::Output};

use azure_core::{
    credentials::AccessToken,
    error::{Error, ErrorKind, Result},
    time::OffsetDateTime,
};
use serde_json::{Deserializer, Value};

use crate::{credentials::CredentialUnavailableError, redact::redact};

/// The prefix of the script's result, which distinguishes it from module warnings and terminal control sequences.
const PREFIX: &str = "azure_healthcare_auth: ";

/// Returns the token or an error that does not contain the standard output, because it may contain a token.
pub(super) fn parse(output: &Output) -> Result<AccessToken> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    match stdout.split(PREFIX).skip(1).find_map(leading_object) {
        Some(result) => token(&result),
        None => Err(no_result(output, &stdout)),
    }
}

/// Parses the JSON object at the start of `text` and ignores the rest.
fn leading_object(text: &str) -> Option<Value> {
    Deserializer::from_str(text).into_iter::<Value>().next()?.ok().filter(Value::is_object)
}

fn token(result: &Value) -> Result<AccessToken> {
    let text = |name| result.get(name).and_then(Value::as_str);
    if let Some(message) = text("message") {
        let id = text("error_id").unwrap_or_default();
        return Err(known_error(&format!("{id} {message}"))
            .unwrap_or_else(|| error(format!("Azure PowerShell returned no token: {}", redact(message)))));
    }
    let expires_on = result.get("expires_on").and_then(Value::as_i64);
    let expires_on = expires_on.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    match (text("token"), expires_on) {
        (Some(token), Some(expires_on)) if !token.is_empty() => {
            Ok(AccessToken::new(token.to_owned(), expires_on))
        }
        _ => Err(error("Azure PowerShell returned an invalid result: the token or its expiry is missing")),
    }
}

/// Returns the error for a script that did not write a result.
fn no_result(output: &Output, stdout: &str) -> Error {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let all = format!("{stderr} {stdout}");
    if output.status.code() == Some(127) || all.contains("is not recognized") {
        return not_installed();
    }
    known_error(&all).unwrap_or_else(|| {
        error(format!("Azure PowerShell returned no result ({}): {}", output.status, redact(&stderr)))
    })
}

/// Returns the error for a message of PowerShell or its module that is known.
///
/// PowerShell translates messages, but not error ids.
fn known_error(message: &str) -> Option<Error> {
    // PowerShell wraps lines at the width of the terminal.
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let contains_any = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    if message.contains("AADSTS") {
        // Entra's error is more specific than what the module adds to it.
        return None;
    }
    if contains_any(&[
        "Run Connect-AzAccount to login",
        "No accounts were found in the cache",
        "credentials have not been set up or have expired",
    ]) {
        let reason = "no account is signed in to Azure PowerShell: run `Connect-AzAccount`";
        return Some(CredentialUnavailableError::new(reason).into());
    }
    if contains_any(&[
        "Modules_ModuleWithVersionNotFound",
        "Modules_ModuleNotFound",
        "no valid module file was found",
    ]) {
        let reason = "Azure PowerShell is missing or too old: run `Install-Module Az.Accounts -Force` in PowerShell \
                      (version 2.2.0 or newer is required)";
        return Some(CredentialUnavailableError::new(reason).into());
    }
    if contains_any(&["AuthorizationManager check failed", "about_Execution_Policies", "UnauthorizedAccess,"])
    {
        return Some(error(
            "PowerShell's execution policy prevents Azure PowerShell from loading: see `Get-ExecutionPolicy -List` \
             and `Set-ExecutionPolicy`",
        ));
    }
    None
}

/// Returns the error for a missing PowerShell.
pub(super) fn not_installed() -> Error {
    let reason = "PowerShell was not found: install PowerShell 7 so that `pwsh` is on PATH, then run \
                  `Install-Module Az.Accounts` and `Connect-AzAccount` in it";
    CredentialUnavailableError::new(reason).into()
}

fn error(message: impl Into<Cow<'static, str>>) -> Error {
    Error::with_message(ErrorKind::Credential, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the token, or whether the credential is unavailable and the error's text.
    fn parse_text(stdout: &str, stderr: &str) -> std::result::Result<String, (bool, String)> {
        let output = Output { status: Default::default(), stdout: stdout.into(), stderr: stderr.into() };
        parse(&output).map(|token| token.token.secret().to_owned()).map_err(|error| {
            let cause = std::error::Error::source(&error);
            (cause.is_some_and(|cause| cause.is::<CredentialUnavailableError>()), error.to_string())
        })
    }

    #[test]
    fn result_is_the_first_object_after_the_prefix() {
        let result = r#"azure_healthcare_auth: {"token":"abc","expires_on":1900000000}"#;
        for stdout in [
            result.to_owned(),
            format!("WARNING: x\r\n\u{1b}[?1h{result}\r\n{{\"token\":\"other\"}}"),
            format!("azure_healthcare_auth: noise\n{result}"),
        ] {
            let token = parse_text(&stdout, "AuthorizationManager check failed");
            assert_eq!(token.as_deref(), Ok("abc"), "{stdout}");
        }
        assert!(include_str!("get_token.ps1").contains(&format!("'{PREFIX}'")));
    }

    #[test]
    fn known_messages_decide_whether_credential_is_unavailable() {
        for (unavailable, expected, stderr) in [
            (true, "PowerShell 7", "'pwsh' is not recognized as an internal or external command"),
            (true, "Install-Module", "... because no valid module file was found in any module directory."),
            (true, "Connect-AzAccount", "Run Connect-AzAccount\r\nto login."),
            (true, "Connect-AzAccount", "No accounts were found in the cache."),
            (false, "execution policy", "AuthorizationManager check failed."),
            (false, "AADSTS50076", "AADSTS50076: multi-factor. Run Connect-AzAccount to login."),
            (false, "returned no result", "something else"),
        ] {
            let (is_unavailable, message) = parse_text("", stderr).unwrap_err();
            assert!(is_unavailable == unavailable && message.contains(expected), "{message}");
        }
    }

    #[test]
    fn error_ids_are_recognized_with_translated_messages() {
        for (unavailable, id) in [
            (true, "Modules_ModuleWithVersionNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand"),
            (false, "UnauthorizedAccess,Microsoft.PowerShell.Commands.ImportModuleCommand"),
        ] {
            let stdout = format!(r#"{PREFIX}{{"error_id":"{id}","message":"kaputt"}}"#);
            let (is_unavailable, message) = parse_text(&stdout, "").unwrap_err();
            assert!(is_unavailable == unavailable && !message.contains("kaputt"), "{message}");
        }
    }
}
