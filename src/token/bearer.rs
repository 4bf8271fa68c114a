//! The `Authorization` value of a token: made once, when the token arrives.

use http::HeaderValue;

use crate::{Error, ErrorKind, Result};

/// Formats and checks a token as RFC 6750 section 2.1 has it, and marks the value sensitive.
pub(crate) fn value(token: &str) -> Result<HeaderValue> {
    let bare = token.trim_end_matches('=');
    if bare.is_empty() {
        return Err(unusable("it is empty"));
    }
    if !bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)) {
        return Err(unusable(
            "it holds a character that a Bearer token cannot hold (RFC 6750 section 2.1), such as a space, a quote or \
             a line break: hand it over bare",
        ));
    }
    let mut value =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| unusable("it is not text"))?;
    value.set_sensitive(true);
    // The first clone of a value moves it to where it can be shared. Made here, no request pays for it.
    drop(value.clone());
    Ok(value)
}

fn unusable(why: &str) -> Error {
    Error::new(ErrorKind::Credential, format!("the token that the credential gave cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_becomes_one_sensitive_bearer_value() {
        for token in ["a", "eyJh.eyJi.c2ln", "a-b_c~d+e/f==", &"x".repeat(16_000)] {
            let value = value(token).unwrap();
            assert_eq!(value.to_str().unwrap(), format!("Bearer {token}"));
            assert!(value.is_sensitive());
        }
    }

    #[test]
    fn what_cannot_stand_in_the_header_is_refused_and_not_shown() {
        for token in [
            "",
            "=",
            "canary\n",
            "canary\r\nX: y",
            "can ary",
            "\"canary\"",
            "canaryé",
            "canary\0",
            "Bearer canary",
        ] {
            let error = value(token).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Credential);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}
