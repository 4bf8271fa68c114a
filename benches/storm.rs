//! Measures how many calls of the credential 1,000 concurrent tasks cause, and how long the tasks wait.
//!
//! Prints a table with the number of calls, percentiles of the waiting time, the number of tasks that were not ready at
//! the first poll, and the number of errors. Fails if there is more than one call, if a task waits for the refresh of a
//! valid token, or if a task gets an error although a token is available.

use std::{
    fmt,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};
use azure_healthcare_auth::{Authenticator, FhirAudience, Result};
use http::HeaderValue;
use tokio::{sync::Barrier, task::JoinSet, time::sleep};

const TASKS: usize = 1_000;
const LIFETIME: Duration = Duration::from_secs(3600);
/// A time that is always inside the refresh window, which opens 3 to 5 minutes before expiry.
const UNTIL_REFRESH_WINDOW: Duration = Duration::from_secs(58 * 60);
/// The minimum duration of a round trip to Entra.
const QUICK: Duration = Duration::from_millis(6);
const SLOW: Duration = Duration::from_millis(500);

/// The behavior of the next calls of a credential.
#[derive(Clone, Copy)]
enum Behavior {
    Succeeds,
    Fails,
}

/// A credential that returns numbered tokens, with a clock that can be advanced.
struct SimulatedCredential {
    /// The behavior and duration of the next calls.
    behavior: Mutex<(Behavior, Duration)>,
    calls: AtomicUsize,
    in_flight: AtomicUsize,
    /// The number of calls before the storm.
    calls_before: AtomicUsize,
    clock_offset_seconds: AtomicU64,
}

impl SimulatedCredential {
    fn new(behavior: Behavior, duration: Duration) -> Arc<Self> {
        Arc::new(Self {
            behavior: Mutex::new((behavior, duration)),
            calls: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            calls_before: AtomicUsize::new(0),
            clock_offset_seconds: AtomicU64::new(0),
        })
    }

    fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_secs(self.clock_offset_seconds.load(Ordering::Relaxed))
    }

    /// Creates an authenticator whose cached token is in the refresh window, and sets the behavior of the next calls.
    async fn with_due_token(
        behavior: Behavior,
        duration: Duration,
    ) -> (Arc<Self>, Authenticator<FhirAudience>) {
        let (credential, auth) = Self::with_token().await;
        credential.clock_offset_seconds.store(UNTIL_REFRESH_WINDOW.as_secs(), Ordering::Relaxed);
        *credential.behavior.lock().expect("the lock is not poisoned") = (behavior, duration);
        (credential, auth)
    }

    async fn with_token() -> (Arc<Self>, Authenticator<FhirAudience>) {
        let credential = Self::new(Behavior::Succeeds, QUICK);
        let auth = credential.authenticator();
        auth.authorization().await.expect("the credential returns a token");
        credential.calls_before.store(credential.calls.load(Ordering::SeqCst), Ordering::SeqCst);
        (credential, auth)
    }

    fn authenticator(self: &Arc<Self>) -> Authenticator<FhirAudience> {
        let audience = FhirAudience::workspace("contoso", "records").build().expect("the names are valid");
        let clock = self.clone();
        Authenticator::builder(audience, self.clone()).clock(move || clock.now()).build()
    }

    fn calls_in_storm(&self) -> usize {
        self.calls.load(Ordering::SeqCst) - self.calls_before.load(Ordering::SeqCst)
    }

    /// Waits until the background call has started and no call is in flight.
    async fn wait_until_idle(&self) {
        while self.in_flight.load(Ordering::SeqCst) > 0 || self.calls_in_storm() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[async_trait::async_trait]
impl TokenCredential for SimulatedCredential {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let (behavior, duration) = *self.behavior.lock().expect("the lock is not poisoned");
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        sleep(duration).await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        match behavior {
            Behavior::Succeeds => {
                Ok(AccessToken::new(format!("number-{call}"), OffsetDateTime::from(self.now()) + LIFETIME))
            }
            Behavior::Fails => Err(azure_core::Error::with_message(ErrorKind::Credential, "no response")),
        }
    }
}

impl fmt::Debug for SimulatedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedCredential")
    }
}

/// The measurements of one task.
struct Measurement {
    time: Duration,
    blocked: bool,
    failed: bool,
}

