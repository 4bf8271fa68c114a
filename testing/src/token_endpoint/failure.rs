//! [`Failure`]: an error response of the token endpoint.

use axum::response::Response;
use azure_core::time::{Duration, OffsetDateTime};
use http::StatusCode;
use serde_json::json;

use super::{codes::known, json::json_response};

/// An error with an AADSTS code.
#[derive(Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) code: u32,
    /// The name of the parameter, method or grant type that is wrong.
    pub(super) name: String,
    /// The status if it is not the usual one of the code.
    pub(super) status: Option<StatusCode>,
}

impl Failure {
    pub(super) fn new(code: u32) -> Self {
        Self { code, name: String::new(), status: None }
    }

    pub(super) fn named(code: u32, name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::new(code) }
    }

    /// A grant type of Entra that the fake does not support.
    pub(super) fn unsupported(grant_type: &str) -> Self {
        Self { status: Some(StatusCode::NOT_IMPLEMENTED), ..Self::named(70003, grant_type) }
    }

    pub(super) fn status(&self) -> StatusCode {
        let usual = || StatusCode::from_u16(known(self.code).status).unwrap_or(StatusCode::BAD_REQUEST);
        self.status.unwrap_or_else(usual)
    }

    /// Returns the response, with the fields of an error of Entra (Microsoft Entra documentation
    /// `reference-error-codes.md`).
    pub(super) fn response(&self, context: &Context<'_>) -> Response {
        let Self { code, name, .. } = self;
        let known = known(*code);
        let mut text = known.text.to_owned();
        for (placeholder, value) in [
            ("{client}", context.client),
            ("{tenant}", context.tenant),
            ("{resource}", context.resource),
            ("{scope}", context.scope),
            ("{name}", name),
        ] {
            text = text.replace(placeholder, value);
        }
        if self.status == Some(StatusCode::NOT_IMPLEMENTED) {
            text.push_str(" This fake token endpoint does not support it.");
        }
        let (timestamp, trace, correlation) = (timestamp(context.now), &context.trace, context.correlation);
        // Entra used line breaks between these parts before. Since then it uses spaces.
        let description = format!(
            "AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
        );
        let body = json!({
            "error": known.error,
            "error_description": description,
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        });
        json_response(self.status(), &body)
    }
}

/// The values in the text of an error.
pub(super) struct Context<'a> {
    pub(super) client: &'a str,
    pub(super) tenant: &'a str,
    pub(super) resource: &'a str,
    pub(super) scope: &'a str,
    pub(super) trace: String,
    pub(super) correlation: &'a str,
    /// In seconds since the Unix epoch.
    pub(super) now: u64,
}

/// Formats a Unix time as Entra does, such as `2016-01-09 02:02:12Z`.
fn timestamp(unix: u64) -> String {
    let since = i64::try_from(unix).map(Duration::seconds).unwrap_or_default();
    let time = OffsetDateTime::UNIX_EPOCH.checked_add(since).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, (hour, minute, second)) = (time.date(), time.time().as_hms());
    let (year, month, day) = date.to_calendar_date();
    format!("{year:04}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z", u8::from(month))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamp_is_formatted_as_entra_does() {
        assert_eq!(timestamp(0), "1970-01-01 00:00:00Z");
        assert_eq!(timestamp(1_452_304_932), "2016-01-09 02:02:12Z");
        assert_eq!(timestamp(u64::MAX), "1970-01-01 00:00:00Z");
    }
}
