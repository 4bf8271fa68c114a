//! [`Body`]: what is sent, whole or as a stream.

use std::{error::Error as StdError, fmt, sync::Arc};

use bytes::Bytes;
use futures_core::Stream;

/// A body that is made anew for each send: see [`RequestBuilder::body_stream`](crate::RequestBuilder::body_stream).
///
/// `Debug` shows nothing of its content.
pub struct Body(reqwest::Body);

impl Body {
    /// A body that is sent piece by piece, in chunks as they come.
    ///
    /// An error in the stream breaks the request off. Its text goes nowhere: it may be about a patient.
    pub fn stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        Self(reqwest::Body::wrap_stream(stream))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(reqwest::Body::from(bytes.into()))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

/// Makes the body of each send.
#[derive(Clone, Default)]
pub(super) enum Content {
    #[default]
    None,
    Whole(Bytes),
    Made(Arc<dyn Fn() -> Body + Send + Sync>),
}

impl Content {
    pub(super) fn body(&self) -> Option<reqwest::Body> {
        match self {
            Self::None => None,
            Self::Whole(bytes) => Some(bytes.clone().into()),
            Self::Made(make) => Some(make().0),
        }
    }

    /// Whether the caller's own errors can stand in the error of a send.
    pub(super) fn is_callers(&self) -> bool {
        matches!(self, Self::Made(_))
    }
}
