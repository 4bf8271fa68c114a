//! The token cache.
//!
//! [`cache`] has one [`entry`] per scope of a credential. [`state`] decides, as pure functions, when a token is used,
//! refreshed or replaced. [`fetcher`] calls the credential, and [`in_flight`] shares one call among all waiters.
//! `scenarios.json` specifies the rules by example, and `scenarios.rs` runs each example as a test.

pub(crate) mod bearer;
mod cache;
mod entry;
mod fetched_token;
mod fetcher;
pub(crate) mod force_refresh;
mod in_flight;
#[cfg(test)]
mod scenarios;
mod state;

pub(crate) use cache::{DEFAULT_TIMEOUT, TokenCache};
pub(crate) use entry::CacheEntry;
