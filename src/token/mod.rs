//! Keeping one valid token for each scope of a credential.
//!
//! [`state`] holds the rules and nothing else, [`gate`] lets one fetch through at a time, [`slot`] is what readers
//! see, [`source`] is a credential with its slots. `scenarios.json` tells the rules by examples, each of which is a test.

pub(crate) mod bearer;
mod fetched;
pub(crate) mod force_refresh;
mod gate;
#[cfg(test)]
mod scenarios;
mod slot;
mod source;
mod state;

pub(crate) use slot::Slot;
pub(crate) use source::{DEFAULT_TIMEOUT, Source};
