//! Tokens and authenticated requests for the FHIR and DICOM services of Azure Health Data Services.
//!
//! A service that reads Patients or a change feed needs a token from Microsoft Entra whose *audience* is right for
//! that service, on every request, renewed before it ends, sent nowhere else; and when it is refused, somebody needs
//! to know why. This crate does that, and no more.
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
#![doc = include_str!("../docs/house.svg")]
//!
//! # The parts
//!
//! | | |
//! |---|---|
//! | [`FhirAudience`], [`DicomAudience`] | where requests go and what the token is for, checked when built |
//! | [`credentials`] | gets tokens: these, any of `azure_identity`, or your own |
//! | [`Authenticator`] | keeps one valid token for each scope, and hands out the header value |
//! | [`HealthcareAuth`] | the trait of the above, to depend on and to replace in tests |
//! | [`HealthcareClient`] | sends requests with it |
//! | [`adapters`] | the same in the HTTP stack that a service already has |
//! | [`Error`], [`Denial`] | what went wrong; why a service said no |
//! | `testing` (a feature) | both services, on this machine, for your tests |
//!
//! # What is promised
//!
//! * **One fetch.** However many tasks need a token at once, the credential is called once, and all share its answer
//!   or its error. While a token lives, nobody waits for its refresh: see [a token's life](guide::token_life).
//! * **A token stays with its service.** A URL outside the audience's origin and base path is refused before a token
//!   is fetched. Redirects are not followed. FHIR and DICOM audiences are different types.
//! * **No duplicates.** A request that may have acted is not sent again, unless its method makes that harmless.
//! * **A refusal says why.** A 401 or 403 is explained by what the service said and by what the token claims to be: see
//!   [when a service says no](guide::when_a_service_says_no).
//! * **Quiet logs.** No token, no secret and nothing about a patient (no path below the base URL, no query, no body)
//!   in `Debug`, `Display`, an error's sources or a `tracing` event: see [security](guide::security).
//! * **No panic** on any input, and no `unsafe`. Requests are made inside a Tokio runtime that has I/O and time enabled.
//!
//! # Pick your stack
//!
//! | a service that has | takes |
//! |---|---|
//! | nothing yet | [`HealthcareClient`]: all of the above |
//! | `reqwest-middleware` | `adapters::BearerMiddleware` |
//! | `tower`, `hyper-util` | `adapters::BearerLayer` |
//! | clients on `azure_core`'s pipeline | [`adapters::BearerPolicy`] |
//! | anything else, or `curl` | [`Authenticator::authorization_for`] a URL |
//!
//! Further pages: [testing](guide::testing), [clouds](guide::clouds).
//!
//! # Try it
//!
//! Without Azure: with the feature `testing`, both services are on this machine.
//!
//! ```
//! use azure_healthcare_auth::{HealthcareClient, testing::FakeServer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> azure_healthcare_auth::Result<()> {
//! let azure = FakeServer::start().await;
//! let fhir = HealthcareClient::new(azure.fhir(), azure.credential());
//! let patient: serde_json::Value = fhir.get("Patient/example-0001").send().await?.json()?;
//! assert_eq!(patient["resourceType"], "Patient");
//! # Ok(()) }
//! ```
//!
//! # What it is not
//!
//! It has no types for FHIR or DICOM, verifies no tokens that come *in*, asks no user to sign in, and assigns no
//! roles. A token that is held in memory cannot be wiped from it.
//!
//! # Features
//!
//! * `client` (default): [`HealthcareClient`] and [`Denial`], on `reqwest`.
//! * `identity` (default): the credentials that start a tool or build those of `azure_identity`.
//! * `client-certificate`: a client certificate in the environment. Needs OpenSSL.
//! * `reqwest-middleware`, `tower`: the adapters of those names. That for `azure_core` needs no feature.
//! * `serde`: audiences are read from a configuration, and written to one.
//! * `testing`: the module of that name, with both services on this machine.

#![cfg_attr(docsrs, feature(doc_cfg))]
// No input makes the library panic, and it prints nothing. Its tests may.
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
// The docs are written for the default features: without them, what they speak of is not there to be linked.
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
pub use authenticator::Authenticator;
#[cfg(any(feature = "client", feature = "identity"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "client", feature = "identity"))))]
pub use claims::UnverifiedClaims;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use client::{Body, HealthcareClient, RequestBuilder, Response, StreamedResponse, default_http};
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub use denial::{Challenge, Denial, DenialCause};
pub use error::{Error, ErrorKind, ParseErrorKindError, Result};

/// The doors to what is private, for the fuzz targets alone.
#[cfg(all(fuzzing, feature = "client", feature = "tower"))]
#[doc(hidden)]
pub mod fuzzing;

// The README's code is compiled and run as documentation tests.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../README.md")]
struct Readme;
