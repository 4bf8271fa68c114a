//! A scope: what Entra's v2 endpoint takes in a resource's place, the resource with `/.default` behind it.

use azure_core::error::{Error, ErrorKind};

pub(crate) const DEFAULT: &str = "/.default";

/// The scope's resource: all but one `/.default` at its end.
pub(crate) fn resource(scope: &str) -> Option<&str> {
    scope.strip_suffix(DEFAULT)
}

/// The one scope of a call. A token has one audience, and so Entra gives it for the scopes of one resource.
pub(crate) fn only<'a>(scopes: &[&'a str]) -> azure_core::Result<&'a str> {
    match scopes {
        [scope] => Ok(scope),
        _ => Err(Error::with_message(ErrorKind::Credential, "a token is asked for by exactly one scope")),
    }
}

/// The resource of a call's one scope.
#[cfg(any(feature = "identity", feature = "testing"))]
pub(crate) fn only_resource<'a>(scopes: &[&'a str]) -> azure_core::Result<&'a str> {
    resource(only(scopes)?)
        .ok_or_else(|| Error::with_message(ErrorKind::Credential, "the scope has to end in `/.default`"))
}
