//! Checks of the headers that a caller sets.

use http::{HeaderName, HeaderValue, header};

/// Headers that the client sets itself.
///
/// If a caller could set them, the token could be replaced, the request could reach another host, or its body could be
/// truncated.
const RESERVED: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
];

/// Converts and checks a header. The error is a message that contains no part of the value.
pub(super) fn parse<K, V>(name: K, value: V) -> Result<(HeaderName, HeaderValue), String>
where
    HeaderName: TryFrom<K>,
    HeaderValue: TryFrom<V>,
{
    let name = HeaderName::try_from(name)
        .map_err(|_| "a header name is empty or contains a character that is not allowed".to_owned())?;
    if RESERVED.contains(&name) {
        return Err(format!("the header `{name}` is reserved for the client"));
    }
    let value = HeaderValue::try_from(value)
        .map_err(|_| format!("the value of the header `{name}` contains a character that is not allowed"))?;
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sensitive_value_stays_sensitive() {
        let mut secret = HeaderValue::from_static("secret");
        assert!(!parse("x-secret", secret.clone()).unwrap().1.is_sensitive());
        secret.set_sensitive(true);
        assert!(parse("x-secret", &secret).unwrap().1.is_sensitive());
        assert!(parse("x-secret", secret).unwrap().1.is_sensitive());
    }
}
