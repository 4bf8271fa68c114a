//! Possible causes, for responses that do not determine the cause.

/// A possible cause of a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CandidateCause {
    /// The `Authorization` header did not reach the service.
    HeaderRemoved,
    /// The token is not a JWT.
    NotJwt,
    /// The token is for an audience other than the requested one.
    NotAsRequested,
    Expired,
    Clock,
    Signature,
    Audience,
    Tenant,
    Role,
    /// The service's own identity has no role on the storage account of an export or import.
    StorageRole,
    /// The tenant requires a new sign-in.
    SignInRequired,
    /// A gateway, firewall or network rule denied the request.
    Gateway,
    /// The service has a reason that this crate does not know.
    ServiceSpecific,
    /// The service rejected the token with 403 instead of 401.
    TokenRejected,
}
