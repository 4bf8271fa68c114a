//! [`FhirService`]: the state of the fake FHIR service.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use azure_core::time::OffsetDateTime;

use super::{export::Exports, instant::from_system_time, resource::Draft, store::Store};
use crate::{clock::Clock, fault::Faults};

/// The fake FHIR service.
#[derive(Clone)]
pub(crate) struct FhirService {
    /// The origin of the service, without a trailing slash.
    pub(crate) origin: String,
    /// The origin of the storage that contains the files of an export, without a trailing slash.
    pub(crate) storage_origin: String,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<Mutex<Store>>,
    pub(crate) faults: Arc<Mutex<Faults>>,
    pub(crate) exports: Arc<Exports>,
}

impl FhirService {
    /// Creates a service with synthetic Patients and the resources of a test. The origins have no trailing slash.
    pub(crate) fn new(
        origin: &str,
        storage_origin: &str,
        clock: Clock,
        faults: Arc<Mutex<Faults>>,
        patients: usize,
        resources: &[Draft],
    ) -> Self {
        let now = from_system_time(clock.now());
        let mut store = Store::new(patients, now);
        resources.iter().for_each(|resource| drop(store.put(resource.clone(), now)));
        let (origin, storage_origin) = (origin.to_owned(), storage_origin.to_owned());
        Self {
            origin,
            storage_origin,
            clock,
            store: Arc::new(Mutex::new(store)),
            faults,
            exports: Arc::default(),
        }
    }

    /// Returns the time of the service, with the precision of the store.
    pub(crate) fn now(&self) -> OffsetDateTime {
        from_system_time(self.clock.now())
    }

    /// Returns a service that differs only in its store and in its clock, which stands still.
    pub(crate) fn with_store(&self, store: Store, now: OffsetDateTime) -> Self {
        let clock = Clock::of(move || now.into());
        Self { clock, store: Arc::new(Mutex::new(store)), ..self.clone() }
    }

    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        // A panic in another thread cannot leave the store inconsistent, because nothing in a change can panic.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
