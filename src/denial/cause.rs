//! [`DenialCause`]: the machine-readable reason for a 401 or 403.

use std::{error::Error as StdError, fmt, str::FromStr};

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
///         DenialCause::Expired | DenialCause::NotYetValid => "platform: fix the clock or the fixed token",
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
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum DenialCause {
    /// The token is for another audience than the service's.
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

impl DenialCause {
    pub(super) const ALL: [Self; 9] = [
        Self::WrongAudience,
        Self::TrailingSlash,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongTenant,
        Self::InvalidSignature,
        Self::MissingRole,
        Self::NotRoleRelated,
        Self::Unknown,
    ];

    /// Returns the name of the cause: `wrong-audience`, `trailing-slash`, `expired`, `not-yet-valid`, `wrong-tenant`,
    /// `invalid-signature`, `missing-role`, `not-role-related` or `unknown`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongAudience => "wrong-audience",
            Self::TrailingSlash => "trailing-slash",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongTenant => "wrong-tenant",
            Self::InvalidSignature => "invalid-signature",
            Self::MissingRole => "missing-role",
            Self::NotRoleRelated => "not-role-related",
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

/// Parses the names that [`DenialCause::as_str`] returns.
impl FromStr for DenialCause {
    type Err = ParseDenialCauseError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name).ok_or(ParseDenialCauseError(()))
    }
}

/// The error returned when a text is not the name of a [`DenialCause`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseDenialCauseError(());

impl fmt::Display for ParseDenialCauseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown denial cause (expected a name such as `wrong-audience` or `missing-role`)")
    }
}

impl StdError for ParseDenialCauseError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_from_str_use_the_name_of_the_cause() {
        for cause in DenialCause::ALL {
            assert_eq!(cause.to_string(), cause.as_str());
            assert_eq!(cause.as_str().parse(), Ok(cause));
        }
    }

    #[test]
    fn from_str_rejects_other_text_and_does_not_echo_it() {
        for name in ["", "Expired", "EXPIRED", "expired ", "no-role"] {
            let error = name.parse::<DenialCause>().unwrap_err();
            assert_eq!(
                error.to_string(),
                "unknown denial cause (expected a name such as `wrong-audience` or `missing-role`)"
            );
        }
    }

    #[cfg(feature = "serde")]
    #[test]
    fn serde_uses_the_name_of_the_cause() {
        for cause in DenialCause::ALL {
            let json = serde_json::json!(cause.as_str());
            assert_eq!(serde_json::to_value(cause).unwrap(), json);
            assert_eq!(serde_json::from_value::<DenialCause>(json).unwrap(), cause);
        }
    }
}
