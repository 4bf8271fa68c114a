//! [`ErrorKind`]: the category of an error.

use crate::named::named_values;

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
///         // The caller passed a path or a header that cannot be sent.
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
#[non_exhaustive]
pub enum ErrorKind {
    /// The audience is invalid. The message describes how to fix it.
    Audience,
    /// The credential is misconfigured, or it returned no token or an unusable one.
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
    ///
    /// If a forced refresh failed after a 401, the source is the credential's error.
    Denied,
    /// The response has a status other than 2xx, so its body was not returned.
    Status,
    /// The response body is larger than the limit.
    TooLarge,
    /// The response body could not be decoded.
    Decode,
}

named_values!(
    ErrorKind: "error kind",
    Audience => "audience",
    Credential => "credential",
    NoRuntime => "no-runtime",
    UrlNotAllowed => "url-not-allowed",
    Request => "request",
    Body => "body",
    Connection => "connection",
    Timeout => "timeout",
    Denied => "denied",
    Status => "status",
    TooLarge => "too-large",
    Decode => "decode",
);
