//! Why a managed identity was refused, where `azure_identity` says that the machine has none.

use azure_core::{
    Value,
    error::{Error, ErrorKind},
};

use super::complaint::kinds;

/// What `azure_identity` says of every 400, in place of what was answered.
const SUPPOSED: &str = "The requested identity has not been assigned to this resource";

/// What is answered where there is an identity: by Entra, which was asked for it, or by a machine that has several.
const SIGNS: [&str; 3] = ["AADSTS", "invalid_resource", "Multiple user assigned"];

/// What was answered, uncleaned, if it is a refusal.
pub(crate) fn machine_refusal(error: &Error) -> Option<String> {
    kinds(error).find_map(|kind| match kind {
        ErrorKind::HttpResponse { status, raw_response: Some(answer), .. } if u16::from(*status) == 400 => {
            let body = String::from_utf8_lossy(answer.body());
            SIGNS.iter().any(|sign| body.contains(sign)).then(|| {
                let answer = answer.body().json::<Value>().unwrap_or_default();
                let said = answer.get("error_description").and_then(Value::as_str);
                said.map_or_else(|| body.into_owned(), ToOwned::to_owned)
            })
        }
        _ => None,
    })
}

/// The text of the error, in which what was answered takes the place of what was supposed. It is not cleaned.
pub(super) fn corrected(error: &Error) -> String {
    let text = error.to_string();
    match machine_refusal(error) {
        Some(said) => text.replace(SUPPOSED, &said),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use azure_core::http::{RawResponse, headers::Headers};

    use super::*;

    fn answered(status: u16, body: &'static str) -> Error {
        let status = status.into();
        let raw_response = Some(Box::new(RawResponse::from_bytes(status, Headers::new(), body)));
        let kind = ErrorKind::HttpResponse { status, error_code: None, raw_response };
        let error = Error::with_message(kind, SUPPOSED);
        let text = format!("ManagedIdentityCredential authentication failed. {error}");
        Error::with_error(ErrorKind::Credential, error, text)
    }

    #[test]
    fn a_refusal_is_told_in_the_words_of_the_answer() {
        let entra =
            r#"{"error":"invalid_resource","error_description":"AADSTS500011: x was not found.\r\nTrace"}"#;
        let several =
            r#"{"error":"invalid_request","error_description":"Multiple user assigned identities exist"}"#;
        let resource = r#"{"error":"invalid_resource"}"#;
        let unassigned = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
        for (status, body, said) in [
            (400, entra, Some("AADSTS500011: x was not found.\r\nTrace")),
            (400, several, Some("Multiple user assigned identities exist")),
            (400, resource, Some(resource)),
            (400, "AADSTS500011", Some("AADSTS500011")),
            (400, unassigned, None),
            (400, "", None),
            // These are told as they were answered.
            (401, entra, None),
        ] {
            let error = answered(status, body);
            assert_eq!(machine_refusal(&error).as_deref(), said, "{body}");
            let told = said.unwrap_or(SUPPOSED);
            assert_eq!(
                corrected(&error),
                format!("ManagedIdentityCredential authentication failed. {told}"),
                "{body}"
            );
        }
    }
}
