//! [`Auth`]: a client's source of tokens.

use std::{sync::Arc, time::SystemTime};

use http::HeaderValue;
use url::Url;

use crate::{Audience, Authenticator, HealthcareAuth, Result};

/// The crate's own authenticator, which can be used for other audiences, or any other implementation.
pub(super) enum Auth<A> {
    Authenticator(Authenticator<A>),
    Custom(Arc<dyn HealthcareAuth<Audience = A>>),
}

impl<A: Audience> Auth<A> {
    pub(super) fn audience(&self) -> &A {
        match self {
            Self::Authenticator(auth) => auth.audience(),
            Self::Custom(auth) => auth.audience(),
        }
    }

    pub(super) async fn authorization_for(&self, url: &Url) -> Result<HeaderValue> {
        match self {
            Self::Authenticator(auth) => auth.authorization_for(url).await,
            Self::Custom(auth) => auth.authorization_for(url).await,
        }
    }

    pub(super) async fn refresh_rejected(&self, rejected: &HeaderValue) -> Result<Option<HeaderValue>> {
        match self {
            Self::Authenticator(auth) => auth.refresh_rejected(rejected).await,
            Self::Custom(auth) => auth.refresh_rejected(rejected).await,
        }
    }

    /// Returns the time of the authenticator's clock, which tests can set.
    pub(super) fn now(&self) -> SystemTime {
        match self {
            Self::Authenticator(auth) => auth.now(),
            Self::Custom(_) => SystemTime::now(),
        }
    }
}

impl<A> Clone for Auth<A> {
    fn clone(&self) -> Self {
        match self {
            Self::Authenticator(auth) => Self::Authenticator(auth.clone()),
            Self::Custom(auth) => Self::Custom(auth.clone()),
        }
    }
}
