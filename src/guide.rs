//! Guides: longer explanations that concern more than one item.
//!
//! # Examples
//!
//! Selecting the guide for an error:
//!
//! ```
//! use azure_healthcare_auth::{Cloud, DicomAudience, Error, ErrorKind};
//!
//! fn guide(error: &Error) -> Option<&'static str> {
//!     match error.kind() {
//!         ErrorKind::Audience => Some("clouds"),
//!         ErrorKind::Credential | ErrorKind::NoRuntime => Some("token_lifecycle"),
//!         ErrorKind::Denied => Some("troubleshooting"),
//!         ErrorKind::UrlNotAllowed => Some("security"),
//!         _ => None,
//!     }
//! }
//!
//! let error = DicomAudience::workspace("contoso", "imaging").cloud(Cloud::UsGovernment).build().unwrap_err();
//! assert_eq!(guide(&error), Some("clouds"));
//! ```

#[doc = include_str!("../docs/token_lifecycle.svg")]
///
#[doc = include_str!("../docs/token_lifecycle.md")]
pub mod token_lifecycle {}

#[doc = include_str!("../docs/troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("../docs/security.md")]
pub mod security {}

#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/clouds.md")]
pub mod clouds {}
