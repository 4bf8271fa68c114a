//! What PowerShell's answer means.

use std::process::Output;

use azure_core::{
    credentials::AccessToken,
    error::{Error, ErrorKind, Result},
    time::OffsetDateTime,
};
use serde_json::{Deserializer, Value};

use crate::{credentials::CredentialUnavailableError, redact::redact as clean};

/// What the script writes before its answer, to tell it from what else is written: notes of modules, control sequences
/// of the terminal.
const MARK: &str = "azure_healthcare_auth: ";

/// The token, or the error. The output itself is in no error: it can hold a token.
pub(super) fn read(output: &Output) -> Result<AccessToken> {
    let stdout = String::from_utf8_lossy(&output.stdout);
    match stdout.split(MARK).skip(1).find_map(object) {
        Some(answer) => token(&answer),
        None => Err(silent(output, &stdout)),
    }
}

/// The object at the start of `text`, whatever follows.
fn object(text: &str) -> Option<Value> {
    Deserializer::from_str(text).into_iter::<Value>().next()?.ok().filter(Value::is_object)
}

fn token(answer: &Value) -> Result<AccessToken> {
    let text = |name| answer.get(name).and_then(Value::as_str);
    if let Some(said) = text("said") {
        let id = text("id").unwrap_or_default();
        return Err(known(&format!("{id} {said}"))
            .unwrap_or_else(|| refused(format!("Azure PowerShell gave no token: {}", clean(said)))));
    }
    let end = answer.get("expires_on").and_then(Value::as_i64);
    match (text("token"), end.and_then(|end| OffsetDateTime::from_unix_timestamp(end).ok())) {
        (Some(token), Some(end)) if !token.is_empty() => Ok(AccessToken::new(token.to_owned(), end)),
        _ => Err(refused(
            "Azure PowerShell gave an answer that cannot be read: no token, or no time of its end",
        )),
    }
}

/// The script did not come to its end.
fn silent(output: &Output, stdout: &str) -> Error {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let all = format!("{stderr} {stdout}");
    if output.status.code() == Some(127) || all.contains("is not recognized") {
        return not_installed();
    }
    known(&all).unwrap_or_else(|| {
        refused(format!("Azure PowerShell gave no answer ({}): {}", output.status, clean(&stderr)))
    })
}

/// The error for what PowerShell or its module is known to say. PowerShell translates its texts, not its ids.
fn known(said: &str) -> Option<Error> {
    // Lines are broken at the width of a terminal.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let says = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    if says(&["AADSTS"]) {
        // Entra's own words are more to the point than what the module makes of them.
        return None;
    }
    if says(&[
        "Run Connect-AzAccount to login",
        "No accounts were found in the cache",
        "credentials have not been set up or have expired",
    ]) {
        return Some(
            CredentialUnavailableError::new(
                "nobody is signed in to Azure PowerShell: run `Connect-AzAccount`",
            )
            .into(),
        );
    }
    if says(&[
        "Modules_ModuleWithVersionNotFound",
        "Modules_ModuleNotFound",
        "no valid module file was found",
    ]) {
        let why = "Azure PowerShell is not installed, or is too old: run `Install-Module Az.Accounts -Force` in \
                   PowerShell, which needs Az.Accounts 2.2.0 or newer here";
        return Some(CredentialUnavailableError::new(why).into());
    }
    if says(&["AuthorizationManager check failed", "about_Execution_Policies", "UnauthorizedAccess,"]) {
        return Some(refused(
            "PowerShell's execution policy keeps Azure PowerShell from being loaded: see `Get-ExecutionPolicy -List` \
             and `Set-ExecutionPolicy`",
        ));
    }
    None
}

/// There is no PowerShell.
pub(super) fn not_installed() -> Error {
    let why = "PowerShell was not found: install PowerShell 7 so that `pwsh` is on PATH, then run \
               `Install-Module Az.Accounts` and `Connect-AzAccount` in it";
    CredentialUnavailableError::new(why).into()
}

fn refused(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::with_message(ErrorKind::Credential, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(stdout: &str, stderr: &str) -> std::result::Result<String, (bool, String)> {
        let output = Output { status: Default::default(), stdout: stdout.into(), stderr: stderr.into() };
        read(&output).map(|token| token.token.secret().to_owned()).map_err(|error| {
            let cause = std::error::Error::source(&error);
            (cause.is_some_and(|cause| cause.is::<CredentialUnavailableError>()), error.to_string())
        })
    }

    #[test]
    fn the_marked_line_is_the_answer() {
        let answer = r#"azure_healthcare_auth: {"token":"abc","expires_on":1900000000}"#;
        for stdout in [
            answer.to_owned(),
            format!("WARNING: x\r\n\u{1b}[?1h{answer}\r\n{{\"token\":\"other\"}}"),
            format!("azure_healthcare_auth: noise\n{answer}"),
        ] {
            assert_eq!(told(&stdout, "AuthorizationManager check failed").as_deref(), Ok("abc"), "{stdout}");
        }
        assert!(include_str!("get_token.ps1").contains(&format!("'{MARK}'")));
    }

    #[test]
    fn what_is_said_decides_whether_there_is_anybody_to_ask() {
        for (unavailable, part, said) in [
            (true, "PowerShell 7", "'pwsh' is not recognized as an internal or external command"),
            (true, "Install-Module", "... because no valid module file was found in any module directory."),
            (true, "Connect-AzAccount", "Run Connect-AzAccount\r\nto login."),
            (true, "Connect-AzAccount", "No accounts were found in the cache."),
            (false, "execution policy", "AuthorizationManager check failed."),
            (false, "AADSTS50076", "AADSTS50076: multi-factor. Run Connect-AzAccount to login."),
            (false, "gave no", "something else"),
        ] {
            let (is, told) = told("", said).unwrap_err();
            assert!(is == unavailable && told.contains(part), "{told}");
        }
    }

    #[test]
    fn an_id_is_the_same_in_every_language() {
        for (unavailable, id) in [
            (true, "Modules_ModuleWithVersionNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand"),
            (false, "UnauthorizedAccess,Microsoft.PowerShell.Commands.ImportModuleCommand"),
        ] {
            let stdout = format!(r#"{MARK}{{"id":"{id}","said":"kaputt"}}"#);
            let (is, told) = told(&stdout, "").unwrap_err();
            assert!(is == unavailable && !told.contains("kaputt"), "{told}");
        }
    }
}
