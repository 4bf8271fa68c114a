//! draft
#![cfg_attr(docsrs, feature(doc_cfg))]
mod audience;
mod auth;
mod authenticator;
mod clock;
pub mod credentials;
mod error;
mod token;
pub use audience::{
    Audience, Cloud, DicomAudience, DicomAudienceBuilder, DicomVersion, FhirAudience, FhirAudienceBuilder,
    Service,
};
pub use auth::HealthcareAuth;
pub use authenticator::Authenticator;
pub use error::{Error, ErrorKind, Result};
