//! Substitutes for the types that the files of `src/token` import.

pub(crate) mod clock;
mod error;
pub(crate) mod runtime;
pub(crate) mod swap;
pub(crate) mod sync;
pub(crate) mod time;

pub(crate) use error::{Error, ErrorKind, Result};
