#[derive(Clone, Copy, Debug)]
pub(crate) struct ForceRefresh;
