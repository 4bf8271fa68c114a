//! A program of its own, because it replaces the global allocator to count allocations: a cache hit makes none.

#[path = "it/support/mod.rs"]
mod support;

use std::thread;

use allocation_counter::measure;
use azure_healthcare_auth::HealthcareAuth;
use tokio::runtime::Builder;

use support::{HOUR, TestCredential, authenticator, bearer, poll_once, token_valid_for};

#[test]
fn cache_hit_does_not_allocate() {
    let credential = TestCredential::new(|_| token_valid_for("x".repeat(2_000), HOUR));
    let auth = authenticator(&credential);
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let first = runtime.block_on(auth.authorization()).unwrap();

    let hits = measure(|| {
        for _ in 0..1_000 {
            assert_eq!(poll_once(auth.authorization()).unwrap().unwrap(), first);
        }
    });
    assert_eq!((hits.count_total, hits.bytes_total), (0, 0));

    let hits_in_runtime = measure(|| {
        let _entered = runtime.enter();
        assert_eq!(poll_once(auth.authorization()).unwrap().unwrap(), first);
    });
    assert_eq!(hits_in_runtime.count_total, 0);
    assert_eq!(credential.calls(), 1);
}

#[test]
fn cache_hit_through_trait_object_allocates_only_the_boxed_future() {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(auth.authorization()).unwrap();
    let auth: &dyn HealthcareAuth<Audience = _> = &auth;
    let hit =
        measure(|| assert_eq!(poll_once(auth.authorization()).unwrap().unwrap().as_bytes(), b"Bearer A"));
    assert_eq!(hit.count_total, 1);

    // `cached_authorization` is not async, so it needs no box.
    let hit = measure(|| assert_eq!(auth.cached_authorization().unwrap().as_bytes(), b"Bearer A"));
    assert_eq!(hit.count_total, 0);
}

#[test]
fn allocation_counter_counts_allocations() {
    assert!(measure(|| drop(bearer("A"))).count_total > 0);
}

#[test]
fn first_cache_hit_on_a_thread_allocates_at_most_once() {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(auth.authorization()).unwrap();
    let hit = || measure(|| drop(poll_once(auth.authorization()).unwrap().unwrap())).count_total;
    // `arc_swap` registers the thread in its list of readers.
    let [first, second] = thread::scope(|scope| scope.spawn(|| [hit(), hit()]).join().unwrap());
    assert!(first <= 1 && second == 0, "{first} {second}");
}
