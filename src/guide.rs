//! What to know beyond one item: a page for each question.

#[doc = include_str!("../docs/token_life.svg")]
///
#[doc = include_str!("../docs/token_life.md")]
pub mod token_life {}

#[doc = include_str!("../docs/when_a_service_says_no.md")]
pub mod when_a_service_says_no {}

#[doc = include_str!("../docs/security.md")]
pub mod security {}

#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/clouds.md")]
pub mod clouds {}
