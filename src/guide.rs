//! What to know beyond one item: a page for each question.
//!
//! Most come here with an error in hand:
//!
//! ```
//! use azure_healthcare_auth::{Cloud, DicomAudience, Error, ErrorKind};
//!
//! fn page(error: &Error) -> &'static str {
//!     match error.kind() {
//!         ErrorKind::Audience => "clouds",
//!         ErrorKind::Credential | ErrorKind::NoRuntime => "token_life",
//!         ErrorKind::Denied => "troubleshooting",
//!         ErrorKind::UrlNotAllowed => "security",
//!         _ => "none: the error says it all",
//!     }
//! }
//!
//! let error = DicomAudience::workspace("contoso", "imaging").cloud(Cloud::UsGovernment).build().unwrap_err();
//! assert_eq!(page(&error), "clouds");
//! ```

#[doc = include_str!("../docs/token_life.svg")]
///
#[doc = include_str!("../docs/token_life.md")]
pub mod token_life {}

#[doc = include_str!("../docs/troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("../docs/security.md")]
pub mod security {}

#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/clouds.md")]
pub mod clouds {}
