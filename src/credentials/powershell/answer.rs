//! What PowerShell's answer means.

use std::process::Output;

use azure_core::{
    credentials::AccessToken,
    error::{Error, ErrorKind, Result},
    time::OffsetDateTime,
};
use serde_json::{Deserializer, Value};

use crate::{credentials::Unavailable, token::clean};

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
            Unavailable::new("nobody is signed in to Azure PowerShell: run `Connect-AzAccount`").into(),
        );
    }
    if says(&[
        "Modules_ModuleWithVersionNotFound",
        "Modules_ModuleNotFound",
        "no valid module file was found",
    ]) {
        let why = "Azure PowerShell is not installed, or is too old: run `Install-Module Az.Accounts -Force` in \
                   PowerShell, which needs Az.Accounts 2.2.0 or newer here";
        return Some(Unavailable::new(why).into());
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
    Unavailable::new(why).into()
}

fn refused(why: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::with_message(ErrorKind::Credential, why)
}
