//! draft
mod audience;
mod error;
pub use audience::{
    Audience, Cloud, DicomAudience, DicomAudienceBuilder, DicomVersion, FhirAudience, FhirAudienceBuilder,
    Service,
};
pub use error::{Error, ErrorKind, Result};
