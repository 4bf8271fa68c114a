//! The input of a diagnosis.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use url::Url;

use crate::audience::service_kind::ServiceKind;

/// Everything that is known about a 401 or 403 response.
pub(crate) struct Evidence<'a> {
    pub(crate) service: ServiceKind,
    /// The endpoint of the service.
    pub(crate) endpoint: &'a Url,
    /// The resource that the token was requested for.
    pub(crate) resource: &'a str,
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    /// The start of the body, at most 64 KiB.
    pub(crate) body: Bytes,
    /// The authorization value that was sent.
    pub(crate) authorization: &'a HeaderValue,
    pub(crate) now: SystemTime,
    pub(crate) refresh: RefreshAttempt,
}

/// The client's reaction to a 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefreshAttempt {
    /// The client did not try to get another token.
    NotTried,
    /// The client could not get another token: the credential returned the same one or failed, or the last forced
    /// refresh was too recent to ask it again.
    NoOtherToken,
    /// The client replayed the request with another token, and the service rejected that one too.
    Replayed,
}
