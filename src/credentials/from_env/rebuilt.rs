//! [`Rebuildable`]: a credential that is built anew where it would give the refused token again.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};

use crate::credentials::ForceRefresh;

/// Builds the credential when it is first needed, and again for each forced call: those of `azure_identity` keep a
/// token until 5 min before its end, whatever a service says of it. Also after a call that failed: what is in a file
/// may have been replaced since it was read.
pub(super) struct Rebuildable {
    build: Build,
    built: Mutex<Option<Arc<dyn TokenCredential>>>,
}

type Build = Box<dyn Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync>;

impl Rebuildable {
    pub(super) fn new(
        build: impl Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync + 'static,
    ) -> Self {
        Self { build: Box::new(build), built: Mutex::default() }
    }

    fn credential(&self, anew: bool) -> azure_core::Result<Arc<dyn TokenCredential>> {
        // Held while it is built, so that of many first calls one builds it.
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        match &*built {
            Some(credential) if !anew => Ok(credential.clone()),
            _ => {
                let credential = (self.build)()?;
                *built = Some(credential.clone());
                Ok(credential)
            }
        }
    }

    fn forget(&self, credential: &Arc<dyn TokenCredential>) {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        // Another call may have built it anew already.
        if built.as_ref().is_some_and(|built| Arc::ptr_eq(built, credential)) {
            *built = None;
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
        let outcome = credential.get_token(scopes, options).await;
        if outcome.is_err() {
            self.forget(&credential);
        }
        outcome
    }
}

impl fmt::Debug for Rebuildable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rebuildable").finish_non_exhaustive()
    }
}
