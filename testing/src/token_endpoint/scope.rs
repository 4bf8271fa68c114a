//! [`Scopes`]: the scopes of a token request.

use url::Url;

use super::failure::Failure;
use crate::guid::is_guid;

/// The resource of the requested scopes, and its requested permissions.
#[derive(Debug, PartialEq)]
pub(super) struct Scopes<'a> {
    pub(super) resource: &'a str,
    /// The text after the resource of each scope, such as `.default`.
    pub(super) permissions: Vec<&'a str>,
}

/// Scopes without a resource, which belong to the protocol (Microsoft identity platform documentation
/// `scopes-oidc.md`).
const RESERVED: [&str; 4] = ["openid", "profile", "email", "offline_access"];

impl<'a> Scopes<'a> {
    /// Reads the parameter `scope`, a list that is separated by spaces.
    ///
    /// A scope is a resource and a permission, with a slash in between. The resource may end in a slash too
    /// (documentation `scopes-oidc.md`, *Trailing slash and .default*). Entra reads a permission without a resource
    /// as one of Microsoft Graph, which the fake rejects.
    pub(super) fn parse(scope: &'a str) -> Result<Self, Failure> {
        let scopes = scope.split_whitespace().filter(|scope| !RESERVED.contains(scope));
        let mut parsed: Option<Self> = None;
        for scope in scopes {
            let (resource, permission) = scope.rsplit_once('/').ok_or(Failure::new(70011))?;
            if permission.is_empty() || !(Url::parse(resource).is_ok() || is_guid(resource)) {
                return Err(Failure::new(70011));
            }
            match &mut parsed {
                None => parsed = Some(Self { resource, permissions: vec![permission] }),
                Some(first) if first.resource == resource => first.permissions.push(permission),
                Some(_) => return Err(Failure::new(700_022)),
            }
        }
        parsed.ok_or(Failure::new(70011))
    }

    /// Checks the rule for tokens of an application, which get all permissions that it was granted
    /// (documentation `v2-oauth2-client-creds-grant-flow.md`).
    pub(super) fn check_default(&self) -> Result<(), Failure> {
        if self.permissions == [".default"] { Ok(()) } else { Err(Failure::new(1_002_012)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_is_the_text_before_the_last_slash() {
        for (scope, resource, permissions) in [
            ("https://fhir/.default", "https://fhir", &[".default"][..]),
            ("https://fhir//.default", "https://fhir/", &[".default"]),
            ("http://127.0.0.1:80/.default openid", "http://127.0.0.1:80", &[".default"]),
            ("api://x/read  api://x/write", "api://x", &["read", "write"]),
            (
                "0a1b2c3d-0000-4000-8000-5741d1000002/.default",
                "0a1b2c3d-0000-4000-8000-5741d1000002",
                &[".default"],
            ),
        ] {
            assert_eq!(
                Scopes::parse(scope),
                Ok(Scopes { resource, permissions: permissions.to_vec() }),
                "{scope}"
            );
        }
    }

    #[test]
    fn scopes_without_one_valid_resource_are_rejected() {
        for (scope, code) in [
            ("offline_access", 70011),
            ("User.Read", 70011),
            ("/.default", 70011),
            ("https://fhir/", 70011),
            ("https:///.default", 70011),
            ("not a/.default", 70011),
            ("https://fhir/.default https://dicom/.default", 700_022),
        ] {
            assert_eq!(Scopes::parse(scope), Err(Failure::new(code)), "{scope}");
        }
    }

    #[test]
    fn token_of_an_application_needs_exactly_the_default_scope() {
        for (scope, ok) in
            [("api://x/.default", true), ("api://x/read", false), ("api://x/.default api://x/a", false)]
        {
            assert_eq!(Scopes::parse(scope).unwrap().check_default().is_ok(), ok, "{scope}");
        }
    }
}
