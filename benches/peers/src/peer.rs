//! [`Peer`]: what each crate has to do here.

use std::{fmt::Display, sync::Arc, time::Duration};

use http::HeaderValue;

use crate::world::World;

/// A cache of tokens, such as a program would set up once and share.
pub trait Peer: Clone + Send + Sync + 'static {
    const NAME: &str;
    /// A token that lives this long is valid and due to be refreshed …
    const LIFE_OF_A_DUE_TOKEN: Duration;
    /// … after this time.
    const TIME_UNTIL_DUE: Duration;
    /// The refresh begins by itself, without a request.
    const REFRESHES_BY_ITSELF: bool = false;

    /// What is authorized, where that is not simply a header's value; made once for many hits.
    type Request: Send;
    /// What a request gets.
    type Authorized;

    fn new(world: &Arc<World>) -> Self;

    fn request() -> Self::Request;

    /// Leads to a header that could be sent as it is.
    fn authorize(
        &self,
        request: &mut Self::Request,
    ) -> impl Future<Output = Result<Self::Authorized, String>> + Send;

    /// A whole request, with the answer to a 401 that the crate offers. `None` if it offers none.
    fn send(&self, _world: &World) -> impl Future<Output = Option<Result<(), String>>> + Send {
        async { None }
    }
}

/// The header of a crate that hands out its token as text.
pub fn bearer(token: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(text)?;
    value.set_sensitive(true);
    Ok(value)
}

pub fn text(error: impl Display) -> String {
    error.to_string()
}
