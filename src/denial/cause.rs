//! Why a request was refused, in one word.

use std::fmt;

/// Why a service refused a request.
///
/// Everything but [`Unknown`](DenialCause::Unknown) rests on evidence: on what the service said, or on what the token
/// itself says about audience, tenant and time. [`Denial`](crate::Denial) has that evidence in words, and
/// [*When a service says no*](crate::guide::when_a_service_says_no) what each looks like and what to do.
///
/// ```
/// use azure_healthcare_auth::DenialCause;
///
/// /// Whose turn it is.
/// fn turn(cause: DenialCause) -> &'static str {
///     match cause {
///         DenialCause::WrongAudience | DenialCause::TrailingSlash => "ours: correct `resource` in the configuration",
///         DenialCause::Expired | DenialCause::NotYetValid => "the platform team's: the clock, or a fixed token",
///         DenialCause::WrongTenant | DenialCause::InvalidSignature => "ours: the credential signs in at the wrong place",
///         DenialCause::MissingRole => "the service owner's: assign a role",
///         DenialCause::NotRoleRelated => "ours: the request asks for what is not supported",
///         // `Unknown`, and what a later version may tell apart.
///         _ => "whoever has time to read the answer",
///     }
/// }
///
/// assert_eq!(turn(DenialCause::MissingRole), "the service owner's: assign a role");
/// // For the label of a metric: no cause holds anything about a patient.
/// assert_eq!(DenialCause::MissingRole.as_str(), "no-role");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialCause {
    /// The token is for another audience than the service's.
    WrongAudience,
    /// The token's audience differs from the service's by a trailing slash only.
    TrailingSlash,
    /// The token has ended.
    Expired,
    /// The token is not valid yet: a clock is wrong.
    NotYetValid,
    /// The token was issued by a tenant that the service does not trust.
    WrongTenant,
    /// The token is signed by a key that the service does not know: another cloud's, or another issuer's.
    InvalidSignature,
    /// The service knows the principal, but no role of it (or, with SMART on FHIR, no scope) allows the request.
    MissingRole,
    /// A 403 which no role would have prevented: an unsupported search, for example.
    NotRoleRelated,
    /// The evidence does not decide. [`Denial::possible_causes`](crate::Denial::possible_causes) has the two possible_causes.
    Unknown,
}

impl DenialCause {
    /// The cause as a word for machines: `wrong-audience`, `trailing-slash`, `ended`, `not-yet-valid`,
    /// `wrong-tenant`, `wrong-signature`, `no-role`, `not-about-roles` or `unknown`. Never panics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongAudience => "wrong-audience",
            Self::TrailingSlash => "trailing-slash",
            Self::Expired => "ended",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongTenant => "wrong-tenant",
            Self::InvalidSignature => "wrong-signature",
            Self::MissingRole => "no-role",
            Self::NotRoleRelated => "not-about-roles",
            Self::Unknown => "unknown",
        }
    }
}

/// Writes [`DenialCause::as_str`].
impl fmt::Display for DenialCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
