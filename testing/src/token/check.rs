//! [`check_token`]: the token check of the fake services.

use http::HeaderMap;

use super::{TENANT, challenge::Rejection, claims::TokenClaims, issue};

/// Checks the token for `audience` at `now`, in seconds since the Unix epoch, and returns its claims.
///
/// The order of the checks is that of the library that both services use: times, audience, issuer. It decides which
/// error is reported for a token with two defects.
pub(crate) fn check_token(headers: &HeaderMap, audience: &str, now: u64) -> Result<TokenClaims, Rejection> {
    let claims = TokenClaims::from_headers(headers)?;
    let time = |name| claims.time(name);
    let end = time("exp").ok_or(Rejection::NoExpiry)?;
    if let Some(begin) = time("nbf").filter(|begin| now < *begin) {
        return Err(Rejection::NotYetValid(begin));
    }
    if end <= now {
        return Err(Rejection::Expired(end));
    }
    if !claims.audiences().any(|actual| actual == audience) {
        return Err(Rejection::WrongAudience(claims.audiences().collect::<Vec<_>>().join(", ")));
    }
    let issuer = claims.issuer();
    if issuer != issue::issuer(TENANT) {
        return Err(Rejection::WrongIssuer(issuer.to_owned()));
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use http::header::AUTHORIZATION;
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn jwt(claims: &Value) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode("{}"), URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    /// Returns a token with valid claims except for `changes`. A `null` removes a claim.
    fn token(changes: Value) -> String {
        let issuer = format!("https://sts.windows.net/{TENANT}/");
        let mut claims = json!({"aud": "want", "iss": issuer, "nbf": NOW, "exp": NOW + 1});
        let claims_map = claims.as_object_mut().unwrap();
        claims_map.extend(changes.as_object().unwrap().clone());
        claims_map.retain(|_, value| !value.is_null());
        jwt(&claims)
    }

    fn check(values: &[&str]) -> Result<(), Rejection> {
        let headers = values.iter().map(|value| (AUTHORIZATION, value.parse().unwrap())).collect();
        check_token(&headers, "want", NOW).map(drop)
    }

    #[test]
    fn bearer_scheme_is_case_insensitive_and_may_appear_once() {
        let good = token(json!({}));
        let bearer = format!("Bearer {good}");
        assert_eq!(check(&[&bearer]), Ok(()));
        assert_eq!(check(&[&format!("bEARER  {good} ")]), Ok(()));
        for missing in [&good, "Bearer", "Bearer ", "", &format!("Basic {good}"), &format!("Bearer\t{good}")]
        {
            assert_eq!(check(&[missing]), Err(Rejection::Missing), "{missing}");
        }
        assert_eq!(check(&[]), Err(Rejection::Missing));
        assert_eq!(check(&[&bearer, &bearer]), Err(Rejection::Malformed));
    }

    #[test]
    fn tokens_other_than_three_part_jwts_are_malformed() {
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
            assert_eq!(check(&[&format!("Bearer {bad}")]), Err(Rejection::Malformed), "{bad}");
        }
    }

    #[test]
    fn claims_are_checked_in_order_and_the_first_invalid_one_is_reported() {
        let wrong_audience = |actual: &str| Err(Rejection::WrongAudience(actual.to_owned()));
        for (changes, expected) in [
            (json!({"aud": ["other", "want"]}), Ok(())),
            (json!({"nbf": null}), Ok(())),
            (json!({"exp": null}), Err(Rejection::NoExpiry)),
            (json!({"nbf": NOW + 1}), Err(Rejection::NotYetValid(NOW + 1))),
            (json!({"exp": NOW}), Err(Rejection::Expired(NOW))),
            (json!({"aud": "want/"}), wrong_audience("want/")),
            (json!({"aud": "WANT"}), wrong_audience("WANT")),
            (json!({"aud": ["a", "b"]}), wrong_audience("a, b")),
            (json!({"aud": null}), wrong_audience("")),
            (
                json!({"iss": "https://sts.windows.net/x/"}),
                Err(Rejection::WrongIssuer("https://sts.windows.net/x/".into())),
            ),
            (json!({"iss": null}), Err(Rejection::WrongIssuer(String::new()))),
            (json!({"exp": 1, "aud": "a", "iss": "i"}), Err(Rejection::Expired(1))),
            (json!({"aud": "a", "iss": "i"}), wrong_audience("a")),
        ] {
            assert_eq!(check(&[&format!("Bearer {}", token(changes.clone()))]), expected, "{changes}");
        }
    }
}
