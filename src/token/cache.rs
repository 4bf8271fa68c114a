//! [`TokenCache`]: a credential and its cached tokens, one per scope.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use azure_core::credentials::TokenCredential;

use super::{entry::CacheEntry, fetcher::Fetcher};
use crate::clock::Clock;

/// The default time limit for one call to the credential.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct TokenCache {
    fetcher: Arc<Fetcher>,
    entries: Mutex<HashMap<Box<str>, CacheEntry>>,
}

impl TokenCache {
    pub(crate) fn new(credential: Arc<dyn TokenCredential>, timeout: Duration, clock: Clock) -> Self {
        Self { fetcher: Arc::new(Fetcher::new(credential, timeout, clock)), entries: Mutex::default() }
    }

    #[cfg(feature = "client")]
    pub(crate) fn now(&self) -> std::time::SystemTime {
        self.fetcher.now()
    }

    /// Returns the entry of a scope, and creates it on first use. Calls with the same scope share one entry.
    pub(crate) fn entry(&self, scope: &str) -> CacheEntry {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        match entries.get(scope) {
            Some(entry) => entry.clone(),
            None => {
                let entry = CacheEntry::new(scope, self.fetcher.clone());
                entries.insert(scope.into(), entry.clone());
                entry
            }
        }
    }
}
