//! [`StaticTokenCredential`]: a token that somebody else got.

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

/// A token from elsewhere, such as the `$token` of a shell. It is used as it is until it ends, and cannot be renewed.
///
/// It is for one service: whatever a token is asked for, this is the answer, and a service that it is not for says 401.
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
/// // That was in November 2023:
/// assert!(auth.authorization().await.unwrap_err().to_string().contains("and cannot be renewed: get another"));
///
/// // One that does not say when it ends, as an emulator of the service may take it:
/// assert!(StaticTokenCredential::new("for-the-emulator").is_err());
/// let ends = SystemTime::now() + Duration::from_secs(60 * 60);
/// let auth = Authenticator::new(records, Arc::new(StaticTokenCredential::with_expiry("for-the-emulator", ends)?));
/// assert_eq!(auth.authorization().await?, "Bearer for-the-emulator");
/// # Ok(()) }
/// ```
pub struct StaticTokenCredential {
    token: Secret,
    ends: SystemTime,
}

impl StaticTokenCredential {
    /// A token that says when it ends, in its `exp` claim (RFC 7519 section 4.1.4), as all of Microsoft Entra do.
    ///
    /// White space around it and a leading `Bearer` are left out, so that it may come from a file or from a header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Credential`] for what cannot stand in a header, and for a token that does not say when it ends:
    /// see [`ending`](Self::ending). One that has ended is an error when it is needed, not here.
    pub fn new(token: &str) -> Result<Self> {
        let token = bare(token)?;
        let ends = UnverifiedClaims::from_token(token).and_then(|claims| claims.expires_on()).ok_or_else(|| {
            let message = "the token does not say when it ends: give its end with `StaticTokenCredential::with_expiry`";
            Error::new(ErrorKind::Credential, message)
        })?;
        Ok(Self { token: token.to_owned().into(), ends })
    }

    /// A token of any form and when it ends.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Credential`] for what cannot stand in a header.
    pub fn with_expiry(token: &str, ends: SystemTime) -> Result<Self> {
        Ok(Self { token: bare(token)?.to_owned().into(), ends })
    }
}

/// The token without what is around it in a file or a header.
fn bare(token: &str) -> Result<&str> {
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
        if let Ok(past) = SystemTime::now().duration_since(self.ends) {
            let message = format!(
                "the token that was given ended {} s ago by this machine's clock, and cannot be renewed: get another",
                past.as_secs()
            );
            return Err(CoreError::with_message(CoreKind::Credential, message));
        }
        Ok(AccessToken::new(self.token.clone(), date(self.ends)?))
    }
}

fn date(time: SystemTime) -> azure_core::Result<OffsetDateTime> {
    // `OffsetDateTime::from` panics where a date is too far off.
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| {
        CoreError::with_message(CoreKind::Credential, "the end given for the token lies behind the year 9999")
    })
}

impl fmt::Debug for StaticTokenCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTokenCredential").field("token", &"[elided]").field("ends", &self.ends).finish()
    }
}
