//! Keeping one valid token for each scope of a credential.
//!
//! [`state`] holds the rules and nothing else, [`gate`] lets one fetch through at a time, [`slot`] is what readers
//! see, [`source`] is a credential with its slots.

mod bearer;
mod complaint;
mod gate;
mod slot;
mod source;
mod state;

pub(crate) use slot::Slot;
pub(crate) use source::{DEFAULT_TIMEOUT, Source};
