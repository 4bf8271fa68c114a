//! What a thousand tasks that ask at once bring down on a credential, and what they feel of it.
//!
//! Prints a table: how often the credential was called, how long the tasks had to wait, and how many of them did not
//! get their answer at the first poll. Fails if there is more than one call, if a task waits for the refresh of a valid
//! token, or if one that could have a token gets an error.

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
const LIFE: Duration = Duration::from_secs(3600);
/// Into the window in which a token is refreshed, wherever it opens, and before its end.
const UNTIL_STALE: Duration = Duration::from_secs(58 * 60);
/// What a round trip to Entra takes at the least.
const QUICK: Duration = Duration::from_millis(6);
const SLOW: Duration = Duration::from_millis(500);

/// How a credential answers the next calls.
#[derive(Clone, Copy)]
enum Mood {
    Gives,
    Fails,
}

/// A credential whose tokens are numbered, on a machine whose clock can be moved.
struct World {
    mood: Mutex<(Mood, Duration)>,
    calls: AtomicUsize,
    under_way: AtomicUsize,
    /// How many of the calls were made before the storm.
    before: AtomicUsize,
    ahead_seconds: AtomicU64,
}

impl World {
    fn new(mood: Mood, takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            mood: Mutex::new((mood, takes)),
            calls: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            before: AtomicUsize::new(0),
            ahead_seconds: AtomicU64::new(0),
        })
    }

    fn now(&self) -> SystemTime {
        SystemTime::now() + Duration::from_secs(self.ahead_seconds.load(Ordering::Relaxed))
    }

    /// A warm authenticator, whose token has come to its window. From here on the credential is in another mood.
    async fn with_stale_token(mood: Mood, takes: Duration) -> (Arc<Self>, Authenticator<FhirAudience>) {
        let (world, auth) = Self::with_token().await;
        world.ahead_seconds.store(UNTIL_STALE.as_secs(), Ordering::Relaxed);
        *world.mood.lock().expect("no panic") = (mood, takes);
        (world, auth)
    }

    async fn with_token() -> (Arc<Self>, Authenticator<FhirAudience>) {
        let world = Self::new(Mood::Gives, QUICK);
        let auth = world.authenticator();
        auth.authorization().await.expect("a token");
        world.before.store(world.calls.load(Ordering::SeqCst), Ordering::SeqCst);
        (world, auth)
    }

    fn authenticator(self: &Arc<Self>) -> Authenticator<FhirAudience> {
        let audience = FhirAudience::workspace("contoso", "records").build().expect("an audience");
        let clock = self.clone();
        Authenticator::builder(audience, self.clone()).clock(move || clock.now()).build()
    }

    fn calls_in_storm(&self) -> usize {
        self.calls.load(Ordering::SeqCst) - self.before.load(Ordering::SeqCst)
    }

    /// Waits until no call is under way: that in the background begins when its task is first run.
    async fn calm(&self) {
        while self.under_way.load(Ordering::SeqCst) > 0 || self.calls_in_storm() == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[async_trait::async_trait]
impl TokenCredential for World {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let (mood, takes) = *self.mood.lock().expect("no panic");
        self.under_way.fetch_add(1, Ordering::SeqCst);
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        sleep(takes).await;
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        match mood {
            Mood::Gives => {
                Ok(AccessToken::new(format!("number-{call}"), OffsetDateTime::from(self.now()) + LIFE))
            }
            Mood::Fails => Err(azure_core::Error::with_message(ErrorKind::Credential, "no answer")),
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// What one task felt.
struct Felt {
    time: Duration,
    blocked: bool,
    failed: bool,
}

impl Felt {
    async fn of<T>(asked: impl Future<Output = Result<T>>) -> (Self, Option<T>) {
        let mut asked = pin!(asked);
        let mut polls = 0;
        let start = Instant::now();
        let outcome = poll_fn(|context| {
            polls += 1;
            asked.as_mut().poll(context)
        })
        .await;
        let felt = Self { time: start.elapsed(), blocked: polls > 1, failed: outcome.is_err() };
        (felt, outcome.ok())
    }
}

/// Runs a thousand of these, each on a task of its own, all from the same moment on.
async fn storm<F, Fut>(task: F) -> Vec<Felt>
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Felt> + Send + 'static,
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

async fn all_ask(auth: &Authenticator<FhirAudience>) -> Vec<Felt> {
    storm(|_| {
        let auth = auth.clone();
        async move { Felt::of(auth.authorization()).await.0 }
    })
    .await
}

/// A thousand requests are on their way with the same token when it is revoked. Their refusals come in over 50 ms,
/// and each asks for another value and sends once more.
async fn all_refused(auth: &Authenticator<FhirAudience>) -> Vec<Felt> {
    let revoked = auth.authorization().await.expect("a token");
    storm(|number| {
        let (auth, revoked) = (auth.clone(), revoked.clone());
        async move {
            sleep(Duration::from_millis(number as u64 % 50)).await;
            let (mut felt, other) = Felt::of(auth.refresh_rejected(&revoked)).await;
            felt.failed = other.flatten().is_none_or(|value: HeaderValue| value == revoked);
            felt
        }
    })
    .await
}

fn print(name: &str, world: &World, mut felt: Vec<Felt>) -> Toll {
    felt.sort_unstable_by_key(|felt| felt.time);
    let [p50, p99] = [50, 99].map(|percent| in_words(felt[TASKS * percent / 100].time));
    let blocked = felt.iter().filter(|felt| felt.blocked).count();
    let failed = felt.iter().filter(|felt| felt.failed).count();
    let calls = world.calls_in_storm();
    println!("| {name} | {calls} | {p50} | {p99} | {blocked} | {failed} |");
    assert_eq!(calls, 1, "calls");
    Toll { blocked, failed }
}

/// How many of the tasks had to wait, and how many got an error.
struct Toll {
    blocked: usize,
    failed: usize,
}

fn in_words(time: Duration) -> String {
    match time.as_secs_f64() {
        short if short < 1e-3 => format!("{:.1} µs", short * 1e6),
        long => format!("{:.1} ms", long * 1e3),
    }
}

#[tokio::main]
async fn main() {
    println!("| 1,000 tasks | calls | p50 | p99 | blocked | errors |\n|---|---|---|---|---|---|");

    let world = World::new(Mood::Fails, QUICK);
    let felt = all_ask(&world.authenticator()).await;
    print("no token, the credential fails after 6 ms", &world, felt);

    let (world, auth) = World::with_stale_token(Mood::Fails, QUICK).await;
    let felt = all_ask(&auth).await;
    world.calm().await;
    let toll = print("valid token, its refresh fails after 6 ms", &world, felt);
    assert_eq!((toll.blocked, toll.failed), (0, 0), "blocked and errors");

    let (world, auth) = World::with_stale_token(Mood::Gives, SLOW).await;
    let felt = all_ask(&auth).await;
    world.calm().await;
    let toll = print("valid token, its refresh takes 500 ms", &world, felt);
    assert_eq!((toll.blocked, toll.failed), (0, 0), "blocked and errors");

    let (world, auth) = World::with_token().await;
    let felt = all_refused(&auth).await;
    let toll = print("revoked token, the credential has a new one", &world, felt);
    assert_eq!(toll.failed, 0, "errors");
}
