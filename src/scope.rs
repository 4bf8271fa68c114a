//! Scopes: a scope is a resource followed by `/.default`.

use azure_core::error::{Error, ErrorKind};

pub(crate) const DEFAULT: &str = "/.default";

/// Returns the resource of a scope, which is the text before the last `/.default`.
pub(crate) fn resource(scope: &str) -> Option<&str> {
    scope.strip_suffix(DEFAULT)
}

/// Returns the only scope of a token request. Several scopes are an error, because a token has one audience.
pub(crate) fn only<'a>(scopes: &[&'a str]) -> azure_core::Result<&'a str> {
    match scopes {
        [scope] => Ok(scope),
        _ => Err(Error::with_message(ErrorKind::Credential, "a token request must have exactly one scope")),
    }
}

/// Returns the resource of the only scope of a token request.
#[cfg(feature = "identity")]
pub(crate) fn only_resource<'a>(scopes: &[&'a str]) -> azure_core::Result<&'a str> {
    resource(only(scopes)?)
        .ok_or_else(|| Error::with_message(ErrorKind::Credential, "the scope must end in `/.default`"))
}
