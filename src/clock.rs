//! [`Clock`]: the injectable wall clock, and [`jitter`]: random numbers that spread load.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
    sync::Arc,
    time::SystemTime,
};

/// The wall clock, or a clock that a test controls.
///
/// It is not monotonic, because a monotonic clock can stop while the machine is suspended, but a token still expires.
#[derive(Clone, Default)]
pub(crate) struct Clock(Option<Arc<dyn Fn() -> SystemTime + Send + Sync>>);

impl Clock {
    pub(crate) fn of(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    pub(crate) fn now(&self) -> SystemTime {
        match &self.0 {
            None => SystemTime::now(),
            Some(now) => now(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Returns a random number from 0 to 1. It spreads load and is not suitable for security.
pub(crate) fn jitter() -> f64 {
    // Each `RandomState` has its own random keys.
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_covers_the_whole_range() {
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            tenths[(jitter() * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|&count| (700..1_300).contains(&count)), "{tenths:?}");
    }
}
