//! Locks at which another task may go on. What waits for another task does so by its waker, and needs no substitute.

pub(crate) use real_std::sync::{Arc, PoisonError};
pub(crate) use real_tokio::sync::{Semaphore, watch};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
