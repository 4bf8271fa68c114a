//! draft
#![cfg_attr(docsrs, feature(doc_cfg))]
mod audience;
mod auth;
mod authenticator;
#[cfg(feature = "client")]
mod client;
mod clock;
pub mod credentials;
#[cfg(feature = "client")]
mod denial;
mod error;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
pub use audience::{
    Audience, Cloud, DicomAudience, DicomAudienceBuilder, DicomVersion, FhirAudience, FhirAudienceBuilder,
    Service,
};
pub use auth::HealthcareAuth;
pub use authenticator::Authenticator;
#[cfg(feature = "client")]
pub use client::{Body, HealthcareClient, RequestBuilder, Response, StreamedResponse};
#[cfg(feature = "client")]
pub use denial::{Cause, Challenge, Claims, Denial};
pub use error::{Error, ErrorKind, Result};
