//! [`Tool`]: a developer's tool that may not hang.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};

use crate::credentials::process;

/// So long each tool may take: all three of them take as long as a request waits for a credential.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

/// Gives up the call of a tool that takes too long, by which its executor ends it: those of `azure_identity` wait for
/// ever.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) name: &'static str,
    pub(super) credential: Arc<dyn TokenCredential>,
}

#[async_trait]
impl TokenCredential for Tool {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        process::in_time(self.name, LIMIT, self.credential.get_token(scopes, options)).await?
    }
}
