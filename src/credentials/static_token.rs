//! [`StaticTokenCredential`]: an existing token as a credential.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    error::{Error as CoreError, ErrorKind as CoreKind},
    time::OffsetDateTime,
};

use crate::{Error, ErrorKind, Result, UnverifiedClaims, token::bearer};

/// A credential that returns an existing token, such as the value of a shell variable, until it expires.
///
/// The token cannot be refreshed. It is for one service: the credential returns it for every scope, and a service for
/// which it was not issued rejects it with 401.
///
/// # Examples
///
/// ```
/// use std::{sync::Arc, time::{Duration, SystemTime}};
///
/// use azure_healthcare_auth::{Authenticator, FhirAudience, credentials::StaticTokenCredential};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// # let records = FhirAudience::workspace("contoso", "records").build()?;
/// // token=$(az account get-access-token --resource=… --query accessToken --output tsv)
/// # let token = "e30.eyJleHAiOjE3MDAwMDAwMDB9.c2ln";
/// let credential = Arc::new(StaticTokenCredential::new(token)?);
/// let auth = Authenticator::new(records.clone(), credential);
/// // This token expired in November 2023:
/// assert!(auth.authorization().await.unwrap_err().to_string().contains("cannot be refreshed (get a new token"));
///
/// // A token without an `exp` claim, for example for an emulator:
/// assert!(StaticTokenCredential::new("for-the-emulator").is_err());
/// let expires_on = SystemTime::now() + Duration::from_secs(60 * 60);
/// let credential = StaticTokenCredential::with_expiry("for-the-emulator", expires_on)?;
/// let auth = Authenticator::new(records, Arc::new(credential));
/// assert_eq!(auth.authorization().await?, "Bearer for-the-emulator");
/// # Ok(()) }
/// ```
pub struct StaticTokenCredential {
    token: Secret,
    expires_on: SystemTime,
}

impl StaticTokenCredential {
    /// Creates a credential from a JSON Web Token, which expires at the time of its `exp` claim (RFC 7519 section
    /// 4.1.4). All tokens of Microsoft Entra for these services have this claim.
    ///
    /// Whitespace around the token and a leading `Bearer` are removed, so that the token may come from a file or a
    /// header.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Credential`] if the token is not valid in a header, or if it has no `exp` claim: use
    /// [`with_expiry`](Self::with_expiry) for such a token. An expired token is not an
    /// error here: the later token requests fail.
    pub fn new(token: &str) -> Result<Self> {
        let token = trim(token)?;
        let expires_on =
            UnverifiedClaims::from_token(token).and_then(|claims| claims.expires_on()).ok_or_else(|| {
                let message =
                    "the static token has no `exp` claim (use `StaticTokenCredential::with_expiry`)";
                Error::new(ErrorKind::Credential, message)
            })?;
        Ok(Self { token: token.to_owned().into(), expires_on })
    }

    /// Creates a credential from a token of any format that expires at `expires_on`.
    ///
    /// Whitespace around the token and a leading `Bearer` are removed. An `exp` claim of the token is ignored.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Credential`] if the token is not valid in a header.
    pub fn with_expiry(token: &str, expires_on: SystemTime) -> Result<Self> {
        Ok(Self { token: trim(token)?.to_owned().into(), expires_on })
    }
}

/// Removes whitespace and a leading `Bearer`, and checks that the token is valid in a header.
fn trim(token: &str) -> Result<&str> {
    const SCHEME: &str = "Bearer ";
    let token = token.trim();
    let token = match token.split_at_checked(SCHEME.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => token.trim_start(),
        _ => token,
    };
    bearer::value(token)?;
    Ok(token)
}

#[async_trait]
impl TokenCredential for StaticTokenCredential {
    async fn get_token(
        &self,
        _scopes: &[&str],
        _options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if let Ok(age) = SystemTime::now().duration_since(self.expires_on) {
            let message = format!(
                "the static token expired {} s ago and cannot be refreshed (get a new token, or check this machine's \
                 clock)",
                age.as_secs()
            );
            return Err(CoreError::with_message(CoreKind::Credential, message));
        }
        Ok(AccessToken::new(self.token.clone(), to_offset_date_time(self.expires_on)?))
    }
}

/// Converts a time without the panic of `OffsetDateTime::from` for dates out of range.
fn to_offset_date_time(time: SystemTime) -> azure_core::Result<OffsetDateTime> {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| {
        let message = "the expiry of the static token is after the year 9999 (pass an earlier one)";
        CoreError::with_message(CoreKind::Credential, message)
    })
}

impl fmt::Debug for StaticTokenCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTokenCredential")
            .field("token", &"[redacted]")
            .field("expires_on", &self.expires_on)
            .finish()
    }
}
