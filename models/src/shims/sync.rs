//! Locks at which the scheduler can switch tasks. Tokio's channels and semaphores need no substitute, because they wait
//! by waker.

pub(crate) use real_std::sync::{Arc, PoisonError};
pub(crate) use real_tokio::sync::{Semaphore, watch};
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
