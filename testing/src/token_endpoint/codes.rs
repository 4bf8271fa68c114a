//! [`known`]: the errors of Microsoft Entra by their AADSTS code.

/// The status, the OAuth error and the text of an AADSTS code.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) status: u16,
    /// The value of `error` in the body.
    pub(super) error: &'static str,
    /// The text after the code, in which `{client}`, `{tenant}`, `{resource}`, `{scope}` and `{name}` are replaced.
    pub(super) text: &'static str,
}

const fn known_as(status: u16, error: &'static str, text: &'static str) -> Known {
    Known { status, error, text }
}

/// Returns the error with this code, or a general one for a code that the fake does not know.
///
/// The codes and their meaning follow the Microsoft Entra documentation (`reference-error-codes.md`) and the messages in
/// public bug reports. The texts are not those of Entra word for word.
pub(super) fn known(code: u32) -> Known {
    account(code)
        .or_else(|| application(code))
        .or_else(|| assertion(code))
        .or_else(|| request(code))
        .unwrap_or(known_as(400, "invalid_request", "The request failed."))
}

/// Errors of the user's account or session.
fn account(code: u32) -> Option<Known> {
    const GRANT: &str = "invalid_grant";
    // For on-behalf-of requests the documentation shows this error (`v2-oauth2-on-behalf-of-flow.md`).
    const INTERACTION: &str = "interaction_required";
    let (error, text) = match code {
        16000 => (
            INTERACTION,
            "The user account does not exist in tenant '{tenant}'. Sign in with another account.",
        ),
        50020 => {
            (GRANT, "The user account of another identity provider does not exist in tenant '{tenant}'.")
        }
        50034 => (GRANT, "The user account does not exist in the directory '{tenant}'."),
        50053 => (GRANT, "The account is locked because of too many failed sign-ins."),
        50055 => (GRANT, "The password is expired."),
        50057 => (GRANT, "The user account is disabled."),
        // microsoft/azure-spring-boot issue 549.
        50058 => (GRANT, "A silent sign-in was requested, but no user is signed in."),
        50076 => (INTERACTION, "The user must use multi-factor authentication to access '{resource}'."),
        50078 => {
            (INTERACTION, "The multi-factor authentication has expired. Refresh it to access '{resource}'.")
        }
        50079 => (INTERACTION, "The user must enroll in multi-factor authentication to access '{resource}'."),
        50105 => (GRANT, "The signed-in user is not assigned to a role for the application '{client}'."),
        50126 => (GRANT, "The user name or the password is invalid."),
        50158 => (INTERACTION, "An external security challenge was not satisfied."),
        50173 => (GRANT, "The grant has expired because it was revoked. The user must sign in again."),
        50178 => (INTERACTION, "Session control is not supported for passthrough users."),
        53003 => (INTERACTION, "Conditional Access policies block access and do not allow a token."),
        530_003 => (INTERACTION, "The device must be managed to access this resource."),
        65001 => (GRANT, "The user or an administrator has not consented to use the application '{client}'."),
        65004 => (GRANT, "The user declined to consent to access the application."),
        70008 => (GRANT, "The refresh token has expired due to inactivity."),
        700_082 => {
            (GRANT, "The refresh token has expired due to inactivity. It was inactive for 90.00:00:00.")
        }
        70043 => {
            (GRANT, "The refresh token is invalid due to sign-in frequency checks by Conditional Access.")
        }
        _ => return None,
    };
    Some(known_as(400, error, text))
}

/// Errors of the application, its credentials or its permissions.
fn application(code: u32) -> Option<Known> {
    Some(match code {
        700_016 => known_as(
            400,
            "unauthorized_client",
            "Application with identifier '{client}' was not found in the directory '{tenant}'.",
        ),
        7_000_112 => known_as(400, "unauthorized_client", "Application '{client}' is disabled."),
        7_000_114 => known_as(
            400,
            "invalid_grant",
            "Application '{client}' is not allowed to make application on-behalf-of calls.",
        ),
        7_000_229 => known_as(
            400,
            "unauthorized_client",
            "The client application '{client}' has no service principal in the tenant '{tenant}'.",
        ),
        7_000_215 => known_as(
            401,
            "invalid_client",
            "Invalid client secret provided. Send the value of the secret, not its id, for a secret that was added to \
             app '{client}'.",
        ),
        7_000_218 => known_as(
            401,
            "invalid_client",
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        ),
        7_000_222 => known_as(
            401,
            "invalid_client",
            "The client secret keys that were provided for app '{client}' are expired.",
        ),
        500_011 => known_as(
            400,
            "invalid_resource",
            "The resource principal named {resource} was not found in the tenant named {tenant}. The request may have \
             been sent to the wrong tenant.",
        ),
        500_014 => {
            known_as(400, "invalid_resource", "The service principal for resource '{resource}' is disabled.")
        }
        650_057 => known_as(
            400,
            "invalid_resource",
            "Invalid resource. The registration of the client '{client}' does not list the permission to request \
             '{resource}'.",
        ),
        _ => return None,
    })
}

