//! In-process fakes of the FHIR and DICOM services of Azure Health Data Services, for tests of services that use them.
//!
//! | Item | Use |
//! |---|---|
//! | [`FakeServer`] | both services on loopback, with your test data and injected faults ([`Fault`]) |
//! | [`FakeCredential`] | issues tokens that the fake services accept or, on request, reject |
//! | [`FakeTokenEndpoint`] | issues the tokens of real credentials, such as those of `azure_identity`, over TLS |
//! | [`ScriptedCredential`] | returns the tokens and errors of a script, in order |
//! | [`FakeClock`] | a clock that a test moves |
//! | [`dicom_file`] | makes a DICOM file from a data set in the DICOM JSON model |
//! | [`bearer_for`], [`no_authorization`] (feature `wiremock`) | matchers for an existing `wiremock` mock server |
//!
//! The fakes need no Azure account and no configuration. All their traffic stays on the local machine.
//!
//! # Examples
//!
//! ```
//! use azure_healthcare_auth::{DicomVersion, HealthcareClient};
//! use azure_healthcare_auth_testing::{FakeServer, FakeService, ReceivedRequest};
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
//! let received: Vec<_> = fake_server.requests().iter().map(ReceivedRequest::service).collect();
//! assert_eq!(received, [FakeService::Fhir, FakeService::Dicom]);
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! * `wiremock`: matchers for `wiremock` 0.6.

#![cfg_attr(docsrs, feature(doc_cfg))]
// A fake must not fail a test by a panic in its own thread. Its own tests may panic.
#![cfg_attr(
    not(test),
    warn(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::todo,
        clippy::unwrap_used
    )
)]
// The documentation links to the matchers.
#![cfg_attr(not(feature = "wiremock"), allow(rustdoc::broken_intra_doc_links))]

mod clock;
mod context;
mod credentials;
mod dicom;
mod fault;
mod fhir;
mod fold;
mod guid;
mod loopback;
#[cfg(feature = "wiremock")]
mod matchers;
mod server;
mod service;
mod storage;
mod token;
mod token_endpoint;

pub use clock::FakeClock;
pub use credentials::{FakeCredential, ScriptedCredential};
pub use dicom::{ChangeTiming, FakeChange, dicom_file};
pub use fault::{Fault, RequestFilter};
#[cfg(feature = "wiremock")]
#[cfg_attr(docsrs, doc(cfg(feature = "wiremock")))]
pub use matchers::{bearer_for, no_authorization};
pub use server::{FakeServer, FakeServerBuilder, ReceivedRequest};
pub use service::FakeService;
pub use token::ChallengeFormat;
pub use token_endpoint::{FakeTokenEndpoint, FakeTokenEndpointBuilder, ReceivedTokenRequest};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
