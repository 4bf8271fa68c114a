//! [`Rebuildable`]: a credential that is rebuilt to bypass its own token cache.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};

use crate::credentials::ForceRefresh;

/// Builds a credential on first use, and again for a forced refresh or after a failed call.
///
/// The credentials of `azure_identity` cache a token until 5 minutes before it expires, even if a service rejected it.
/// After a failure, the file that a credential was built from may have been replaced.
pub(super) struct Rebuildable {
    build: Build,
    current: Mutex<Option<Arc<dyn TokenCredential>>>,
}

type Build = Box<dyn Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync>;

impl Rebuildable {
    pub(super) fn new(
        build: impl Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync + 'static,
    ) -> Self {
        Self { build: Box::new(build), current: Mutex::default() }
    }

    fn credential(&self, rebuild: bool) -> azure_core::Result<Arc<dyn TokenCredential>> {
        // Stays locked during the build, so that concurrent first calls build only one credential.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(credential) if !rebuild => Ok(credential.clone()),
            _ => {
                let credential = (self.build)()?;
                *current = Some(credential.clone());
                Ok(credential)
            }
        }
    }

    fn discard(&self, credential: &Arc<dyn TokenCredential>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // Another call may have replaced it already.
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, credential)) {
            *current = None;
        }
    }
}

#[async_trait]
impl TokenCredential for Rebuildable {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let credential = self.credential(ForceRefresh::is_in(options.as_ref()))?;
        let result = credential.get_token(scopes, options).await;
        if result.is_err() {
            self.discard(&credential);
        }
        result
    }
}

impl fmt::Debug for Rebuildable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rebuildable").finish_non_exhaustive()
    }
}
