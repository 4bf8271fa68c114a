//! The marker of a forced refresh.

#[derive(Clone, Copy, Debug)]
pub(crate) struct ForceRefresh;
