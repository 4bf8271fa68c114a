//! An error and its sources.

use std::{error::Error as StdError, iter::successors};

/// Iterates over an error and its sources, outermost first.
pub(crate) fn error_chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |&error| error.source())
}

/// Iterates over the kinds of the `azure_core` errors in the chain of `error`, outermost first.
pub(crate) fn azure_core_kinds(
    error: &azure_core::Error,
) -> impl Iterator<Item = &azure_core::error::ErrorKind> {
    error_chain(error)
        .filter_map(|error| error.downcast_ref::<azure_core::Error>())
        .map(azure_core::Error::kind)
}

/// Returns the message of the innermost source, or of the error itself if it has no source.
pub(crate) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    error_chain(error).last().map(ToString::to_string).unwrap_or_default()
}
