//! What a cached hit of `Authenticator::authorization` costs, beside the least that it could cost.
//!
//! The bound is what any such cache has to do: load what is held, read the clock, clone the value. Times differ from
//! machine to machine and from minute to minute, so read the ratios at the end: their two sides are measured in turns.

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
const HITS_A_ROUND: u64 = 200_000;

type Ours = Authenticator<FhirAudience>;
type Seam = Arc<dyn HealthcareAuth<Audience = FhirAudience>>;

/// What the bound loads: a value and the time until which it is good.
struct Held {
    value: HeaderValue,
    until: SystemTime,
}

type Bound = Arc<ArcSwapOption<Held>>;

fn bound_hit(bound: &Bound) -> HeaderValue {
    match &*bound.load() {
        Some(held) if SystemTime::now() < held.until => held.value.clone(),
        _ => unreachable!("it lives for an hour"),
    }
}

fn inherent_hit(auth: &Ours) -> HeaderValue {
    ready(auth.authorization())
}

fn trait_hit(auth: &Seam) -> HeaderValue {
    ready(auth.authorization())
}

/// The outcome of a future that never waits: a runtime around it would be measured too.
fn ready(future: impl Future<Output = azure_healthcare_auth::Result<HeaderValue>>) -> HeaderValue {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value.expect("a value is held"),
        Poll::Pending => unreachable!("a hit does not wait"),
    }
}

fn one_thread<T>(subject: &T, hit: fn(&T) -> HeaderValue, hits: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..hits {
        black_box(hit(black_box(subject)));
    }
    start.elapsed()
}

/// The time in which each core made that many hits, all at once.
fn all_cores<T: Sync>(subject: &T, hit: fn(&T) -> HeaderValue, hits: u64) -> Duration {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let barrier = Barrier::new(cores);
    thread::scope(|scope| {
        let work = || {
            barrier.wait();
            one_thread(subject, hit, hits)
        };
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).max().unwrap_or_default()
    })
}

/// The time in which that many hits were made by tasks on a runtime with a thread for each core.
fn tasks<T>(runtime: &Runtime, subject: &T, hit: fn(&T) -> HeaderValue, hits: u64) -> Duration
where
    T: Clone + Send + Sync + 'static,
{
    let start = Instant::now();
    runtime.block_on(async {
        let mut running = JoinSet::new();
        for task in 0..TASKS {
            let subject = subject.clone();
            let share = hits / TASKS + u64::from(task < hits % TASKS);
            running.spawn(async move { one_thread(&subject, hit, share) });
        }
        running.join_all().await;
    });
    start.elapsed()
}

fn benches(criterion: &mut Criterion, runtime: &Runtime, bound: &Bound, ours: &Ours, seam: &Seam) {
    let mut group = criterion.benchmark_group("a hit, one thread");
    group.bench_function("bound", |b| b.iter(|| bound_hit(black_box(bound))));
    group.bench_function("authorization", |b| b.iter(|| inherent_hit(black_box(ours))));
    group.bench_function("trait object", |b| b.iter(|| trait_hit(black_box(seam))));
    group.finish();

    let mut group = criterion.benchmark_group("a hit on each core");
    group.bench_function("bound", |b| b.iter_custom(|hits| all_cores(bound, bound_hit, hits)));
    group.bench_function("authorization", |b| b.iter_custom(|hits| all_cores(ours, inherent_hit, hits)));
    group.bench_function("trait object", |b| b.iter_custom(|hits| all_cores(seam, trait_hit, hits)));
    group.finish();

    let mut group = criterion.benchmark_group("a hit, 64 tasks");
    group.bench_function("bound", |b| b.iter_custom(|hits| tasks(runtime, bound, bound_hit, hits)));
    group.bench_function("authorization", |b| {
        b.iter_custom(|hits| tasks(runtime, ours, inherent_hit, hits));
    });
    group.bench_function("trait object", |b| b.iter_custom(|hits| tasks(runtime, seam, trait_hit, hits)));
    group.finish();
}

/// What makes that many hits, and what it is called.
type Way<'a> = (&'static str, Box<dyn FnMut(u64) -> Duration + 'a>);

/// Prints the median time of each way to hit, and its ratio to that of the bound.
fn ratios(place: &str, mut ways: [Way<'_>; 3]) {
    let mut times = [(); 3].map(|()| Vec::with_capacity(ROUNDS));
    for _ in 0..ROUNDS {
        for (way, times) in ways.iter_mut().zip(&mut times) {
            times.push(way.1(HITS_A_ROUND));
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64() * 1e9 / HITS_A_ROUND as f64
    });
    for ((name, _), median) in ways.iter().zip(medians) {
        println!("| {place} | {name} | {median:.1} ns | {:.2} |", median / medians[0]);
    }
}

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let audience = FhirAudience::workspace("contoso", "records").build().expect("an audience");
    // As long as those of Entra are, and good for as long.
    let credential = from_fn(async |_| {
        Ok(AccessToken::new("e".repeat(1_600), OffsetDateTime::now_utc() + Duration::from_secs(3_600)))
    });
    let ours = Authenticator::new(audience, credential);
    let value = runtime.block_on(ours.authorization()).expect("a value");
    let seam: Seam = Arc::new(ours.clone());
    let until = SystemTime::now() + Duration::from_secs(3600);
    let bound = Arc::new(ArcSwapOption::from_pointee(Held { value, until }));

    let mut criterion = Criterion::default().configure_from_args();
    benches(&mut criterion, &runtime, &bound, &ours, &seam);
    criterion.final_summary();

    println!("\n| where | a hit | median | ratio |\n|---|---|---|---|");
    ratios(
        "one thread",
        [
            ("bound", Box::new(|hits| one_thread(&bound, bound_hit, hits))),
            ("authorization", Box::new(|hits| one_thread(&ours, inherent_hit, hits))),
            ("trait object", Box::new(|hits| one_thread(&seam, trait_hit, hits))),
        ],
    );
    ratios(
        "on each core",
        [
            ("bound", Box::new(|hits| all_cores(&bound, bound_hit, hits))),
            ("authorization", Box::new(|hits| all_cores(&ours, inherent_hit, hits))),
            ("trait object", Box::new(|hits| all_cores(&seam, trait_hit, hits))),
        ],
    );
    ratios(
        "64 tasks",
        [
            ("bound", Box::new(|hits| tasks(&runtime, &bound, bound_hit, hits))),
            ("authorization", Box::new(|hits| tasks(&runtime, &ours, inherent_hit, hits))),
            ("trait object", Box::new(|hits| tasks(&runtime, &seam, trait_hit, hits))),
        ],
    );
}
