//! [`ErrorKind`]: the category of an error.

use std::{error::Error as StdError, fmt, str::FromStr};

/// The kind of an [`Error`](crate::Error).
///
/// [`as_str`](ErrorKind::as_str), `Display`, `FromStr` and, with the feature `serde`, serialization all use the same
/// names, such as `url-not-allowed`. They suit the label of a metric, because they contain no personal data.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Error, ErrorKind, FhirAudience};
///
/// /// Returns the HTTP status to send to a client if a call to the FHIR service failed.
/// fn status(error: &Error) -> u16 {
///     match error.kind() {
///         // The client passed a path or a header that cannot be sent.
///         ErrorKind::UrlNotAllowed | ErrorKind::Request => 400,
///         ErrorKind::Timeout => 504,
///         ErrorKind::Connection | ErrorKind::Status | ErrorKind::TooLarge | ErrorKind::Decode => 502,
///         // The configuration, the credential or the role assignments are wrong.
///         _ => 500,
///     }
/// }
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let records = FhirAudience::workspace("contoso", "records").build()?;
/// assert_eq!(status(&records.url("../admin").unwrap_err()), 400);
/// assert_eq!(status(&FhirAudience::from_endpoint("http://records").build().unwrap_err()), 500);
///
/// assert_eq!(ErrorKind::UrlNotAllowed.as_str(), "url-not-allowed");
/// assert_eq!("url-not-allowed".parse(), Ok(ErrorKind::UrlNotAllowed));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum ErrorKind {
    /// The audience is invalid. The message describes how to fix it.
    Audience,
    /// The credential returned no token, or an unusable one.
    Credential,
    /// No Tokio runtime is running that could fetch a token or send a request, or it shut down during the call.
    NoRuntime,
    /// The URL is outside the audience. No token was fetched and nothing was sent.
    UrlNotAllowed,
    /// The request or the client is invalid. Nothing was sent.
    Request,
    /// The request body that the caller supplied failed. Part of it may have been sent.
    Body,
    /// The connection to the service could not be established, or it broke.
    Connection,
    /// The credential or the service did not respond in time.
    Timeout,
    /// The service rejected the request with 401 or denied it with 403: see [`Error::denial`](crate::Error::denial).
    Denied,
    /// The response has a status other than 2xx, so its content was not returned.
    Status,
    /// The response body is larger than the limit.
    TooLarge,
    /// The response body could not be decoded.
    Decode,
}

impl ErrorKind {
    const ALL: [Self; 12] = [
        Self::Audience,
        Self::Credential,
        Self::NoRuntime,
        Self::UrlNotAllowed,
        Self::Request,
        Self::Body,
        Self::Connection,
        Self::Timeout,
        Self::Denied,
        Self::Status,
        Self::TooLarge,
        Self::Decode,
    ];

    /// Returns the name of the kind: `audience`, `credential`, `no-runtime`, `url-not-allowed`, `request`, `body`,
    /// `connection`, `timeout`, `denied`, `status`, `too-large` or `decode`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Audience => "audience",
            Self::Credential => "credential",
            Self::NoRuntime => "no-runtime",
            Self::UrlNotAllowed => "url-not-allowed",
            Self::Request => "request",
            Self::Body => "body",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::Status => "status",
            Self::TooLarge => "too-large",
            Self::Decode => "decode",
        }
    }
}

/// Writes [`ErrorKind::as_str`].
impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Parses the names that [`ErrorKind::as_str`] returns.
impl FromStr for ErrorKind {
    type Err = ParseErrorKindError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(ParseErrorKindError(()))
    }
}

/// The error returned when a text is not the name of an [`ErrorKind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseErrorKindError(());

impl fmt::Display for ParseErrorKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown error kind (expected a name such as `connection` or `url-not-allowed`)")
    }
}

impl StdError for ParseErrorKindError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_from_str_use_the_name_of_the_kind() {
        for kind in ErrorKind::ALL {
            assert_eq!(kind.to_string(), kind.as_str());
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
    }

    #[test]
    fn from_str_rejects_unknown_names() {
        for name in ["", "Timeout", "TIMEOUT", "timeout ", "url_not_allowed"] {
            let error = name.parse::<ErrorKind>().unwrap_err();
            assert!(error.to_string().starts_with("unknown error kind (expected"), "{name}");
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serde_uses_the_name_of_the_kind() {
        for kind in ErrorKind::ALL {
            let json = serde_json::json!(kind.as_str());
            assert_eq!(serde_json::to_value(kind).unwrap(), json);
            assert_eq!(serde_json::from_value::<ErrorKind>(json).unwrap(), kind);
        }
    }
}