/// Errors of a client assertion, a federated credential or the assertion of an on-behalf-of request.
fn assertion(code: u32) -> Option<Known> {
    const CLIENT: (u16, &str) = (401, "invalid_client");
    const GRANT: (u16, &str) = (400, "invalid_grant");
    let ((status, error), text) = match code {
        50027 => ((400, "invalid_request"), "The JWT token is invalid."),
        50013 => (
            GRANT,
            "The assertion is invalid: its audience or its issuer does not match the application '{client}' in \
             tenant '{tenant}'.",
        ),
        500_131 => (
            GRANT,
            "The audience of the assertion does not match the application '{client}' that presents it.",
        ),
        500_133 => {
            (GRANT, "The assertion is not within its valid time range. Request a new token from the user.")
        }
        70021 => (CLIENT, "No matching federated identity record found for the presented assertion."),
        700_021 => {
            (CLIENT, "The application of the client assertion does not match the parameter 'client_id'.")
        }
        700_023 => (CLIENT, "The audience of the client assertion does not match the issuer of the realm."),
        700_024 => (CLIENT, "The client assertion is not within its valid time range."),
        70025 => (CLIENT, "The client '{client}' has no configured federated identity credentials."),
        700_027 => {
            (CLIENT, "The client assertion failed signature validation: its certificate is not registered.")
        }
        700_030 => (CLIENT, "Invalid certificate: the subject name in the certificate is not authorized."),
        700_211 => {
            (CLIENT, "No matching federated identity record found for the presented assertion issuer.")
        }
        700_212 => {
            (CLIENT, "No matching federated identity record found for the presented assertion audience.")
        }
        700_213 => {
            (CLIENT, "No matching federated identity record found for the presented assertion subject.")
        }
        7_002_138 => (
            CLIENT,
            "No matching federated identity record found for the presented assertion subject. It matches only if case \
             is ignored.",
        ),
        90061 => {
            ((400, "invalid_request"), "The request to the OpenID endpoint of the external issuer failed.")
        }
        _ => return None,
    };
    Some(known_as(status, error, text))
}

/// Errors of the request itself, and of the service.
fn request(code: u32) -> Option<Known> {
    const REQUEST: &str = "invalid_request";
    const SCOPE: &str = "invalid_scope";
    let (status, error, text) = match code {
        50059 => (400, REQUEST, "The request contains no information that identifies the tenant."),
        50128 => (
            400,
            REQUEST,
            "Invalid domain name: the request contains no information that identifies the tenant.",
        ),
        50196 => {
            (400, "invalid_grant", "The server stopped the operation because the client sends it in a loop.")
        }
        70003 => (400, "unsupported_grant_type", "The grant type '{name}' is not supported."),
        70011 => (
            400,
            SCOPE,
            "The value of the input parameter 'scope' is not valid. The scope {scope} is not valid.",
        ),
        700_022 => (400, SCOPE, "The scope {scope} is not valid because it contains more than one resource."),
        1_002_012 => (
            400,
            SCOPE,
            "The value of scope {scope} is not valid. Client credential flows need a scope of the resource's \
             identifier followed by /.default.",
        ),
        // Entra reported `invalid_request` before.
        90002 => (400, "invalid_tenant", "Tenant '{tenant}' not found. Check the tenant id and the cloud."),
        90013 => (400, REQUEST, "Invalid input received from the user."),
        900_023 => (
            400,
            REQUEST,
            "The tenant identifier '{tenant}' is neither a valid DNS name nor a valid external domain.",
        ),
        90033 => (503, "temporarily_unavailable", "A transient error has occurred. Please try again."),
        900_144 => (400, REQUEST, "The request body must contain the following parameter: '{name}'."),
        900_561 => (400, REQUEST, "The endpoint only accepts POST requests. Received a {name} request."),
        901_002 => (400, REQUEST, "The 'resource' request parameter is not supported."),
        9_001_023 => {
            (400, REQUEST, "The grant type is not supported over the /common or /consumers endpoints.")
        }
        9_002_313 => (400, REQUEST, "Invalid request. The request is malformed or invalid."),
        9_010_010 => (400, "invalid_target", "The parameter 'resource' does not match the requested scopes."),
        _ => return None,
    };
    Some(known_as(status, error, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes whose cause the library explains to its users.
    const EXPLAINED: [u32; 60] = [
        50034, 50126, 50053, 50055, 50057, 50020, 50058, 16000, 50173, 70008, 700_082, 50076, 50079, 50158,
        530_003, 53003, 50105, 500_011, 650_057, 65001, 65004, 70011, 901_002, 900_144, 700_016, 90002,
        50128, 7_000_215, 7_000_222, 700_027, 700_024, 700_030, 70021, 700_211, 700_212, 700_213, 500_133,
        50013, 500_131, 90013, 900_023, 50059, 90033, 50196, 50078, 70043, 7_000_229, 7_000_112, 70025,
        7_000_218, 7_002_138, 1_002_012, 90061, 50178, 500_014, 9_010_010, 70003, 50027, 700_023, 900_561,
    ];

    #[test]
    fn every_explained_code_has_its_own_text() {
        let general = known(1).text;
        let mut texts: Vec<_> = EXPLAINED.iter().map(|code| known(*code).text).collect();
        assert!(!texts.contains(&general));
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), EXPLAINED.len());
    }

    #[test]
    fn status_and_error_depend_on_the_code() {
        for (code, status, error) in [
            (7_000_215, 401, "invalid_client"),
            (700_024, 401, "invalid_client"),
            (700_213, 401, "invalid_client"),
            (700_016, 400, "unauthorized_client"),
            (90002, 400, "invalid_tenant"),
            (500_011, 400, "invalid_resource"),
            (70011, 400, "invalid_scope"),
            (900_144, 400, "invalid_request"),
            (70003, 400, "unsupported_grant_type"),
            (50079, 400, "interaction_required"),
            (700_082, 400, "invalid_grant"),
            (500_133, 400, "invalid_grant"),
            (90033, 503, "temporarily_unavailable"),
            (1, 400, "invalid_request"),
        ] {
            let known = known(code);
            assert_eq!((known.status, known.error), (status, error), "{code}");
        }
    }
}
