//! The check of a request's token: who passes, and how a refusal is worded.

use azure_core::time::OffsetDateTime;
use http::HeaderMap;

use super::{carried::UnverifiedClaims, credential::TENANT};

/// How a 401 of the [`FakeServer`](super::FakeServer) words its `WWW-Authenticate` header.
///
/// Both forms are in use, and a client has to understand both.
///
/// ```
/// use azure_healthcare_auth::{DenialCause, HealthcareClient, testing::{FakeServer, FakeCredential, ChallengeFormat}};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// for (wording, said) in [
///     (ChallengeFormat::Managed, "The audience is invalid"),
///     (ChallengeFormat::OpenSource, "The audience 'api://another' is invalid"),
/// ] {
///     let fake_server = FakeServer::builder().wording(wording).start().await;
///     let credential = FakeCredential::new().with_audience("api://another");
///     let fhir = HealthcareClient::new(fake_server.fhir(), Arc::new(credential));
///
///     let refused = fhir.get("Patient").send().await.unwrap_err();
///     let denial = refused.denial().unwrap();
///     assert_eq!(denial.challenges()[0].param("error_description"), Some(said));
///     assert_eq!(denial.cause(), DenialCause::WrongAudience);
/// }
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChallengeFormat {
    /// As users of the managed services report it: `Bearer error="invalid_token", error_description="The audience is
    /// invalid"`, and a bare `Bearer` where there was no token. The default.
    #[default]
    Managed,
    /// As the open-source servers write it: `authorization_uri`, `resource_id` and `realm` first, and a description
    /// that quotes what it refuses (`The audience 'x' is invalid`).
    OpenSource,
}

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No Bearer token was sent.
    Missing,
    /// It is not a JWT in the compact form.
    Unreadable,
    /// It says no end.
    Endless,
    /// Not valid before this second since 1970.
    Early(u64),
    /// Over since this second since 1970.
    Expired(u64),
    /// It is for these audiences.
    Audience(String),
    /// It is of this issuer.
    Issuer(String),
    /// It is signed by a key that nobody knows.
    Key,
    /// It is not what was signed.
    Signature,
}

/// Lets a token for `audience` pass at `now`, in seconds since 1970.
///
/// The order is that of the library behind both services: times, audience, issuer. It shows in the wording of a token
/// that is wrong in two ways.
pub(super) fn admit(headers: &HeaderMap, audience: &str, now: u64) -> Result<UnverifiedClaims, Refusal> {
    let claims = UnverifiedClaims::carried(headers)?;
    let time = |name| claims.time(name);
    let end = time("exp").ok_or(Refusal::Endless)?;
    if let Some(begin) = time("nbf").filter(|begin| now < *begin) {
        return Err(Refusal::Early(begin));
    }
    if end <= now {
        return Err(Refusal::Expired(end));
    }
    if !claims.audiences().any(|held| held == audience) {
        return Err(Refusal::Audience(claims.audiences().collect::<Vec<_>>().join(", ")));
    }
    let issuer = claims.issuer();
    if issuer != format!("https://sts.windows.net/{TENANT}/") {
        return Err(Refusal::Issuer(issuer.to_owned()));
    }
    Ok(claims)
}

impl Refusal {
    /// The value of the `WWW-Authenticate` header of a service that wants `audience`.
    pub(super) fn challenge(&self, wording: ChallengeFormat, audience: &str) -> String {
        let mut parts = match wording {
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
        if let Some(description) = self.description(wording) {
            // Part of it is the token's own and could end the quotes.
            parts.push(format!("error_description=\"{}\"", description.replace(['"', '\\'], "?")));
        }
        format!("Bearer {}", parts.join(", ")).trim_end().to_owned()
    }

    fn description(&self, wording: ChallengeFormat) -> Option<String> {
        let quoted = |value: &str| if value.is_empty() { "(null)".to_owned() } else { value.to_owned() };
        Some(match (wording, self) {
            (_, Self::Missing | Self::Unreadable) => return None,
            (_, Self::Endless) => "The token has no expiration".to_owned(),
            (_, Self::Key) => "The signature key was not found".to_owned(),
            (_, Self::Signature) => "The signature is invalid".to_owned(),
            (ChallengeFormat::Managed, Self::Early(_)) => "The token is not valid yet".to_owned(),
            (ChallengeFormat::Managed, Self::Expired(_)) => "The token is expired".to_owned(),
            (ChallengeFormat::Managed, Self::Audience(_)) => "The audience is invalid".to_owned(),
            (ChallengeFormat::Managed, Self::Issuer(_)) => "The issuer is invalid".to_owned(),
            (ChallengeFormat::OpenSource, Self::Early(begin)) => {
                format!("The token is not valid before '{}'", date(*begin))
            }
            (ChallengeFormat::OpenSource, Self::Expired(end)) => {
                format!("The token expired at '{}'", date(*end))
            }
            (ChallengeFormat::OpenSource, Self::Audience(held)) => {
                format!("The audience '{}' is invalid", quoted(held))
            }
            (ChallengeFormat::OpenSource, Self::Issuer(held)) => {
                format!("The issuer '{}' is invalid", quoted(held))
            }
        })
    }
}

/// A time as .NET writes it without a culture: month, day and year.
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
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use http::header::AUTHORIZATION;
    use serde_json::{Value, json};

