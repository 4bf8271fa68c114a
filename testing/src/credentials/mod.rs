//! Credentials for tests.

mod fake;
mod scripted;

pub use self::{fake::FakeCredential, scripted::ScriptedCredential};
