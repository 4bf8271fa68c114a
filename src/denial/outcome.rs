//! What the body of a refusal says: a FHIR `OperationOutcome`, or the DICOM service's plain sentence.

use serde_json::Value;

use super::said::Said;
use crate::text::is_guid;

/// How much of a refusal's body is kept and read, in bytes. A longer one is cut, and is no JSON then.
pub(crate) const LONGEST_BODY: usize = 64 * 1024;
const MAX_ISSUES: usize = 16;

/// The codes of FHIR's value set `issue-type` (R4 and R5). A code outside is not kept: it could say anything.
const CODES: [&str; 33] = [
    "invalid",
    "structure",
    "required",
    "value",
    "invariant",
    "security",
    "login",
    "unknown",
    "expired",
    "forbidden",
    "suppressed",
    "processing",
    "not-supported",
    "duplicate",
    "multiple-matches",
    "not-found",
    "deleted",
    "too-long",
    "code-invalid",
    "extension",
    "too-costly",
    "business-rule",
    "conflict",
    "transient",
    "lock-error",
    "no-store",
    "exception",
    "timeout",
    "incomplete",
    "throttled",
    "informational",
    "success",
    "limited-filter",
];

/// The part of an `OperationOutcome` that may be kept: its texts can be about a patient, its codes cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The codes of the issues that are errors, in their order; `other` for one that FHIR does not know.
    pub(crate) codes: Vec<&'static str>,
    /// The outcome's id where it is a GUID: the FHIR service repeats its request id there.
    pub(crate) id: Option<String>,
    /// What the texts of its errors say about the token.
    pub(crate) said: Said,
}

impl Outcome {
    /// The outcome in `body`. `None` where that is longer than 64 KiB or no `OperationOutcome` in JSON.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        if body.len() > LONGEST_BODY {
            return None;
        }
        let value: Value = serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok()?;
        if value.get("resourceType")?.as_str()? != "OperationOutcome" {
            return None;
        }
        let id = value.get("id").and_then(Value::as_str);
        let mut outcome = Self { id: id.filter(|id| is_id(id)).map(str::to_owned), ..Self::default() };
        let issues = value.get("issue").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for issue in issues.iter().take(MAX_ISSUES).filter(|issue| is_grave(issue)) {
            let code = issue.get("code").and_then(Value::as_str);
            outcome.codes.push(CODES.iter().find(|known| Some(**known) == code).unwrap_or(&"other"));
            for text in [issue.get("diagnostics"), issue.pointer("/details/text")].into_iter().flatten() {
                outcome.said.read(text.as_str().unwrap_or_default());
            }
        }
        outcome.said.ended |= outcome.has("expired");
        Some(outcome)
    }

    pub(crate) fn has(&self, code: &str) -> bool {
        self.codes.contains(&code)
    }
}

/// Whether `body` is the sentence with which the DICOM service says that the principal may not do this.
pub(crate) fn says_forbidden(body: &[u8]) -> bool {
    body.trim_ascii().eq_ignore_ascii_case(b"Authorization failed.")
}

/// A warning beside the error does not say why the request was refused.
fn is_grave(issue: &Value) -> bool {
    !matches!(issue.get("severity").and_then(Value::as_str), Some("warning" | "information" | "success"))
}

/// Older servers write the GUID without hyphens.
fn is_id(text: &str) -> bool {
    is_guid(text) || (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::samples::Noise;
    use serde_json::json;

    fn read(value: Value) -> Option<Outcome> {
        Outcome::read(value.to_string().as_bytes())
    }

    #[test]
    fn the_codes_of_errors_are_read() {
        let outcome = read(
            json!({"resourceType": "OperationOutcome", "id": "07d1ecac-c62f-47d5-8338-44b86b846edd", "issue": [
                {"severity": "warning", "code": "informational"},
                {"severity": "error", "code": "not-supported"},
                {"severity": "fatal", "code": "John Doe"},
                {"code": "forbidden"},
                {}, 7,
            ]}),
        );
        let outcome = outcome.unwrap();
        assert_eq!(outcome.codes, ["not-supported", "other", "forbidden", "other", "other"]);
        assert_eq!(outcome.id.as_deref(), Some("07d1ecac-c62f-47d5-8338-44b86b846edd"));
        assert!(outcome.has("forbidden") && !outcome.has("login"));
    }

    #[test]
    fn the_texts_of_errors_are_heard_and_not_kept() {
        let outcome = read(json!({"resourceType": "OperationOutcome", "id": "John-Doe", "issue": [
            {"severity": "error", "code": "login", "diagnostics": "The issuer is invalid"},
            {"severity": "error", "code": "login", "details": {"text": "Token expired"}},
            {"severity": "warning", "code": "login", "diagnostics": "The audience is invalid"},
        ]}));
        let outcome = outcome.unwrap();
        assert!(outcome.said.issuer && outcome.said.ended && !outcome.said.audience);
        assert_eq!(outcome.id, None);
        assert!(!format!("{outcome:?}").contains("Token"));
    }

    #[test]
    fn an_id_is_one_only_if_it_is_a_guid() {
        for (id, kept) in [
            ("07d1ecac-c62f-47d5-8338-44b86b846edd", true),
            ("07d1ecacc62f47d5833844b86b846edd", true),
            ("07d1ecacc62f47d5833844b86b846ed", false),
            ("07d1ecacc62f47d5833844b86b846edg", false),
            ("john-doe", false),
        ] {
            let outcome = read(json!({"resourceType": "OperationOutcome", "id": id})).unwrap();
            assert_eq!(outcome.id.as_deref(), kept.then_some(id));
        }
    }

    #[test]
    fn what_is_no_outcome_is_none() {
        for value in [
            json!({"resourceType": "Patient", "issue": []}),
            json!([]),
            json!("x"),
            json!({"resourceType": 1}),
        ] {
            assert_eq!(read(value), None);
        }
        assert_eq!(Outcome::read(b""), None);
        assert_eq!(Outcome::read(b"<html>401</html>"), None);
        let padded = format!("{}{{\"resourceType\":\"OperationOutcome\"}}", " ".repeat(LONGEST_BODY));
        assert_eq!(Outcome::read(padded.as_bytes()), None);
        let room = LONGEST_BODY - r#"{"resourceType":"OperationOutcome"}"#.len();
        assert!(Outcome::read(&padded.as_bytes()[LONGEST_BODY - room..]).is_some());
        assert!(Outcome::read(b"\xef\xbb\xbf{\"resourceType\":\"OperationOutcome\"}").is_some());
    }

    #[test]
    fn the_number_of_issues_has_a_limit() {
        let outcome =
            read(json!({"resourceType": "OperationOutcome", "issue": vec![json!({"code": "login"}); 999]}));
        assert_eq!(outcome.unwrap().codes.len(), MAX_ISSUES);
    }

    #[test]
    fn the_plain_refusal_is_known_and_nothing_else_is() {
        assert!(says_forbidden(b"Authorization failed.\r\n"));
        assert!(!says_forbidden(b"<p>Authorization failed.</p>"));
        assert!(!says_forbidden(b""));
    }

    #[test]
    fn any_body_is_read_without_a_panic() {
        let mut noise = Noise::new(3);
        for _ in 0..1_000 {
            let mut body = br#"{"resourceType":"OperationOutcome","issue":"#.to_vec();
            body.extend(noise.bytes(40, b"[]{}\":,code01\\\xc3"));
            let _ = Outcome::read(&body);
            let _ = Outcome::read(&noise.bytes(40, b"[]{}\":,e1"));
        }
    }
}
