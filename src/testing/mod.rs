//! A stand-in for the FHIR and DICOM services, and for what issues their tokens, to test a service of one's own.
//!
//! | | |
//! |---|---|
//! | [`FakeServer`] | both services on loopback, with what a test puts in, and what goes wrong on request: [`Fault`] |
//! | [`FakeCredential`] | issues the tokens that they take, and on request tokens that they refuse |
//! | [`ScriptedCredential`] | gives the tokens and errors that a test has written down, one after another |
//! | [`bearer_for`], [`no_authorization`] | for those who have a mock server of `wiremock` already |
//!
//! Nothing leaves the machine, and nothing has to be set up:
//!
//! ```
//! use azure_healthcare_auth::testing::{ReceivedRequest, FakeServer};
//! use azure_healthcare_auth::{DicomVersion, HealthcareClient, ServiceKind};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> azure_healthcare_auth::Result<()> {
//! let azure = FakeServer::builder().patients(3).changes(100).start().await;
//! let fhir = HealthcareClient::new(azure.fhir(), azure.credential());
//! let dicom = fhir.for_audience(azure.dicom(DicomVersion::V2))?;
//!
//! let patients: serde_json::Value = fhir.get("Patient").send().await?.json()?;
//! let changes: Vec<serde_json::Value> = dicom.get("changefeed").send().await?.json()?;
//! assert_eq!((patients["entry"].as_array().map(Vec::len), changes.len()), (Some(3), 100));
//!
//! let received: Vec<_> = azure.received().iter().map(ReceivedRequest::service).collect();
//! assert_eq!(received, [ServiceKind::Fhir, ServiceKind::Dicom]);
//! # Ok(()) }
//! ```
//!
//! What to test for, and how, is in [the guide](crate::guide::testing). The example `test_your_service` is a service with
//! its tests.

mod answer;
mod builder;
mod carried;
mod credential;
mod desk;
mod dicom;
mod fake_server;
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
mod store;
#[cfg(test)]
mod tests;

pub use builder::FakeServerBuilder;
pub use credential::FakeCredential;
pub use fake_server::FakeServer;
pub use fault::Fault;
pub use gate::ChallengeFormat;
pub use matchers::{bearer_for, no_authorization};
pub use received::ReceivedRequest;
pub use scripted::ScriptedCredential;
