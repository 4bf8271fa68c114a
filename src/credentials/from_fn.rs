//! [`from_fn`]: a closure as a credential.

use std::{error::Error as StdError, fmt, future::Future, sync::Arc};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
};

use super::{CredentialUnavailableError, ForceRefresh};
use crate::scope;

/// A credential that gets its tokens from an async closure: a broker of one's own, a mounted file, a test.
///
/// The closure is called when a token is needed; the token cache above it sees to it that this is seldom, and that one
/// call serves everybody who waits. It says when the token ends, as that is when the next one is fetched.
///
/// # Errors
///
/// Whatever the closure returns by `?`. Its text is shown and logged, after words that look like a secret are left out
/// of it; what led to it is not. It may pass by itself where a [`std::io::Error`] of a connection that broke or of a
/// time-out led to it: see [`Error::is_transient`](crate::Error::is_transient). [`CredentialUnavailableError`] lets a
/// [chain](super::ChainedTokenCredential) go on to its next member.
///
/// ```
/// use std::time::Duration;
///
/// use azure_core::{credentials::AccessToken, time::OffsetDateTime};
/// use azure_healthcare_auth::{Authenticator, FhirAudience, credentials::from_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # async fn ask_broker(_resource: &str) -> std::io::Result<(String, Duration)> {
/// #     Ok(("from-the-broker".to_owned(), Duration::from_secs(3600)))
/// # }
/// let credential = from_fn(|request| async move {
///     let (token, life) = ask_broker(request.resource()).await?;
///     Ok(AccessToken::new(token, OffsetDateTime::now_utc() + life))
/// });
/// let auth = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, credential);
/// assert_eq!(auth.authorization().await?, "Bearer from-the-broker");
/// # Ok(()) }
/// ```
pub fn from_fn<F, Fut>(get: F) -> Arc<dyn TokenCredential>
where
    F: Fn(TokenRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<AccessToken, Box<dyn StdError + Send + Sync>>> + Send + 'static,
{
    Arc::new(FromFn(get))
}

/// What a closure is asked for.
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
/// # async fn ask_broker(scope: &str, anew: bool) -> std::io::Result<(String, Duration)> {
/// #     assert_eq!(scope, "https://contoso-records.fhir.azurehealthcareapis.com/.default");
/// #     Ok((if anew { "new" } else { "kept" }.to_owned(), Duration::from_secs(3600)))
/// # }
/// let credential = from_fn(|request: TokenRequest| async move {
///     println!("a token for {}", request.resource());
///     // The broker keeps tokens, and is told where the one that it has was refused.
///     let (token, life) = ask_broker(request.scope(), request.force_refresh()).await?;
///     Ok(AccessToken::new(token, OffsetDateTime::now_utc() + life))
/// });
/// let auth = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, credential);
/// let refused = auth.authorization().await?;
/// assert_eq!(refused, "Bearer kept");
/// assert_eq!(auth.refresh_rejected(&refused).await?.unwrap(), "Bearer new");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TokenRequest {
    scope: String,
    forced: bool,
}

impl TokenRequest {
    /// What the v2 endpoint of Microsoft Entra takes as `scope`: the resource with `/.default`.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// What `az account get-access-token` takes as `--resource`, and what stands in the token's `aud` claim: the scope
    /// without its `/.default`.
    #[must_use]
    pub fn resource(&self) -> &str {
        scope::resource(&self.scope).unwrap_or(&self.scope)
    }

    /// Whether the service refused the token of the call before: one that is kept somewhere should not be given again.
    #[must_use]
    pub fn force_refresh(&self) -> bool {
        self.forced
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
            forced: ForceRefresh::is_in(options.as_ref()),
        };
        (self.0)(request).await.map_err(told)
    }
}

/// The closure's error as that of a credential, which keeps what it is known to be.
fn told(error: Box<dyn StdError + Send + Sync>) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => *error,
        Err(error) => match error.downcast::<CredentialUnavailableError>() {
            Ok(unavailable) => (*unavailable).into(),
            Err(error) => Error::new(ErrorKind::Credential, error),
        },
    }
}
