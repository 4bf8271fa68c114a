//! [`from_fn`]: a closure as a credential.

use std::{error::Error as StdError, fmt, future::Future, sync::Arc};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
};

use super::unavailable_error::CredentialUnavailableError;
use crate::{scope, token::force_refresh::ForceRefresh};

/// Creates a credential that gets its tokens from an async closure.
///
/// Use it for your own token broker, for a mounted file or in a test. The token cache calls the closure only when it
/// needs a token, and concurrent requests share one call. The closure also returns the expiry of the token, which
/// determines when the cache refreshes it.
///
/// # Errors
///
/// The closure may return any error with `?`. Its message is shown and logged with each word that may be a secret
/// redacted; its sources are not. The failure is [transient](crate::Error::is_transient) if the error or one of its
/// sources is a [`std::io::Error`] for a broken connection or a timeout. After a [`CredentialUnavailableError`], a
/// [chain](super::ChainedTokenCredential) continues with its next member.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use azure_core::{credentials::AccessToken, time::OffsetDateTime};
/// use azure_healthcare_auth::{Authenticator, FhirAudience, credentials::from_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # async fn call_broker(_resource: &str) -> std::io::Result<(String, Duration)> {
/// #     Ok(("from-the-broker".to_owned(), Duration::from_secs(3600)))
/// # }
/// let credential = from_fn(|request| async move {
///     let (token, lifetime) = call_broker(request.resource()).await?;
///     Ok(AccessToken::new(token, OffsetDateTime::now_utc() + lifetime))
/// });
/// let auth = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, credential);
/// assert_eq!(auth.authorization().await?, "Bearer from-the-broker");
/// # Ok(()) }
/// ```
pub fn from_fn<F, Fut>(get_token: F) -> Arc<dyn TokenCredential>
where
    F: Fn(TokenRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<AccessToken, Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    Arc::new(FromFn(get_token))
}

/// A request for a token, passed to the closure of [`from_fn`].
///
/// # Examples
///
/// Skip the broker's cache after the service rejected a token:
///
/// ```
/// use std::time::Duration;
///
/// use azure_core::{credentials::AccessToken, time::OffsetDateTime};
/// use azure_healthcare_auth::credentials::{TokenRequest, from_fn};
/// use azure_healthcare_auth::{Authenticator, FhirAudience};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # async fn call_broker(scope: &str, skip_cache: bool) -> std::io::Result<(String, Duration)> {
/// #     assert_eq!(scope, "https://contoso-records.fhir.azurehealthcareapis.com/.default");
/// #     Ok((if skip_cache { "new" } else { "cached" }.to_owned(), Duration::from_secs(3600)))
/// # }
/// let credential = from_fn(|request: TokenRequest| async move {
///     println!("requesting a token for {}", request.resource());
///     let (token, lifetime) = call_broker(request.scope(), request.force_refresh()).await?;
///     Ok(AccessToken::new(token, OffsetDateTime::now_utc() + lifetime))
/// });
/// let auth = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, credential);
/// let rejected = auth.authorization().await?;
/// assert_eq!(rejected, "Bearer cached");
/// assert_eq!(auth.refresh_rejected(&rejected).await?.unwrap(), "Bearer new");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenRequest {
    scope: String,
    force_refresh: bool,
}

impl TokenRequest {
    /// Returns the scope: the resource followed by `/.default`. It is the `scope` parameter of Microsoft Entra's v2
    /// endpoint.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Returns the resource: the scope without `/.default`. It is the `--resource` of `az account get-access-token` and
    /// the `aud` claim of the token.
    #[must_use]
    pub fn resource(&self) -> &str {
        scope::resource(&self.scope).unwrap_or(&self.scope)
    }

    /// Returns `true` if the service rejected the previous token, so that a cached token should not be returned.
    #[must_use]
    pub fn force_refresh(&self) -> bool {
        self.force_refresh
    }
}

struct FromFn<F>(F);

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromFn")
    }
}

#[async_trait]
impl<F, Fut> TokenCredential for FromFn<F>
where
    F: Fn(TokenRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<AccessToken, Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let request = TokenRequest {
            scope: scope::only(scopes)?.to_owned(),
            force_refresh: ForceRefresh::is_in(options.as_ref()),
        };
        (self.0)(request).await.map_err(to_credential_error)
    }
}

/// Converts the closure's error and preserves its type if it has a meaning for the caller.
fn to_credential_error(error: Box<dyn StdError + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => match error.downcast::<CredentialUnavailableError>() {
            Ok(unavailable) => (*unavailable).into(),
            Err(error) => Error::new(ErrorKind::Credential, error),
        },
    }
}
