//! A clock that only moves when a scenario moves it, and random numbers from the scheduler, so that a run can be
//! replayed.

use real_std::sync::atomic::{AtomicU64, Ordering};
use shuttle::rand::{Rng, thread_rng};

use crate::{
    sync::Arc,
    time::{Duration, SystemTime},
};

#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<AtomicU64>);

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(1_000_000)))
    }
}

impl Clock {
    pub(crate) fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    pub(crate) fn forward(&self, time: Duration) {
        self.0.fetch_add(time.as_secs(), Ordering::SeqCst);
    }
}

pub(crate) fn jitter() -> f64 {
    thread_rng().r#gen()
}
