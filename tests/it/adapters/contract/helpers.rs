//! Helpers that the contract tests share.

use std::sync::Arc;

use azure_healthcare_auth::Authenticator;
use azure_healthcare_auth_testing::ScriptedCredential;

use super::stacks::{Outcome, Stack};
use crate::{
    support::TestCredential,
    wire::{Service, fhir},
};

pub(super) const OK: Outcome = Outcome::Response(200);

pub(super) fn patients(server: &Service) -> String {
    format!("{}/Patient", server.uri())
}

/// A stack with the tokens of `credential`, on the real clock.
pub(super) fn stack<S: Stack>(server: &Service, credential: &Arc<ScriptedCredential>) -> S {
    S::new(Arc::new(Authenticator::new(fhir(server), credential.clone())))
}

/// A stack with the tokens and the clock of `credential`.
pub(super) fn scripted<S: Stack>(server: &Service, credential: &Arc<TestCredential>) -> S {
    let clock = credential.clock.clone();
    let auth = Authenticator::builder(fhir(server), credential.clone()).clock(move || clock.now()).build();
    S::new(Arc::new(auth))
}
