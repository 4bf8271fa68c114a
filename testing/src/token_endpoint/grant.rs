//! [`Grant`]: what a token request is granted.

use super::{
    client_auth::{authenticate, is_current},
    failure::Failure,
    form::Form,
    registration::Registration,
    scope::Scopes,
};
use crate::{
    guid::is_guid,
    token::{TokenClaims, issuer},
};

const ON_BEHALF_OF: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Grant types of Entra that the fake does not support.
const UNSUPPORTED: [&str; 6] = [
    "authorization_code",
    "password",
    "refresh_token",
    "device_code",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:saml2-bearer",
];
/// The permission of a user's token whose scope is `.default`. The services define only this one (Azure Health Data
/// Services documentation `configure-azure-rbac` and `register-application.md`).
const DEFAULT_PERMISSION: &str = "user_impersonation";

/// The token that a request gets.
#[derive(Debug, PartialEq)]
pub(super) struct Grant {
    pub(super) resource: String,
    /// The permissions of a user's token, or `None` for a token of the application.
    pub(super) user_scopes: Option<String>,
}

impl Grant {
    /// Checks a request. The order of the checks is not documented.
    pub(super) fn check(
        registration: &Registration,
        tenant: &str,
        form: &Form,
        now: u64,
    ) -> Result<Self, Failure> {
        check_tenant(registration, tenant)?;
        let grant_type = required(form, "grant_type")?;
        if UNSUPPORTED.contains(&grant_type) {
            return Err(Failure::unsupported(grant_type));
        }
        if grant_type != "client_credentials" && grant_type != ON_BEHALF_OF {
            return Err(Failure::named(70003, grant_type));
        }
        if form.get("resource").is_some() {
            return Err(Failure::new(901_002));
        }
        let scopes = required(form, "scope")?;
        authenticate(registration, form, now)?;
        let scopes = Scopes::parse(scopes)?;
        let user_scopes = if grant_type == ON_BEHALF_OF {
            check_user(registration, form, now)?;
            let permissions = scopes.permissions.join(" ");
            Some(if permissions == ".default" { DEFAULT_PERMISSION.to_owned() } else { permissions })
        } else {
            scopes.check_default()?;
            None
        };
        Ok(Self { resource: scopes.resource.to_owned(), user_scopes })
    }
}

fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, Failure> {
    form.get(name).ok_or_else(|| Failure::named(900_144, name))
}

/// Checks the tenant in the path.
pub(super) fn check_tenant(registration: &Registration, tenant: &str) -> Result<(), Failure> {
    if tenant.eq_ignore_ascii_case(&registration.tenant) {
        return Ok(());
    }
    Err(Failure::new(match tenant {
        // They need a user, whose account determines the tenant.
        "common" | "organizations" | "consumers" => 50059,
        _ if is_tenant_name(tenant) => 90002,
        _ => 900_023,
    }))
}

/// Returns `true` for a GUID or a domain name.
fn is_tenant_name(tenant: &str) -> bool {
    is_guid(tenant) || (tenant.contains('.') && tenant.split('.').all(is_label))
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Checks the user's token of an on-behalf-of request (documentation `v2-oauth2-on-behalf-of-flow.md`).
fn check_user(registration: &Registration, form: &Form, now: u64) -> Result<(), Failure> {
    let fail = |code| Err(Failure::new(code));
    let assertion = required(form, "assertion")?;
    if required(form, "requested_token_use")? != "on_behalf_of" {
        return fail(9_002_313);
    }
    let Some(claims) = TokenClaims::of(assertion) else { return fail(50027) };
    if claims.issuer() != issuer(&registration.tenant) {
        return fail(50013);
    }
    if !is_current(&claims, now) {
        return fail(500_133);
    }
    // Older reports of the same error have the code 50013 (AzureAD/microsoft-authentication-library-for-js issue 389),
    // later ones 500131 (-for-java issue 38).
    let application = [registration.client.as_str(), &registration.app_id_uri()];
    if !claims.audiences().any(|audience| application.contains(&audience)) {
        return fail(500_131);
    }
    // A token that an application got for itself has no scopes.
    if claims.text("scp").is_none() {
        return fail(7_000_114);
    }
    Ok(())
}
