//! Bodies of 401 and 403 responses: a FHIR `OperationOutcome`, or the plain text of the DICOM service.

use serde_json::Value;

use super::hints::ErrorHints;
use crate::text::is_guid;

/// The part of a body that is kept, in bytes. A longer `OperationOutcome` is truncated and cannot be parsed.
pub(crate) const MAX_DENIAL_BODY: usize = 64 * 1024;
const MAX_ISSUES: usize = 16;

/// The codes of FHIR's value set `issue-type` (R4 and R5). Other codes are not kept, because they could be any text.
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

/// The parts of an `OperationOutcome` that may be kept. Its texts can contain patient data, its codes cannot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OperationOutcome {
    /// The codes of the issues that are errors, in their order, with `other` for codes that FHIR does not define.
    pub(super) codes: Vec<&'static str>,
    /// The outcome's id, if it is a GUID. The FHIR service sets it to the request id.
    pub(super) id: Option<String>,
    /// The hints in the texts of its errors.
    pub(super) hints: ErrorHints,
}

impl OperationOutcome {
    /// Parses a body. Returns `None` if it is longer than 64 KiB or not an `OperationOutcome` in JSON.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        if body.len() > MAX_DENIAL_BODY {
            return None;
        }
        let value: Value = serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).ok()?;
        if value.get("resourceType")?.as_str()? != "OperationOutcome" {
            return None;
        }
        let id = value.get("id").and_then(Value::as_str);
        let mut outcome =
            Self { id: id.filter(|id| is_request_id(id)).map(str::to_owned), ..Self::default() };
        let issues = value.get("issue").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for issue in issues.iter().take(MAX_ISSUES).filter(|issue| is_error(issue)) {
            let code = issue.get("code").and_then(Value::as_str);
            outcome.codes.push(CODES.iter().find(|known| Some(**known) == code).unwrap_or(&"other"));
            for text in [issue.get("diagnostics"), issue.pointer("/details/text")].into_iter().flatten() {
                outcome.hints.add(text.as_str().unwrap_or_default());
            }
        }
        outcome.hints.expired |= outcome.has("expired");
        Some(outcome)
    }

    pub(super) fn has(&self, code: &str) -> bool {
        self.codes.contains(&code)
    }
}

/// Returns `true` if `body` is the text of the DICOM service's 403 for a principal without a suitable role.
pub(super) fn is_plain_text_forbidden(body: &[u8]) -> bool {
    body.trim_ascii().eq_ignore_ascii_case(b"Authorization failed.")
}

/// Returns `false` for warnings, because they do not explain why the request failed.
fn is_error(issue: &Value) -> bool {
    !matches!(issue.get("severity").and_then(Value::as_str), Some("warning" | "information" | "success"))
}

/// Returns `true` for a GUID with hyphens or, as older servers write it, without.
fn is_request_id(text: &str) -> bool {
    is_guid(text) || (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::claims::samples::RandomBytes;

    fn parse(value: Value) -> Option<OperationOutcome> {
        OperationOutcome::parse(value.to_string().as_bytes())
    }

    #[test]
    fn only_issues_that_are_errors_contribute_codes() {
        let outcome = parse(
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
    fn texts_of_errors_give_hints_and_are_not_kept() {
        let outcome = parse(json!({"resourceType": "OperationOutcome", "id": "John-Doe", "issue": [
            {"severity": "error", "code": "login", "diagnostics": "The issuer is invalid"},
            {"severity": "error", "code": "login", "details": {"text": "Token expired"}},
            {"severity": "warning", "code": "login", "diagnostics": "The audience is invalid"},
        ]}));
        let outcome = outcome.unwrap();
        assert!(outcome.hints.issuer_invalid && outcome.hints.expired && !outcome.hints.audience_invalid);
        assert_eq!(outcome.id, None);
        assert!(!format!("{outcome:?}").contains("Token"));
    }

    #[test]
    fn outcome_id_is_kept_only_if_it_is_a_guid() {
        for (id, kept) in [
            ("07d1ecac-c62f-47d5-8338-44b86b846edd", true),
            ("07d1ecacc62f47d5833844b86b846edd", true),
            ("07d1ecacc62f47d5833844b86b846ed", false),
            ("07d1ecacc62f47d5833844b86b846edg", false),
            ("john-doe", false),
        ] {
            let outcome = parse(json!({"resourceType": "OperationOutcome", "id": id})).unwrap();
            assert_eq!(outcome.id.as_deref(), kept.then_some(id));
        }
    }

    #[test]
    fn bodies_other_than_operation_outcomes_are_ignored() {
        for value in [
            json!({"resourceType": "Patient", "issue": []}),
            json!([]),
            json!("x"),
            json!({"resourceType": 1}),
        ] {
            assert_eq!(parse(value), None);
        }
        assert_eq!(OperationOutcome::parse(b""), None);
        assert_eq!(OperationOutcome::parse(b"<html>401</html>"), None);
        let padded = format!("{}{{\"resourceType\":\"OperationOutcome\"}}", " ".repeat(MAX_DENIAL_BODY));
        assert_eq!(OperationOutcome::parse(padded.as_bytes()), None);
        let padding = MAX_DENIAL_BODY - r#"{"resourceType":"OperationOutcome"}"#.len();
        assert!(OperationOutcome::parse(&padded.as_bytes()[MAX_DENIAL_BODY - padding..]).is_some());
        assert!(OperationOutcome::parse(b"\xef\xbb\xbf{\"resourceType\":\"OperationOutcome\"}").is_some());
    }

    #[test]
    fn number_of_parsed_issues_is_limited() {
        let outcome =
            parse(json!({"resourceType": "OperationOutcome", "issue": vec![json!({"code": "login"}); 999]}));
        assert_eq!(outcome.unwrap().codes.len(), MAX_ISSUES);
    }

    #[test]
    fn plain_text_forbidden_is_recognized_by_its_whole_text() {
        assert!(is_plain_text_forbidden(b"Authorization failed.\r\n"));
        assert!(!is_plain_text_forbidden(b"<p>Authorization failed.</p>"));
        assert!(!is_plain_text_forbidden(b""));
    }

    #[test]
    fn random_bodies_do_not_panic() {
        let mut random = RandomBytes::new(3);
        for _ in 0..1_000 {
            let mut body = br#"{"resourceType":"OperationOutcome","issue":"#.to_vec();
            body.extend(random.bytes(40, b"[]{}\":,code01\\\xc3"));
            let _ = OperationOutcome::parse(&body);
            let _ = OperationOutcome::parse(&random.bytes(40, b"[]{}\":,e1"));
        }
    }
}
