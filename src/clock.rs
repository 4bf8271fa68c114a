//! [`Clock`]: the time by which tokens are kept; [`jitter`]: where chance comes from.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::{BuildHasher, Hasher},
    sync::Arc,
    time::SystemTime,
};

/// The wall clock, or one that a test moves.
///
/// Not a monotonic clock: that one stands still while a machine is suspended, and the end of a token does not wait.
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

    /// In whole seconds since 1970.
    #[cfg(feature = "testing")]
    pub(crate) fn unix(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A number from 0 to 1, drawn anew at each call. It spreads load and guards nothing.
pub(crate) fn jitter() -> f64 {
    // Each `RandomState` hashes with keys of its own.
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_spread_over_the_whole_range() {
        let mut tenths = [0_u32; 10];
        for _ in 0..10_000 {
            tenths[(jitter() * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|&count| (700..1_300).contains(&count)), "{tenths:?}");
    }
}
