//! [`TestCredential`]: returns a marker token, or fails in a way that could expose one.

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
    capture::{PANIC, capture_debug},
    marker::{SECRET, TOKEN},
};

#[derive(Clone, Copy)]
pub(crate) enum TestCredential {
    Valid,
    Malformed,
    Expired,
    FailsWithSecrets,
    Panics,
    /// Panics with a token as the payload, but without calling the panic hook: the message of a credential's own panic
    /// is not the crate's output.
    PanicsWithToken,
    Hangs,
}

impl TestCredential {
    pub(crate) const FAILING: [Self; 6] = [
        Self::Malformed,
        Self::Expired,
        Self::FailsWithSecrets,
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

/// Exposes a secret on purpose, as a careless credential could.
impl fmt::Debug for TestCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestCredential({SECRET})")
    }
}

#[async_trait::async_trait]
impl TokenCredential for TestCredential {
    async fn get_token(
        &self,
        _: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let force_refresh =
            options.as_ref().and_then(|options| options.method_options.context.value::<ForceRefresh>());
        force_refresh.into_iter().for_each(capture_debug);
        let expires_on = OffsetDateTime::now_utc() + Duration::from_secs(3_600);
        let token = &*TOKEN;
        match self {
            Self::Valid => Ok(AccessToken::new(token.clone(), expires_on)),
            Self::Malformed => Ok(AccessToken::new(format!("{token}\n"), expires_on)),
            Self::Expired => Ok(AccessToken::new(token.clone(), expires_on - Duration::from_secs(7_200))),
            Self::FailsWithSecrets => {
                let message =
                    format!("malformed response: {{\"accessToken\":\"{token}\",\"secret\":\"{SECRET}\"}}");
                Err(azure_core::Error::with_message(ErrorKind::Credential, message))
            }
            Self::Panics => panic!("{PANIC}"),
            Self::PanicsWithToken => resume_unwind(Box::new(token.clone())),
            Self::Hangs => pending().await,
        }
    }
}