impl Measurement {
    async fn of<T>(future: impl Future<Output = Result<T>>) -> (Self, Option<T>) {
        let mut future = pin!(future);
        let mut polls = 0;
        let start = Instant::now();
        let outcome = poll_fn(|context| {
            polls += 1;
            future.as_mut().poll(context)
        })
        .await;
        let measurement = Self { time: start.elapsed(), blocked: polls > 1, failed: outcome.is_err() };
        (measurement, outcome.ok())
    }
}

/// Runs 1,000 copies of `task`, each on its own tokio task. All of them start at the same time.
async fn storm<F, Fut>(task: F) -> Vec<Measurement>
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Measurement> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(TASKS));
    let mut running = JoinSet::new();
    for number in 0..TASKS {
        let (barrier, task) = (barrier.clone(), task(number));
        running.spawn(async move {
            barrier.wait().await;
            task.await
        });
    }
    running.join_all().await
}

async fn request_tokens(auth: &Authenticator<FhirAudience>) -> Vec<Measurement> {
    storm(|_| {
        let auth = auth.clone();
        async move { Measurement::of(auth.authorization()).await.0 }
    })
    .await
}

/// Simulates 1,000 in-flight requests whose token is revoked. Their 401 responses arrive over 50 ms, and each task
/// requests another authorization value.
async fn refresh_rejected_token(auth: &Authenticator<FhirAudience>) -> Vec<Measurement> {
    let revoked = auth.authorization().await.expect("the credential returns a token");
    storm(|number| {
        let (auth, revoked) = (auth.clone(), revoked.clone());
        async move {
            sleep(Duration::from_millis(number as u64 % 50)).await;
            let (mut measurement, other) = Measurement::of(auth.refresh_rejected(&revoked)).await;
            measurement.failed = other.flatten().is_none_or(|value: HeaderValue| value == revoked);
            measurement
        }
    })
    .await
}

fn print(name: &str, credential: &SimulatedCredential, mut measurements: Vec<Measurement>) -> Totals {
    measurements.sort_unstable_by_key(|measurement| measurement.time);
    let [p50, p99] = [50, 99].map(|percent| format_duration(measurements[TASKS * percent / 100].time));
    let blocked = measurements.iter().filter(|measurement| measurement.blocked).count();
    let failed = measurements.iter().filter(|measurement| measurement.failed).count();
    let calls = credential.calls_in_storm();
    println!("| {name} | {calls} | {p50} | {p99} | {blocked} | {failed} |");
    assert_eq!(calls, 1, "number of calls");
    Totals { blocked, failed }
}

/// The number of tasks that had to wait, and of those that got an error.
struct Totals {
    blocked: usize,
    failed: usize,
}

fn format_duration(time: Duration) -> String {
    match time.as_secs_f64() {
        short if short < 1e-3 => format!("{:.1} µs", short * 1e6),
        long => format!("{:.1} ms", long * 1e3),
    }
}

#[tokio::main]
async fn main() {
    println!("| 1,000 tasks | calls | p50 | p99 | blocked | errors |\n|---|---|---|---|---|---|");

    let credential = SimulatedCredential::new(Behavior::Fails, QUICK);
    let measurements = request_tokens(&credential.authenticator()).await;
    print("no token, the fetch fails after 6 ms", &credential, measurements);

    let (credential, auth) = SimulatedCredential::with_due_token(Behavior::Fails, QUICK).await;
    let measurements = request_tokens(&auth).await;
    credential.wait_until_idle().await;
    let totals = print("valid token, the refresh fails after 6 ms", &credential, measurements);
    assert_eq!((totals.blocked, totals.failed), (0, 0), "number of blocked tasks and errors");

    let (credential, auth) = SimulatedCredential::with_due_token(Behavior::Succeeds, SLOW).await;
    let measurements = request_tokens(&auth).await;
    credential.wait_until_idle().await;
    let totals = print("valid token, the refresh takes 500 ms", &credential, measurements);
    assert_eq!((totals.blocked, totals.failed), (0, 0), "number of blocked tasks and errors");

    let (credential, auth) = SimulatedCredential::with_token().await;
    let measurements = refresh_rejected_token(&auth).await;
    let totals = print("rejected token, the credential returns a new one", &credential, measurements);
    assert_eq!(totals.failed, 0, "number of errors");
}
