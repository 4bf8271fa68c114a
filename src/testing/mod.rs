//! A stand-in for the FHIR and DICOM services, and for what issues their tokens, to test a service of one's own.
//!
//! | | |
//! |---|---|
//! | [`StandIn`] | both services on loopback, with what a test puts in, and what goes wrong on request: [`Fault`] |
//! | [`StandInCredential`] | issues the tokens that they take, and on request tokens that they refuse |
//! | [`ScriptedCredential`] | gives the tokens and errors that a test has written down, one after another |
//! | [`bearer_for`], [`no_authorization`] | for who has a mock server of `wiremock` already |
//!
//! Nothing leaves the machine, and nothing has to be set up. The example `test_your_service` is a service with its
//! tests.

mod answer;
mod builder;
mod carried;
mod credential;
mod desk;
mod dicom;
mod fault;
mod feed;
mod fhir;
mod gate;
mod matchers;
mod received;
mod role;
mod scripted;
mod search;
mod seed;
mod server;
mod stand_in;
mod store;
#[cfg(test)]
mod tests;

pub use builder::StandInBuilder;
pub use credential::StandInCredential;
pub use fault::Fault;
pub use gate::Wording;
pub use matchers::{bearer_for, no_authorization};
pub use received::Received;
pub use scripted::ScriptedCredential;
pub use stand_in::StandIn;
