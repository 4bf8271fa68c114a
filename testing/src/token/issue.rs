//! [`NewToken`]: issues the tokens of the fake credential and of the fake token endpoint.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// The application that requests tokens: its client id, which is the `appid` claim.
pub(crate) const APP: &str = "0a1b2c3d-0000-4000-8000-5741d1000002";
/// The `oid` and `sub` claims of the application's tokens.
pub(crate) const PRINCIPAL: &str = "0a1b2c3d-0000-4000-8000-5741d1000003";
/// The `oid` and `sub` claims of a user's tokens.
pub(crate) const USER: &str = "0a1b2c3d-0000-4000-8000-5741d1000004";
/// A role for each service that allows every operation of the fake server.
pub(crate) const ROLES: [&str; 3] = ["FHIR Data Contributor", "DICOM Data Owner", "Storage Blob Data Reader"];
/// The default lifetime of a token.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The claims of a token that is about to be issued. Times are in seconds since the Unix epoch.
pub(crate) struct NewToken<'a> {
    pub(crate) audience: &'a str,
    pub(crate) tenant: &'a str,
    /// The application that requested the token.
    pub(crate) app: &'a str,
    /// The scopes of a token that represents a user, or `None` for a token that represents the application.
    pub(crate) user_scopes: Option<&'a str>,
    pub(crate) roles: &'a [String],
    pub(crate) issued_at: u64,
    pub(crate) expires_on: u64,
}

impl NewToken<'_> {
    /// Returns a new, unique token. It is not signed.
    ///
    /// A user's token has the claim `roles` too, because the fake services know no other way to grant a role.
    pub(crate) fn issue(&self) -> String {
        static ISSUED: AtomicU64 = AtomicU64::new(0);
        let (kind, principal) = match self.user_scopes {
            Some(_) => ("user", USER),
            None => ("app", PRINCIPAL),
        };
        let mut claims = json!({
            "aud": self.audience,
            "iss": issuer(self.tenant),
            "iat": self.issued_at,
            "nbf": self.issued_at,
            "exp": self.expires_on,
            "appid": self.app,
            "idtyp": kind,
            "oid": principal,
            "sub": principal,
            "tid": self.tenant,
            "uti": format!("fake-{:06}", ISSUED.fetch_add(1, Ordering::Relaxed)),
            "ver": "1.0",
        });
        if let Some(claims) = claims.as_object_mut() {
            if !self.roles.is_empty() {
                claims.insert("roles".to_owned(), json!(self.roles));
            }
            if let Some(scopes) = self.user_scopes {
                claims.insert("scp".to_owned(), json!(scopes));
            }
        }
        unsigned_jwt(&claims)
    }
}

/// Returns the `iss` claim of the tokens of a tenant.
pub(crate) fn issuer(tenant: &str) -> String {
    format!("https://sts.windows.net/{tenant}/")
}

/// Returns a JWT with these claims, the algorithm `none` and a placeholder as its signature.
pub(crate) fn unsigned_jwt(claims: &Value) -> String {
    let header = json!({"alg": "none", "typ": "JWT"});
    let [header, claims] = [&header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode("not signed"))
}
