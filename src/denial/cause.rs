//! [`DenialCause`]: the machine-readable reason for a 401 or 403.

use crate::named::named_values;

/// The reason why a service rejected or denied a request.
///
/// Every cause except [`Unknown`](DenialCause::Unknown) is based on evidence: on what the service reports, or on the
/// audience, the tenant and the times in the token. [`Denial`](crate::Denial) describes that evidence, and the guide
/// [*Troubleshooting 401 and 403*](crate::guide::troubleshooting) explains how each cause looks and how to fix it.
///
/// [`as_str`](DenialCause::as_str), `Display`, `FromStr` and, with the feature `serde`, serialization all use the same
/// names, such as `missing-role`. They suit the label of a metric, because they contain no personal data.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::DenialCause;
///
/// fn team_to_page(cause: DenialCause) -> &'static str {
///     match cause {
///         DenialCause::WrongAudience | DenialCause::TrailingSlash => "application: fix `resource`",
///         DenialCause::Expired | DenialCause::NotYetValid => "platform: fix the clock or the static token",
///         DenialCause::WrongTenant | DenialCause::InvalidSignature => "application: fix the sign-in",
///         DenialCause::MissingRole => "service owner: assign a role",
///         DenialCause::NotRoleRelated => "application: fix the request",
///         // `Unknown`, and causes that later versions add.
///         _ => "on-call: read the response",
///     }
/// }
///
/// assert_eq!(team_to_page(DenialCause::MissingRole), "service owner: assign a role");
/// assert_eq!(DenialCause::MissingRole.as_str(), "missing-role");
/// assert_eq!("missing-role".parse(), Ok(DenialCause::MissingRole));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialCause {
    /// The token is for an audience other than the service's.
    WrongAudience,
    /// The token's audience differs from the service's only in a trailing slash.
    TrailingSlash,
    /// The token has expired.
    Expired,
    /// The token is not valid yet, because a clock is wrong.
    NotYetValid,
    /// The token was issued by a tenant that the service does not trust.
    WrongTenant,
    /// The token is signed with a key that the service does not know: the key of another cloud or of another issuer.
    InvalidSignature,
    /// The service knows the principal, but none of its roles (or, with SMART on FHIR, none of its scopes) allows the
    /// request.
    MissingRole,
    /// A 403 that no role would have prevented, for example because of an unsupported search.
    NotRoleRelated,
    /// The evidence does not determine the cause.
    ///
    /// [`Denial::possible_causes`](crate::Denial::possible_causes) lists the two most likely ones.
    Unknown,
}

named_values!(
    DenialCause: "denial cause",
    WrongAudience => "wrong-audience",
    TrailingSlash => "trailing-slash",
    Expired => "expired",
    NotYetValid => "not-yet-valid",
    WrongTenant => "wrong-tenant",
    InvalidSignature => "invalid-signature",
    MissingRole => "missing-role",
    NotRoleRelated => "not-role-related",
    Unknown => "unknown",
);
