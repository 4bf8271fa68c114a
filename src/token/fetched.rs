//! [`Fetched`]: a token that has come, ready to be sent.

use std::time::{Duration, SystemTime};

use azure_core::credentials::AccessToken;
use http::HeaderValue;

use super::bearer;
use crate::{Error, ErrorKind, Result};

/// The end of the year 9999. Some systems cannot count much further, and `time` can where a feature tells it to.
const LAST_SECOND: u64 = 253_402_300_799;

pub(super) struct Fetched {
    pub(super) value: HeaderValue,
    pub(super) ends: SystemTime,
}

impl Fetched {
    pub(super) fn new(token: &AccessToken) -> Result<Self> {
        // A time before 1970 is as ended as 1970 itself.
        let seconds = u64::try_from(token.expires_on.unix_timestamp()).unwrap_or(0).min(LAST_SECOND);
        let ends = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Ok(Self { value: bearer::value(token.token.secret())?, ends })
    }

    /// The error of a token that cannot be served any more.
    pub(super) fn ended(&self, scope: &str, now: SystemTime) -> Error {
        let when = match self.ends.duration_since(now) {
            Ok(_) => "is about to end".to_owned(),
            Err(past) => format!("ended {} s ago by this machine's clock", past.duration().as_secs()),
        };
        let message = format!(
            "no token for {scope}: the credential gave one that {when}; if the clock is right, the credential's own \
             cache is out of date"
        );
        Error::new(ErrorKind::Credential, message).transient(true)
    }
}
