//! [`Probed`]: a managed identity that is asked only where something listens.

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
    http::{Context, Method, Request, Transport, Url},
};

use crate::credentials::Unavailable;

const ENDPOINT: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
/// The address is in the machine's own network, where it is there at all. Elsewhere packets to it are often lost.
const WAIT: Duration = Duration::from_secs(1);

/// Looks whether the Instance Metadata Service is there before it is asked for a token: `azure_identity` tries for
/// more than a minute, and a chain has other members.
#[derive(Debug)]
pub(super) struct Probed {
    credential: Arc<dyn TokenCredential>,
    transport: Option<Transport>,
    found: AtomicBool,
}

impl Probed {
    pub(super) fn new(credential: Arc<dyn TokenCredential>, transport: Option<Transport>) -> Self {
        Self { credential, transport, found: AtomicBool::new(false) }
    }

    async fn look(&self) -> azure_core::Result<()> {
        let transport = self.transport.clone().unwrap_or_default();
        // Without the header `Metadata: true` it gives no token and answers 400, which nothing else does here.
        let mut request = Request::new(Url::parse(ENDPOINT)?, Method::Get);
        let context = Context::new();
        match tokio::time::timeout(WAIT, transport.send(&context, &mut request)).await {
            Ok(Ok(response)) if u16::from(response.status()) == 400 => Ok(()),
            _ => {
                Err(Unavailable::new("there is no managed identity here: 169.254.169.254 does not answer")
                    .into())
            }
        }
    }
}

#[async_trait]
impl TokenCredential for Probed {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if !self.found.load(Ordering::Relaxed) {
            self.look().await?;
            self.found.store(true, Ordering::Relaxed);
        }
        self.credential.get_token(scopes, options).await
    }
}
