//! The part of the crate's error that the token cache uses.

use real_std::{borrow::Cow, fmt};

use crate::time::Duration;

pub(crate) type Result<T, E = Error> = real_std::result::Result<T, E>;

#[derive(Clone, Debug)]
pub(crate) struct Error {
    pub(crate) kind: ErrorKind,
    message: Cow<'static, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    Credential,
    NoRuntime,
    Timeout,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn from_credential(scope: &str, error: &azure_core::Error) -> Self {
        Self::new(ErrorKind::Credential, format!("no token for {scope}: {error}"))
    }

    pub(crate) fn transient(self, _: bool) -> Self {
        self
    }

    pub(crate) fn with_retry_after(self, _: Option<Duration>) -> Self {
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl real_std::error::Error for Error {}
