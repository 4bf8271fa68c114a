//! Measures a cached hit of `Authenticator::authorization` against a lower bound.
//!
//! The lower bound does only what every such cache must do: load the cached value, read the clock, clone the value.
//! Absolute times vary between machines and over time. Compare the ratios at the end instead: both sides of a ratio are
//! measured in turns.

use std::{
    hint::black_box,
    pin::pin,
    sync::{Arc, Barrier},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwapOption;
use azure_core::{credentials::AccessToken, time::OffsetDateTime};
use azure_healthcare_auth::{Authenticator, FhirAudience, HealthcareAuth, credentials::from_fn};
use criterion::Criterion;
use http::HeaderValue;
use tokio::{runtime::Runtime, task::JoinSet};

const TASKS: u64 = 64;
const ROUNDS: usize = 41;
const HITS_PER_ROUND: u64 = 200_000;

type Inherent = Authenticator<FhirAudience>;
type TraitObject = Arc<dyn HealthcareAuth<Audience = FhirAudience>>;

/// The cache entry of the lower bound.
struct LowerBound {
    value: HeaderValue,
    expires_on: SystemTime,
}

type Bound = Arc<ArcSwapOption<LowerBound>>;

fn bound_hit(bound: &Bound) -> HeaderValue {
    match &*bound.load() {
        Some(entry) if SystemTime::now() < entry.expires_on => entry.value.clone(),
        _ => unreachable!("the value expires after an hour"),
    }
}

fn inherent_hit(auth: &Inherent) -> HeaderValue {
    ready(auth.authorization())
}

fn trait_hit(auth: &TraitObject) -> HeaderValue {
    ready(auth.authorization())
}

/// Polls a future that must be ready. Uses no runtime, because its cost would be measured too.
fn ready(future: impl Future<Output = azure_healthcare_auth::Result<HeaderValue>>) -> HeaderValue {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value.expect("a value is cached"),
        Poll::Pending => unreachable!("a cached hit is ready at once"),
    }
}

fn one_thread<T>(cache: &T, hit: fn(&T) -> HeaderValue, hits: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..hits {
        black_box(hit(black_box(cache)));
    }
    start.elapsed()
}

/// Returns the time in which each core made `hits` hits, all cores at once.
fn all_cores<T: Sync>(cache: &T, hit: fn(&T) -> HeaderValue, hits: u64) -> Duration {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let barrier = Barrier::new(cores);
    thread::scope(|scope| {
        let work = || {
            barrier.wait();
            one_thread(cache, hit, hits)
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("the thread did not panic"))
            .max()
            .unwrap_or_default()
    })
}

/// Returns the time in which the tasks of a multi-threaded runtime made `hits` hits in total.
fn tasks<T>(runtime: &Runtime, cache: &T, hit: fn(&T) -> HeaderValue, hits: u64) -> Duration
where
    T: Clone + Send + Sync + 'static,
{
    let start = Instant::now();
    runtime.block_on(async {
        let mut running = JoinSet::new();
        for task in 0..TASKS {
            let cache = cache.clone();
            let share = hits / TASKS + u64::from(task < hits % TASKS);
            running.spawn(async move { one_thread(&cache, hit, share) });
        }
        running.join_all().await;
    });
    start.elapsed()
}

fn benches(
    criterion: &mut Criterion,
    runtime: &Runtime,
    bound: &Bound,
    inherent: &Inherent,
    object: &TraitObject,
) {
    let mut group = criterion.benchmark_group("cached hit, one thread");
    group.bench_function("bound", |b| b.iter(|| bound_hit(black_box(bound))));
    group.bench_function("authorization", |b| b.iter(|| inherent_hit(black_box(inherent))));
    group.bench_function("trait object", |b| b.iter(|| trait_hit(black_box(object))));
    group.finish();

    let mut group = criterion.benchmark_group("cached hit, one thread per core");
    group.bench_function("bound", |b| b.iter_custom(|hits| all_cores(bound, bound_hit, hits)));
    group.bench_function("authorization", |b| b.iter_custom(|hits| all_cores(inherent, inherent_hit, hits)));
    group.bench_function("trait object", |b| b.iter_custom(|hits| all_cores(object, trait_hit, hits)));
    group.finish();

    let mut group = criterion.benchmark_group("cached hit, 64 tasks");
    group.bench_function("bound", |b| b.iter_custom(|hits| tasks(runtime, bound, bound_hit, hits)));
    group.bench_function("authorization", |b| {
        b.iter_custom(|hits| tasks(runtime, inherent, inherent_hit, hits));
    });
    group.bench_function("trait object", |b| b.iter_custom(|hits| tasks(runtime, object, trait_hit, hits)));
    group.finish();
}

/// A name, and a function that makes a number of hits and returns the time.
type Variant<'a> = (&'static str, Box<dyn FnMut(u64) -> Duration + 'a>);

/// Prints the median time per hit of each variant, and its ratio to that of the first variant, the lower bound.
fn print_ratios(concurrency: &str, mut variants: [Variant<'_>; 3]) {
    let mut times = [(); 3].map(|()| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        for (variant, times) in variants.iter_mut().zip(&mut times) {
            times.push(variant.1(HITS_PER_ROUND));
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64() * 1e9 / HITS_PER_ROUND as f64
    });
    for ((name, _), median) in variants.iter().zip(medians) {
        println!("| {concurrency} | {name} | {median:.1} ns | {:.2} |", median / medians[0]);
    }
}

fn main() {
    let runtime = Runtime::new().expect("the runtime starts");
    let audience = FhirAudience::workspace("contoso", "records").build().expect("the names are valid");
    // The length and lifetime of a typical Entra token.
    let credential = from_fn(async |_| {
        Ok(AccessToken::new("e".repeat(1_600), OffsetDateTime::now_utc() + Duration::from_secs(3_600)))
    });
    let inherent = Authenticator::new(audience, credential);
    let value = runtime.block_on(inherent.authorization()).expect("the credential returns a token");
    let object: TraitObject = Arc::new(inherent.clone());
    let expires_on = SystemTime::now() + Duration::from_secs(3600);
    let bound = Arc::new(ArcSwapOption::from_pointee(LowerBound { value, expires_on }));

    let mut criterion = Criterion::default().configure_from_args();
    benches(&mut criterion, &runtime, &bound, &inherent, &object);
    criterion.final_summary();

    println!("\n| concurrency | cached hit | median | ratio |\n|---|---|---|---|");
    print_ratios(
        "one thread",
        [
            ("bound", Box::new(|hits| one_thread(&bound, bound_hit, hits))),
            ("authorization", Box::new(|hits| one_thread(&inherent, inherent_hit, hits))),
            ("trait object", Box::new(|hits| one_thread(&object, trait_hit, hits))),
        ],
    );
    print_ratios(
        "one thread per core",
        [
            ("bound", Box::new(|hits| all_cores(&bound, bound_hit, hits))),
            ("authorization", Box::new(|hits| all_cores(&inherent, inherent_hit, hits))),
            ("trait object", Box::new(|hits| all_cores(&object, trait_hit, hits))),
        ],
    );
    print_ratios(
        "64 tasks",
        [
            ("bound", Box::new(|hits| tasks(&runtime, &bound, bound_hit, hits))),
            ("authorization", Box::new(|hits| tasks(&runtime, &inherent, inherent_hit, hits))),
            ("trait object", Box::new(|hits| tasks(&runtime, &object, trait_hit, hits))),
        ],
    );
}
