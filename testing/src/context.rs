//! What the fake server adds to a request before a service handles it, as request extensions.

/// The id of the request, a GUID.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

/// The principal of the token.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    pub(crate) roles: Vec<String>,
}

/// Marks a response to a request that the fake does not support, in its extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unsupported;
