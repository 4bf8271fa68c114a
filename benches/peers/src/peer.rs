//! [`Peer`], the interface that each crate implements for the benchmarks.

use std::{fmt::Display, sync::Arc, time::Duration};

use http::HeaderValue;

use crate::issuer::Issuer;

/// A token cache that a program creates once and shares.
pub trait Peer: Clone + Send + Sync + 'static {
    const NAME: &str;
    /// The lifetime of a token that is still valid but due for a refresh after [`TIME_UNTIL_DUE`](Self::TIME_UNTIL_DUE).
    const LIFETIME_OF_DUE_TOKEN: Duration;
    const TIME_UNTIL_DUE: Duration;
    /// `true` if the crate refreshes a token without waiting for a request.
    const REFRESHES_IN_BACKGROUND: bool = false;

    /// The request to authorize, or `()` if the crate returns a header value. Created once for many hits.
    type Request: Send;
    /// The result of a hit.
    type Authorized;

    fn new(issuer: &Arc<Issuer>) -> Self;

    fn request() -> Self::Request;

    /// Returns or sets a complete `Authorization` header.
    fn authorize(
        &self,
        request: &mut Self::Request,
    ) -> impl Future<Output = Result<Self::Authorized, String>> + Send;

    /// Sends a request and replays it after a 401. Returns `None` if the crate does not support that.
    fn send(&self, _issuer: &Issuer) -> impl Future<Output = Option<Result<(), String>>> + Send {
        async { None }
    }
}

/// Returns the `Authorization` header for a token.
pub fn bearer(token: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(to_string)?;
    value.set_sensitive(true);
    Ok(value)
}

pub fn to_string(error: impl Display) -> String {
    error.to_string()
}