    const NOW: u64 = 1_700_000_000;

    fn jwt(claims: &Value) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    /// The good claims with `changes` in them; `null` takes one away.
    fn token(changes: Value) -> String {
        let issuer = format!("https://sts.windows.net/{TENANT}/");
        let mut claims = json!({"aud": "want", "iss": issuer, "nbf": NOW, "exp": NOW + 1});
        let claims_map = claims.as_object_mut().unwrap();
        claims_map.extend(changes.as_object().unwrap().clone());
        claims_map.retain(|_, value| !value.is_null());
        jwt(&claims)
    }

    fn admitted(values: &[&str]) -> Result<(), Refusal> {
        let headers = values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect();
        admit(&headers, "want", NOW).map(drop)
    }

    #[test]
    fn a_token_passes_as_bearer_in_any_case_and_once() {
        let good = token(json!({}));
        let bearer = format!("Bearer {good}");
        assert_eq!(admitted(&[&bearer]), Ok(()));
        assert_eq!(admitted(&[&format!("bEARER  {good} ")]), Ok(()));
        for missing in [&good, "Bearer", "Bearer ", "", &format!("Basic {good}"), &format!("Bearer\t{good}")]
        {
            assert_eq!(admitted(&[missing]), Err(Refusal::Missing), "{missing}");
        }
        assert_eq!(admitted(&[]), Err(Refusal::Missing));
        assert_eq!(admitted(&[&bearer, &bearer]), Err(Refusal::Unreadable));
    }

    #[test]
    fn a_token_passes_only_as_a_jwt_with_three_parts() {
        let good = token(json!({}));
        let (unsigned, _) = good.rsplit_once('.').unwrap();
        let no_head = good.replacen(&URL_SAFE_NO_PAD.encode("{}"), "x", 1);
        let array = jwt(&json!([]));
        for bad in [
            "opaque",
            unsigned,
            &format!("{unsigned}."),
            &format!("{good}.x"),
            &no_head,
            &array,
            "..",
            "a.b.c",
        ] {
            assert_eq!(admitted(&[&format!("Bearer {bad}")]), Err(Refusal::Unreadable), "{bad}");
        }
    }

    #[test]
    fn each_claim_is_checked_and_the_first_wrong_one_is_told() {
        let audience = |held: &str| Err(Refusal::Audience(held.to_owned()));
        for (changes, expected) in [
            (json!({"aud": ["other", "want"]}), Ok(())),
            (json!({"nbf": null}), Ok(())),
            (json!({"exp": null}), Err(Refusal::Endless)),
            (json!({"nbf": NOW + 1}), Err(Refusal::Early(NOW + 1))),
            (json!({"exp": NOW}), Err(Refusal::Expired(NOW))),
            (json!({"aud": "want/"}), audience("want/")),
            (json!({"aud": "WANT"}), audience("WANT")),
            (json!({"aud": ["a", "b"]}), audience("a, b")),
            (json!({"aud": null}), audience("")),
            (
                json!({"iss": "https://sts.windows.net/x/"}),
                Err(Refusal::Issuer("https://sts.windows.net/x/".into())),
            ),
            (json!({"iss": null}), Err(Refusal::Issuer(String::new()))),
            (json!({"exp": 1, "aud": "a", "iss": "i"}), Err(Refusal::Expired(1))),
            (json!({"aud": "a", "iss": "i"}), audience("a")),
        ] {
            assert_eq!(admitted(&[&format!("Bearer {}", token(changes.clone()))]), expected, "{changes}");
        }
    }

    #[test]
    fn a_refusal_is_worded_as_each_kind_of_server_does() {
        let open = format!(
            "Bearer authorization_uri=\"https://login.microsoftonline.com/{TENANT}\", \
             resource_id=\"want\", realm=\"want\""
        );
        for (refusal, managed, open_source) in [
            (Refusal::Missing, "", ""),
            (Refusal::Unreadable, r#"error="invalid_token""#, r#"error="invalid_token""#),
            (Refusal::Expired(NOW), "The token is expired", "The token expired at '11/14/2023 22:13:20'"),
            (
                Refusal::Early(0),
                "The token is not valid yet",
                "The token is not valid before '01/01/1970 00:00:00'",
            ),
            (Refusal::Audience("a".into()), "The audience is invalid", "The audience 'a' is invalid"),
            (Refusal::Audience("\"\\".into()), "The audience is invalid", "The audience '??' is invalid"),
            (Refusal::Issuer(String::new()), "The issuer is invalid", "The issuer '(null)' is invalid"),
            (Refusal::Key, "The signature key was not found", "The signature key was not found"),
            (Refusal::Signature, "The signature is invalid", "The signature is invalid"),
        ] {
            let rest = |text: &str| match text {
                "" | r#"error="invalid_token""# => text.to_owned(),
                text => format!(r#"error="invalid_token", error_description="{text}""#),
            };
            assert_eq!(
                refusal.challenge(ChallengeFormat::Managed, "want"),
                format!("Bearer {}", rest(managed)).trim_end()
            );
            let comma = if open_source.is_empty() { "" } else { ", " };
            assert_eq!(
                refusal.challenge(ChallengeFormat::OpenSource, "want"),
                format!("{open}{comma}{}", rest(open_source)),
            );
        }
    }
}
