//! [`Exports`]: the export jobs of a service and their files.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::job::Job;
use crate::storage::Storage;

/// The export jobs of a service.
pub(crate) struct Exports {
    /// The number of requests for its status after which a job is complete.
    pub(super) polls: usize,
    storage: Arc<Storage>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) last_id: u64,
    pub(super) jobs: BTreeMap<u64, Job>,
}

impl Exports {
    /// Creates the jobs of a service. Each is in progress when its status is requested for the first `polls` times.
    pub(crate) fn new(polls: usize) -> Self {
        Self { polls, storage: Arc::default(), state: Mutex::default() }
    }

    /// Returns the storage that contains the files.
    pub(crate) fn storage(&self) -> &Arc<Storage> {
        &self.storage
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A panic in another thread cannot leave the jobs inconsistent, because every change is one insertion or removal.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Exports {
    fn default() -> Self {
        Self::new(1)
    }
}
