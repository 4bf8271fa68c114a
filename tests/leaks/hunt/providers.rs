//! [`Provider`]: gives a token that is a canary, or fails in one of the ways that show one.

use std::{fmt, future::pending, panic::resume_unwind, sync::Arc, time::Duration};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};
use azure_healthcare_auth::{
    Authenticator, FhirAudience, HealthcareClient, HealthcareClientBuilder, credentials::ForceRefresh,
};

use super::{
    canary::{SECRET, TOKEN},
    witness::{PANIC, shown},
};

#[derive(Clone, Copy)]
pub(crate) enum Provider {
    Gives,
    GivesUnusable,
    GivesEnded,
    Tells,
    Panics,
    /// With a payload that the hook does not print: what a provider's own panic prints is its own doing.
    PanicsWithToken,
    Hangs,
}

impl Provider {
    pub(crate) const FAILING: [Self; 6] = [
        Self::GivesUnusable,
        Self::GivesEnded,
        Self::Tells,
        Self::Panics,
        Self::PanicsWithToken,
        Self::Hangs,
    ];

    pub(crate) fn auth(self, audience: FhirAudience) -> Authenticator<FhirAudience> {
        Authenticator::builder(audience, Arc::new(self)).token_timeout(Duration::from_millis(20)).build()
    }

    pub(crate) fn builder(self, audience: FhirAudience) -> HealthcareClientBuilder<FhirAudience> {
        HealthcareClient::builder_from_auth(self.auth(audience))
    }

    pub(crate) fn client(self, audience: FhirAudience) -> HealthcareClient<FhirAudience> {
        self.auth(audience).into()
    }
}

/// As careless as a credential can be: it shows its secret.
impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({SECRET})")
    }
}

#[async_trait::async_trait]
impl TokenCredential for Provider {
    async fn get_token(
        &self,
        _: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let mark =
            options.as_ref().and_then(|options| options.method_options.context.value::<ForceRefresh>());
        mark.into_iter().for_each(shown);
        let end = OffsetDateTime::now_utc() + Duration::from_secs(3_600);
        let token = &*TOKEN;
        match self {
            Self::Gives => Ok(AccessToken::new(token.clone(), end)),
            Self::GivesUnusable => Ok(AccessToken::new(format!("{token}\n"), end)),
            Self::GivesEnded => Ok(AccessToken::new(token.clone(), end - Duration::from_secs(7_200))),
            Self::Tells => {
                let said =
                    format!("unreadable answer: {{\"accessToken\":\"{token}\",\"secret\":\"{SECRET}\"}}");
                Err(azure_core::Error::with_message(ErrorKind::Credential, said))
            }
            Self::Panics => panic!("{PANIC}"),
            Self::PanicsWithToken => resume_unwind(Box::new(token.clone())),
            Self::Hangs => pending().await,
        }
    }
}
