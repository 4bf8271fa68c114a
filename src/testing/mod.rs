//! In-process fakes of the FHIR and DICOM services and of the issuer of their tokens, for testing your service.
//!
//! | Item | Use |
//! |---|---|
//! | [`FakeServer`] | both services on loopback, with your test data and injected faults ([`Fault`]) |
//! | [`FakeCredential`] | issues tokens that the fake services accept or, on request, reject |
//! | [`ScriptedCredential`] | returns the tokens and errors of a script, in order |
//! | [`bearer_for`], [`no_authorization`] | matchers for an existing `wiremock` mock server |
//!
//! The fakes need no Azure account and no configuration. All their traffic stays on the local machine.
//!
//! The [testing guide](crate::guide::testing) shows what to test and how. The example `test_your_service` is a service
//! with its tests.
//!
//! # Examples
//!
//! ```
//! use azure_healthcare_auth::testing::{FakeServer, ReceivedRequest};
//! use azure_healthcare_auth::{DicomVersion, HealthcareClient, ServiceKind};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> azure_healthcare_auth::Result<()> {
//! let fake_server = FakeServer::builder().patients(3).changes(100).start().await;
//! let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
//! let dicom = fhir.for_audience(fake_server.dicom(DicomVersion::V2))?;
//!
//! let patients: serde_json::Value = fhir.get("Patient").send().await?.json()?;
//! let changes: Vec<serde_json::Value> = dicom.get("changefeed").send().await?.json()?;
//! assert_eq!(patients["entry"].as_array().map(Vec::len), Some(3));
//! assert_eq!(changes.len(), 100);
//!
//! let received: Vec<_> = fake_server.received().iter().map(ReceivedRequest::service).collect();
//! assert_eq!(received, [ServiceKind::Fhir, ServiceKind::Dicom]);
//! # Ok(()) }
//! ```

mod builder;
mod claims;
mod credential;
mod dicom;
mod fake_server;
mod fault;
mod feed;
mod fhir;
mod gate;
mod matchers;
mod received;
mod response;
mod role;
mod scripted;
mod search;
mod seed;
mod server;
mod service;
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
