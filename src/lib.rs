//! Tokens and authenticated requests for the FHIR and DICOM services of Azure Health Data Services.
//!
//! Every request to a FHIR or DICOM service needs a Microsoft Entra token for the resource of that service. This crate
//! requests the token, caches it, refreshes it before it expires, sends it only to the configured endpoint, and turns a
//! 401 or 403 into an actionable error.
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
//! | [`credentials`] | Additional credentials; those of `azure_identity` and your own also work |
//! | [`Authenticator`] | Caches one valid token per scope |
//! | [`HealthcareAuth`] | The trait that `Authenticator` implements; depend on it to use a fake in tests |
//! | [`HealthcareClient`] | Sends authenticated requests |
//! | [`adapters`] | Middleware for `reqwest-middleware`, `tower` and `azure_core` that attaches tokens |
//! | [`Error`], [`Denial`] | Errors, and the explanation of a 401 or 403 |
//! | `azure_healthcare_auth_testing` (another crate) | Fake FHIR and DICOM services for your tests |
//!
//! # Guarantees
//!
//! * **One token fetch.** However many tasks need a token at the same time, the credential is called once per scope.
//!   All of them get the same token or the same error. While a token is valid, no request waits for its refresh. See
//!   [Token lifecycle](guide::token_lifecycle).
//! * **Origin-bound tokens.** A URL outside the audience's origin and base path is rejected before a token is fetched.
//!   [`HealthcareClient`] does not follow redirects. FHIR and DICOM audiences are different types.
//! * **No duplicates.** [`HealthcareClient`] retries a request that the service may have processed only if it is
//!   idempotent.
//! * **Actionable 401s and 403s.** [`HealthcareClient`] diagnoses a 401 or 403 from the response and the token's
//!   claims. See [Troubleshooting 401 and 403](guide::troubleshooting).
//! * **Redacted logs.** The crate's own `Debug` and `Display` output, error sources and `tracing` events contain no
//!   token, no secret and no patient data. Paths below the endpoint, queries and bodies count as patient data. See
//!   [Security model](guide::security).
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
//! With the fake services of `azure_healthcare_auth_testing`, this runs without Azure:
//!
//! ```
//! use azure_healthcare_auth::HealthcareClient;
//! use azure_healthcare_auth_testing::FakeServer;
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
//! * `client-certificate`: authentication with a client certificate in `credentials::from_env`. Needs OpenSSL.
//! * `reqwest-middleware`, `tower`: the adapters for these crates. The adapter for `azure_core` needs no feature.
//! * `serde`: `Serialize` and `Deserialize` for audiences and the enums of the interface.
//!
//! # Limits
//!
//! The crate has no types for FHIR or DICOM. It does not validate incoming tokens, sign users in or assign roles. A
//! token cannot be wiped from memory.

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
