//! The `Authorization` value of a bearer token.

use http::HeaderValue;

use crate::{Error, ErrorKind, Result};

/// Returns the sensitive value `Bearer {token}`.
///
/// # Errors
///
/// Returns an error if the token does not match `b64token` (RFC 6750, section 2.1).
pub(crate) fn value(token: &str) -> Result<HeaderValue> {
    let without_padding = token.trim_end_matches('=');
    if without_padding.is_empty() {
        return Err(unusable("it is empty"));
    }
    if !without_padding.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)) {
        return Err(unusable(
            "it contains a character that is not allowed in a bearer token (RFC 6750 section 2.1), such as a space, \
             a quote or a line break; return the token alone",
        ));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| unusable("it is not a valid header value"))?;
    value.set_sensitive(true);
    // The first clone of a `HeaderValue` allocates its shared buffer. Clone here so that a cache hit does not.
    drop(value.clone());
    Ok(value)
}

fn unusable(reason: &str) -> Error {
    Error::new(
        ErrorKind::Credential,
        format!("the credential returned a token that cannot be used: {reason}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_token_becomes_sensitive_bearer_value() {
        for token in ["a", "eyJh.eyJi.c2ln", "a-b_c~d+e/f==", &"x".repeat(16_000)] {
            let value = value(token).unwrap();
            assert_eq!(value.to_str().unwrap(), format!("Bearer {token}"));
            assert!(value.is_sensitive());
        }
    }

    #[test]
    fn invalid_token_is_rejected_and_not_shown() {
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
