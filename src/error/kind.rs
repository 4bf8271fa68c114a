//! What went wrong, in one word.

/// The kind of an [`Error`](crate::Error), for code that has to decide.
///
/// ```
/// use azure_healthcare_auth::{Audience, Error, ErrorKind, FhirAudience};
///
/// /// The status with which a service answers when the one behind it has failed.
/// fn status(error: &Error) -> u16 {
///     match error.kind() {
///         // The caller gave a path or a header that cannot be sent.
///         ErrorKind::UrlNotAllowed | ErrorKind::Request => 400,
///         ErrorKind::Timeout => 504,
///         ErrorKind::Connection | ErrorKind::Status | ErrorKind::TooLarge | ErrorKind::Decode => 502,
///         // A matter of how this service is set up: its configuration, its sign-in, its roles.
///         _ => 500,
///     }
/// }
///
/// # fn main() -> azure_healthcare_auth::Result<()> {
/// let records = FhirAudience::workspace("contoso", "records").build()?;
/// assert_eq!(status(&records.url("../admin").unwrap_err()), 400);
/// assert_eq!(status(&FhirAudience::from_endpoint("http://records").build().unwrap_err()), 500);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An audience cannot be built from what was given. The text says what to write instead.
    Audience,
    /// The credential gave no token, or one that cannot be used.
    Credential,
    /// There is no Tokio runtime to fetch a token or send a request from, or it shut down meanwhile.
    NoRuntime,
    /// The URL is not the audience's: nothing was sent, and no token was fetched.
    UrlNotAllowed,
    /// A part of the request, or the client itself, cannot be used as it was given: nothing was sent.
    Request,
    /// The body that was given broke off on its way: a part of it may have been sent.
    Body,
    /// The service could not be reached, or the connection to it broke.
    Connection,
    /// No token, or no answer, came in time.
    Timeout,
    /// The service answered 401 or 403: see [`Error::denial`](crate::Error::denial).
    Denied,
    /// The service answered with a status outside 2xx where the content was asked for.
    Status,
    /// The answer's body is larger than the limit.
    TooLarge,
    /// The answer's body is not what it was to be read as.
    Decode,
}
