//! [`Auth`]: where a client's tokens come from.

use std::{sync::Arc, time::SystemTime};

use http::HeaderValue;
use url::Url;

use crate::{Audience, Authenticator, HealthcareAuth, Result};

/// Known to share a credential, or somebody's own.
pub(super) enum Auth<A: Audience> {
    Own(Authenticator<A>),
    Given(Arc<dyn HealthcareAuth<Audience = A>>),
}

impl<A: Audience> Auth<A> {
    pub(super) fn audience(&self) -> &A {
        match self {
            Self::Own(auth) => auth.audience(),
            Self::Given(auth) => auth.audience(),
        }
    }

    pub(super) async fn authorization_for(&self, url: &Url) -> Result<HeaderValue> {
        match self {
            Self::Own(auth) => auth.authorization_for(url).await,
            Self::Given(auth) => auth.authorization_for(url).await,
        }
    }

    /// By the clock that the tokens are kept by, where it is known.
    pub(super) fn now(&self) -> SystemTime {
        match self {
            Self::Own(auth) => auth.now(),
            Self::Given(_) => SystemTime::now(),
        }
    }

    pub(super) async fn refresh_rejected(&self, refused: &HeaderValue) -> Result<Option<HeaderValue>> {
        match self {
            Self::Own(auth) => auth.refresh_rejected(refused).await,
            Self::Given(auth) => auth.refresh_rejected(refused).await,
        }
    }
}

impl<A: Audience> Clone for Auth<A> {
    fn clone(&self) -> Self {
        match self {
            Self::Own(auth) => Self::Own(auth.clone()),
            Self::Given(auth) => Self::Given(auth.clone()),
        }
    }
}
