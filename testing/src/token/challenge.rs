//! [`Rejection`]: why a token is rejected, and the challenge that reports it.

use azure_core::time::OffsetDateTime;

use super::TENANT;

/// The format of the `WWW-Authenticate` header in 401 responses of the [`FakeServer`](crate::FakeServer).
///
/// Both formats are in use, so clients have to understand both.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{DenialCause, HealthcareClient};
/// use azure_healthcare_auth_testing::{ChallengeFormat, FakeCredential, FakeServer};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// for (format, description) in [
///     (ChallengeFormat::Managed, "The audience is invalid"),
///     (ChallengeFormat::OpenSource, "The audience 'api://another' is invalid"),
/// ] {
///     let fake_server = FakeServer::builder().challenge_format(format).start().await;
///     let credential = FakeCredential::new().with_audience("api://another");
///     let fhir = HealthcareClient::new(fake_server.fhir(), Arc::new(credential));
///
///     let error = fhir.get("Patient").send().await.unwrap_err();
///     let denial = error.denial().unwrap();
///     assert_eq!(denial.challenges()[0].param("error_description"), Some(description));
///     assert_eq!(denial.cause(), DenialCause::WrongAudience);
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChallengeFormat {
    /// The format that users of the managed services report (default): `Bearer error="invalid_token",
    /// error_description="The audience is invalid"`, or only `Bearer` if the request had no token.
    #[default]
    Managed,
    /// The format of the open-source servers: `authorization_uri`, `resource_id` and `realm` come first, and the
    /// description quotes the rejected value (`The audience 'x' is invalid`).
    OpenSource,
}

/// The reason why a token is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The request has no Bearer token.
    Missing,
    /// The token is not a JWT in compact serialization.
    Malformed,
    /// The token has no `exp` claim.
    NoExpiry,
    /// The token is not valid before this time, in seconds since the Unix epoch.
    NotYetValid(u64),
    /// The token expired at this time, in seconds since the Unix epoch.
    Expired(u64),
    /// The token is for these other audiences.
    WrongAudience(String),
    /// The token is from this other issuer.
    WrongIssuer(String),
    /// The token is signed with an unknown key.
    UnknownKey,
    /// The token's signature is invalid.
    InvalidSignature,
}

impl Rejection {
    /// Returns the value of the `WWW-Authenticate` header of a service that expects `audience`.
    pub(crate) fn challenge(&self, format: ChallengeFormat, audience: &str) -> String {
        let mut parts = match format {
            ChallengeFormat::Managed => vec![],
            ChallengeFormat::OpenSource => vec![
                format!("authorization_uri=\"https://login.microsoftonline.com/{TENANT}\""),
                format!("resource_id=\"{audience}\""),
                format!("realm=\"{audience}\""),
            ],
        };
        if *self != Self::Missing {
            parts.push("error=\"invalid_token\"".to_owned());
        }
        if let Some(description) = self.description(format) {
            // The description can contain text from the token, which must not close the quoted string.
            parts.push(format!("error_description=\"{}\"", description.replace(['"', '\\'], "?")));
        }
        format!("Bearer {}", parts.join(", ")).trim_end().to_owned()
    }

    fn description(&self, format: ChallengeFormat) -> Option<String> {
        let quoted = |value: &str| if value.is_empty() { "(null)".to_owned() } else { value.to_owned() };
        Some(match (format, self) {
            (_, Self::Missing | Self::Malformed) => return None,
            (_, Self::NoExpiry) => "The token has no expiration".to_owned(),
            (_, Self::UnknownKey) => "The signature key was not found".to_owned(),
            (_, Self::InvalidSignature) => "The signature is invalid".to_owned(),
            (ChallengeFormat::Managed, Self::NotYetValid(_)) => "The token is not valid yet".to_owned(),
            (ChallengeFormat::Managed, Self::Expired(_)) => "The token is expired".to_owned(),
            (ChallengeFormat::Managed, Self::WrongAudience(_)) => "The audience is invalid".to_owned(),
            (ChallengeFormat::Managed, Self::WrongIssuer(_)) => "The issuer is invalid".to_owned(),
            (ChallengeFormat::OpenSource, Self::NotYetValid(begin)) => {
                format!("The token is not valid before '{}'", date(*begin))
            }
            (ChallengeFormat::OpenSource, Self::Expired(end)) => {
                format!("The token expired at '{}'", date(*end))
            }
            (ChallengeFormat::OpenSource, Self::WrongAudience(actual)) => {
                format!("The audience '{}' is invalid", quoted(actual))
            }
            (ChallengeFormat::OpenSource, Self::WrongIssuer(actual)) => {
                format!("The issuer '{}' is invalid", quoted(actual))
            }
        })
    }
}

/// Formats a time as .NET does with the invariant culture: month, day, year.
fn date(seconds: u64) -> String {
    let time =
        i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let time = time.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (month, day, year) = (u8::from(time.month()), time.day(), time.year());
    format!("{month:02}/{day:02}/{year:04} {:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    #[test]
    fn challenge_follows_the_chosen_format() {
        let open = format!(
            "Bearer authorization_uri=\"https://login.microsoftonline.com/{TENANT}\", \
             resource_id=\"want\", realm=\"want\""
        );
        for (rejection, managed, open_source) in [
            (Rejection::Missing, "", ""),
            (Rejection::Malformed, r#"error="invalid_token""#, r#"error="invalid_token""#),
            (Rejection::Expired(NOW), "The token is expired", "The token expired at '11/14/2023 22:13:20'"),
            (
                Rejection::NotYetValid(0),
                "The token is not valid yet",
                "The token is not valid before '01/01/1970 00:00:00'",
            ),
            (Rejection::WrongAudience("a".into()), "The audience is invalid", "The audience 'a' is invalid"),
            (
                Rejection::WrongAudience("\"\\".into()),
                "The audience is invalid",
                "The audience '??' is invalid",
            ),
            (
                Rejection::WrongIssuer(String::new()),
                "The issuer is invalid",
                "The issuer '(null)' is invalid",
            ),
            (Rejection::UnknownKey, "The signature key was not found", "The signature key was not found"),
            (Rejection::InvalidSignature, "The signature is invalid", "The signature is invalid"),
        ] {
            let rest = |text: &str| match text {
                "" | r#"error="invalid_token""# => text.to_owned(),
                text => format!(r#"error="invalid_token", error_description="{text}""#),
            };
            assert_eq!(
                rejection.challenge(ChallengeFormat::Managed, "want"),
                format!("Bearer {}", rest(managed)).trim_end()
            );
            let comma = if open_source.is_empty() { "" } else { ", " };
            assert_eq!(
                rejection.challenge(ChallengeFormat::OpenSource, "want"),
                format!("{open}{comma}{}", rest(open_source)),
            );
        }
    }
}
