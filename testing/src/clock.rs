//! The clocks of the fakes: [`Clock`], which a test can replace, and [`FakeClock`], with which it usually does.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// The last second of the year 9999, in seconds since the Unix epoch. `OffsetDateTime` cannot represent a later time.
pub(crate) const MAX_TIME: u64 = 253_402_300_799;

/// The wall clock, or a clock that a test controls.
#[derive(Clone, Default)]
pub(crate) struct Clock(Option<Arc<dyn Fn() -> SystemTime + Send + Sync>>);

impl Clock {
    pub(crate) fn of(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(now)))
    }

    /// Returns the time, or the nearest one in the years 1970 to 9999.
    pub(crate) fn now(&self) -> SystemTime {
        let now = match &self.0 {
            None => SystemTime::now(),
            Some(now) => now(),
        };
        now.clamp(SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_secs(MAX_TIME))
    }

    /// Returns the Unix time in seconds.
    pub(crate) fn unix(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A clock that moves only when a test moves it.
///
/// Clones share the time. Give [`now`](Self::now) to everything that should use it: the
/// [`FakeServerBuilder`](crate::FakeServerBuilder::clock), the credentials, and the client under test, or a second clock
/// to the client to test a clock that differs from that of the service.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Authenticator, HealthcareClient};
/// use azure_healthcare_auth_testing::{FakeClock, FakeServer};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let clock = FakeClock::new();
/// let now = || { let clock = clock.clone(); move || clock.now() };
/// let fake_server = FakeServer::builder().clock(now()).start().await;
/// let auth = Authenticator::builder(fake_server.fhir(), fake_server.credential()).clock(now()).build();
/// let fhir = HealthcareClient::from(auth);
///
/// assert_eq!(fhir.get("Patient").send().await?.status(), 200);
/// clock.advance(Duration::from_secs(2 * 60 * 60));
/// let response = fhir.get("Patient").send().await?;
/// assert_eq!((response.status().as_u16(), response.attempts()), (200, 1));
/// assert_eq!(fake_server.credential().calls(), 2);
///
/// // The clock of the service goes back by an hour.
/// clock.set(clock.now() - Duration::from_secs(60 * 60));
/// assert_eq!(FakeClock::at(clock.now()).now(), clock.now());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<Mutex<SystemTime>>);

impl FakeClock {
    /// Creates a clock that stands at the system's time, rounded down to a whole second.
    #[must_use]
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::at(SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()))
    }

    /// Creates a clock that stands at `time`.
    #[must_use]
    pub fn at(time: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(time)))
    }

    /// Returns the time of this clock.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves the clock to `time`, which may be in its past.
    pub fn set(&self, time: SystemTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// Moves the clock forward. It stays where it is if the platform cannot represent the new time.
    pub fn advance(&self, duration: Duration) {
        let mut time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *time = time.checked_add(duration).unwrap_or(*time);
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fake_clock_moves_only_when_it_is_moved_and_clones_share_it() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let clock = FakeClock::at(start);
        let shared = clock.clone();
        shared.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), start + Duration::from_secs(5));
        shared.advance(Duration::MAX);
        assert_eq!(clock.now(), start + Duration::from_secs(5));
        clock.set(start);
        assert_eq!(shared.now(), start);
        let now = Clock::of(move || shared.now());
        assert_eq!((now.now(), now.unix()), (start, 1_000));
    }
}
