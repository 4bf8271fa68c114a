//! [`DicomService`]: the state of the fake DICOM service.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::store::Store;
use crate::clock::Clock;

/// The fake DICOM service.
pub(crate) struct DicomService {
    /// The origin of the service, without a trailing slash.
    pub(crate) origin: String,
    pub(crate) clock: Clock,
    /// Set if the paths of instances contain the name of a data partition.
    pub(crate) has_partitions: bool,
    pub(crate) store: Arc<Mutex<Store>>,
}

impl DicomService {
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        // A panic in another thread cannot leave the store inconsistent, because nothing in a change can panic.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
