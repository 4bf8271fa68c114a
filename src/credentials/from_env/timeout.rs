//! [`TimeoutCredential`]: limits how long a command-line tool may run.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};

use crate::credentials::process;

/// The time limit for each tool. Three of them in a row take no longer than a request waits for a token (60 s).
pub(super) const TOOL_TIMEOUT: Duration = Duration::from_secs(20);

/// Drops the call of a tool that takes too long, so that its executor kills the process.
///
/// The credentials of `azure_identity` wait without a limit.
#[derive(Debug)]
pub(super) struct TimeoutCredential {
    pub(super) tool: &'static str,
    pub(super) credential: Arc<dyn TokenCredential>,
}

#[async_trait]
impl TokenCredential for TimeoutCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        process::in_time(self.tool, TOOL_TIMEOUT, self.credential.get_token(scopes, options)).await?
    }
}
