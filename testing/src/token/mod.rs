//! Access tokens as the fake services see them: their claims, the check, and the permissions of roles.

mod challenge;
mod check;
mod claims;
mod issue;
pub(crate) mod role;

pub use self::challenge::ChallengeFormat;
#[cfg(test)]
pub(crate) use self::issue::PRINCIPAL;
pub(crate) use self::{
    challenge::Rejection,
    check::check_token,
    claims::TokenClaims,
    issue::{APP, LIFETIME, NewToken, ROLES, issuer, unsigned_jwt},
};

/// The tenant whose tokens the fake services accept.
pub(crate) const TENANT: &str = "0a1b2c3d-0000-4000-8000-5741d1000001";
