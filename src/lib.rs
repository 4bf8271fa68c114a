//! Tokens and authenticated requests for the FHIR and DICOM services of Azure Health Data Services.
//!
//! A service that reads patients or a change feed needs a Microsoft Entra token for the right resource on every request.
//! This crate requests the token, caches it, refreshes it before it expires, sends it only to the service that it is for,
//! and explains a 401 or 403 in words that a person can act on.
//!
//! ```no_run
//! use azure_healthcare_auth::{DicomAudience, FhirAudience, HealthcareClient};
//! use azure_identity::AzureCliCredential;
//!
//! # async fn flows() -> azure_healthcare_auth::Result<()> {
//! let credential = AzureCliCredential::new(None)?;
//!
//! let fhir = HealthcareClient::new(FhirAudience::workspace("contoso", "records").build()?, credential);
//! let patients: serde_json::Value = fhir.get("Patient").query("_count", "10").send().await?.json()?;
//!
//! let dicom = fhir.for_audience(DicomAudience::workspace("contoso", "imaging").build()?)?;
//! let changes: serde_json::Value = dicom.get("changefeed").send().await?.json()?;
//! # Ok(()) }
//! ```
//!
#![doc = include_str!("../docs/overview.svg")]
//!
//! # Overview
//!
//! | Item | Purpose |
//! |---|---|
//! | [`FhirAudience`], [`DicomAudience`] | The endpoint of a service and the resource that a token is for |
//! | [`credentials`] | Credentials, in addition to those of `azure_identity` and your own |
//! | [`Authenticator`] | Caches one valid token per scope |
//! | [`HealthcareAuth`] | The trait of `Authenticator`, to depend on and to replace in tests |
//! | [`HealthcareClient`] | Sends authenticated requests |
//! | [`adapters`] | Attach tokens in `reqwest-middleware`, `tower` and `azure_core` |
//! | [`Error`], [`Denial`] | Errors, and the explanation of a 401 or 403 |
//! | `testing` (feature) | Fake FHIR and DICOM services for your tests |
//!
//! # Guarantees
//!
//! * **One token fetch.** The credential is called once, however many tasks need a token at the same time. All of them get
//!   the same token or the same error. While a token is valid, no request waits for its refresh. See
//!   [Token lifecycle](guide::token_lifecycle).
//! * **Contained tokens.** A URL outside the audience's origin and base path is rejected before a token is fetched.
//!   Redirects are not followed. FHIR and DICOM audiences are different types.
//! * **No duplicates.** A request that the service may have processed is retried only if it is idempotent.
//! * **Explained rejections.** A 401 or 403 is explained from the response and the token's claims. See
//!   [Troubleshooting 401 and 403](guide::troubleshooting).
//! * **Quiet logs.** `Debug`, `Display`, error sources and `tracing` events contain no token, no secret and no patient
//!   data, which includes paths below the base URL, queries and bodies. See [Security model](guide::security).
//! * **No panics** on any input, and no `unsafe` code.
//!
//! Requests need a Tokio runtime with I/O and time enabled, as `#[tokio::main]` provides.
//!
//! # Choosing a client
//!
//! | Your service uses | Use |
//! |---|---|
//! | no HTTP client yet | [`HealthcareClient`] |
//! | `reqwest-middleware` | `adapters::BearerMiddleware` |
//! | `tower`, `hyper-util` | `adapters::BearerLayer` |
//! | the pipeline of `azure_core` | [`adapters::BearerPolicy`] |
//! | anything else, or `curl` | [`Authenticator::authorization_for`] |
//!
//! # Examples
//!
//! With the feature `testing`, this runs without Azure:
//!
//! ```
//! use azure_healthcare_auth::{HealthcareClient, testing::FakeServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> azure_healthcare_auth::Result<()> {
//! let server = FakeServer::start().await;
//! let fhir = HealthcareClient::new(server.fhir(), server.credential());
//! let patient: serde_json::Value = fhir.get("Patient/example-0001").send().await?.json()?;
//! assert_eq!(patient["resourceType"], "Patient");
//! # Ok(()) }
//! ```
//!
//! # Features
//!
//! * `client` (default): [`HealthcareClient`] and [`Denial`], built on `reqwest`.
//! * `identity` (default): credentials that run a command-line tool or use `azure_identity`.
//! * `client-certificate`: a client certificate for `credentials::from_env`. Needs OpenSSL.
//! * `reqwest-middleware`, `tower`: the adapters for these crates. The adapter for `azure_core` needs no feature.
//! * `serde`: deserializes and serializes audiences and the enums of the interface.
//! * `testing`: fake services for tests.
//!
//! # Limits
//!
//! The crate has no types for FHIR or DICOM. It does not validate incoming tokens, sign users in or assign roles. A token
//! cannot be wiped from memory.

#![cfg_attr(docsrs, feature(doc_cfg))]
// The library neither panics nor prints. Its tests may.
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
// The documentation links to items of the default features.
#![cfg_attr(not(feature = "client"), allow(rustdoc::broken_intra_doc_links))]

pub mod adapters;
mod audience;
mod auth;
mod authenticator;
#[cfg(any(feature = "client", feature = "identity"))]
mod claims;
#[cfg(feature = "client")]
mod client;
mod clock;
pub mod credentials;
#[cfg(feature = "client")]
mod denial;
mod error;
pub mod guide;
mod named;
mod redact;
mod scope;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
mod text;
mod token;

pub use audience::{
    Audience, Cloud, DicomAudience, DicomAudienceBuilder, DicomVersion, FhirAudience, FhirAudienceBuilder,
    ServiceKind,
};
pub use auth::HealthcareAuth;
pub use authenticator::{Authenticator, AuthenticatorBuilder};
#[cfg(any(feature = "client", feature = "identity"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "client", feature = "identity"))))]
pub use claims::UnverifiedClaims;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use client::{
    Body, HealthcareClient, HealthcareClientBuilder, RequestBuilder, Response, StreamedResponse,
};
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use denial::{Challenge, Denial, DenialCause};
pub use error::{Error, ErrorKind, Result};
pub use named::ParseNameError;

/// Private functions for the fuzz targets.
#[cfg(all(fuzzing, feature = "client", feature = "tower"))]
#[doc(hidden)]
pub mod fuzzing;

// Compiles and runs the README's code as documentation tests.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../README.md")]
struct Readme;
