//! [`ImdsProbe`]: probes for a managed identity before requesting a token from it.

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

use super::http_policy::is_html;
use crate::{
    credentials::{
        azure_identity_errors::MANAGED_IDENTITY_FAILED, unavailable_error::CredentialUnavailableError,
    },
    error::{chain::azure_core_kinds, transient::is_transient_status},
};

const ENDPOINT: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
const VIA: HeaderName = HeaderName::from_static("via");

/// The time limit for the response to the probe.
///
/// On an Azure machine the endpoint is link-local and fast. Elsewhere packets to it are often dropped.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// Probes the Instance Metadata Service once before the first token request.
///
/// `azure_identity` retries for more than a minute, which would delay the other credentials of a chain. Only the probe
/// may report the managed identity as unavailable. Later errors must not, because the chain would continue with another
/// identity while the machine's own is only busy or unreachable.
#[derive(Debug)]
pub(super) struct ImdsProbe {
    credential: Arc<dyn TokenCredential>,
    transport: Option<Transport>,
    found: AtomicBool,
}

impl ImdsProbe {
    /// Creates a probe that sends no request if the identity is known to exist.
    pub(super) fn new(
        credential: Arc<dyn TokenCredential>,
        transport: Option<Transport>,
        is_known: bool,
    ) -> Self {
        Self { credential, transport, found: AtomicBool::new(is_known) }
    }

    async fn probe(&self) -> azure_core::Result<()> {
        let transport = self.transport.clone().unwrap_or_default();
        // The service rejects a request without `Metadata: true` with 400, or reports that it is busy or updating.
        // A proxy responds with 502, 504, or 503 and an HTML page; the metadata service of another cloud with 404.
        let mut request = Request::new(Url::parse(ENDPOINT)?, Method::Get);
        let context = Context::new();
        match tokio::time::timeout(PROBE_TIMEOUT, transport.send(&context, &mut request)).await {
            Ok(Ok(response))
                if matches!(u16::from(response.status()), 400 | 408 | 410 | 429 | 500 | 503)
                    && !is_from_proxy(response.headers()) =>
            {
                Ok(())
            }
            _ => Err(CredentialUnavailableError::new(
                "no managed identity is available: 169.254.169.254 did not respond as a metadata service of Azure",
            )
            .into()),
        }
    }
}

/// Returns `true` if a proxy wrote or forwarded the response. A proxy cannot reach the machine's link-local endpoint.
fn is_from_proxy(headers: &Headers) -> bool {
    is_html(headers) || headers.get_optional_str(&VIA).is_some()
}

#[async_trait]
impl TokenCredential for ImdsProbe {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if !self.found.load(Ordering::Relaxed) {
            self.probe().await?;
            self.found.store(true, Ordering::Relaxed);
        }
        self.credential.get_token(scopes, options).await.map_err(mark_as_found)
    }
}

/// Rewords a transient error so that a chain does not treat the identity as unavailable.
///
/// Other errors stay as they are, because the machine may report that it does not have the requested identity.
fn mark_as_found(error: Error) -> Error {
    let is_transient = azure_core_kinds(&error).any(|kind| match kind {
        ErrorKind::Connection | ErrorKind::Io => true,
        ErrorKind::HttpResponse { status, .. } => {
            // The service returns 404 and 410 while it is updated.
            matches!(u16::from(*status), 404 | 410) || is_transient_status(u16::from(*status))
        }
        _ => false,
    });
    match is_transient {
        true => {
            // The chain recognizes unavailability by a message that starts with the credential's name.
            let message = error.to_string();
            let reason = message.strip_prefix(MANAGED_IDENTITY_FAILED).unwrap_or(&message).trim_start();
            let message = format!("a managed identity is available, but {reason}");
            Error::with_error(ErrorKind::Io, error, message)
        }
        false => error,
    }
}
