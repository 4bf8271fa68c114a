//! [`ImdsProbe`]: a managed identity that is asked only where something listens, and is then not passed over.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::{Error, ErrorKind},
    http::{
        Context, Method, Request, Transport, Url,
        headers::{HeaderName, Headers},
    },
};

use super::patience::is_page;
use crate::{
    credentials::CredentialUnavailableError,
    error::{chain::azure_core_kinds as kinds, transient::is_transient_status as is_busy},
};

const ENDPOINT: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
const VIA: HeaderName = HeaderName::from_static("via");
/// The address is in the machine's own network, where it is there at all. Elsewhere packets to it are often lost.
const WAIT: Duration = Duration::from_secs(1);

/// Looks whether the Instance Metadata Service is there before it is asked for a token: `azure_identity` tries for
/// more than a minute, and a chain has other members.
///
/// Only the look may find that there is none. From what was found, and then is busy or cannot be reached, a chain would
/// go on to another identity than the machine's.
#[derive(Debug)]
pub(super) struct ImdsProbe {
    credential: Arc<dyn TokenCredential>,
    transport: Option<Transport>,
    found: AtomicBool,
}

impl ImdsProbe {
    /// One that is known to be there need not be looked for.
    pub(super) fn new(
        credential: Arc<dyn TokenCredential>,
        transport: Option<Transport>,
        is_known: bool,
    ) -> Self {
        Self { credential, transport, found: AtomicBool::new(is_known) }
    }

    async fn look(&self) -> azure_core::Result<()> {
        let transport = self.transport.clone().unwrap_or_default();
        // Without the header `Metadata: true` it gives no token and answers 400, or that it is busy or being updated.
        // A proxy answers 502, 504, or 503 with a page for people; another cloud's machine 404.
        let mut request = Request::new(Url::parse(ENDPOINT)?, Method::Get);
        let context = Context::new();
        match tokio::time::timeout(WAIT, transport.send(&context, &mut request)).await {
            Ok(Ok(response))
                if matches!(u16::from(response.status()), 400 | 408 | 410 | 429 | 500 | 503)
                    && !is_proxys(response.headers()) =>
            {
                Ok(())
            }
            _ => Err(CredentialUnavailableError::new(
                "there is no managed identity here: 169.254.169.254 does not answer",
            )
            .into()),
        }
    }
}

/// Whether an answer is not the machine's own, to which a proxy has no way.
fn is_proxys(headers: &Headers) -> bool {
    is_page(headers) || headers.get_optional_str(&VIA).is_some()
}

#[async_trait]
impl TokenCredential for ImdsProbe {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if !self.found.load(Ordering::Relaxed) {
            self.look().await?;
            self.found.store(true, Ordering::Relaxed);
        }
        self.credential.get_token(scopes, options).await.map_err(of_one_that_is_there)
    }
}

/// The error, which does not read as if there were no managed identity, unless the machine says that it has not this
/// one.
fn of_one_that_is_there(error: Error) -> Error {
    let may_pass = kinds(&error).any(|kind| match kind {
        ErrorKind::Connection | ErrorKind::Io => true,
        ErrorKind::HttpResponse { status, .. } => {
            // 404 and 410 are answered while it is updated.
            matches!(u16::from(*status), 404 | 410) || is_busy(u16::from(*status))
        }
        _ => false,
    });
    match may_pass {
        true => {
            // What begins with the credential's own name can be read as that there is none.
            let said = format!("the machine's {error}");
            Error::with_error(ErrorKind::Io, error, said)
        }
        false => error,
    }
}
