//! [`FetchedToken`]: a token from the credential, as an authorization value.

use std::time::{Duration, SystemTime};

use azure_core::credentials::AccessToken;
use http::HeaderValue;

use super::bearer;
use crate::{Error, ErrorKind, Result};

/// The last second of the year 9999. Later times, which `time` allows with its feature `large-dates`, overflow
/// `SystemTime` on some platforms.
const MAX_EXPIRES_ON: u64 = 253_402_300_799;

pub(super) struct FetchedToken {
    pub(super) value: HeaderValue,
    pub(super) expires_on: SystemTime,
}

impl FetchedToken {
    pub(super) fn new(token: &AccessToken) -> Result<Self> {
        // A negative timestamp (before 1970) has expired, just as 0 has.
        let seconds = u64::try_from(token.expires_on.unix_timestamp()).unwrap_or(0).min(MAX_EXPIRES_ON);
        let expires_on = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Ok(Self { value: bearer::value(token.token.secret())?, expires_on })
    }

    /// Returns the error for a token that expired, or is about to expire, when it was received.
    pub(super) fn expired_error(&self, scope: &str, now: SystemTime) -> Error {
        let when = match self.expires_on.duration_since(now) {
            Ok(_) => "is about to expire".to_owned(),
            Err(past) => format!("expired {} s ago", past.duration().as_secs()),
        };
        let message = format!(
            "no token for {scope}: the credential returned a token that {when} (check this machine's clock; if it is \
             right, the credential's own cache is out of date)"
        );
        Error::new(ErrorKind::Credential, message).transient(true)
    }
}
