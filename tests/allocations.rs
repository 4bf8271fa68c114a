//! While a token is fresh, nothing is allocated to hand it out.

#[path = "it/support/mod.rs"]
mod support;

use std::thread;

use allocation_counter::measure;
use azure_healthcare_auth::HealthcareAuth;
use support::{HOUR, Scripted, at_once, authenticator, bearer, lives};
use tokio::runtime::Builder;

#[test]
fn a_cached_hit_allocates_nothing() {
    let credential = Scripted::new(|_| lives("x".repeat(2_000), HOUR));
    let auth = authenticator(&credential);
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let first = runtime.block_on(auth.authorization()).unwrap();

    let hits = measure(|| {
        for _ in 0..1_000 {
            assert_eq!(at_once(auth.authorization()).unwrap().unwrap(), first);
        }
    });
    assert_eq!((hits.count_total, hits.bytes_total), (0, 0));

    // From within a runtime it is the same.
    let hits = measure(|| {
        let _entered = runtime.enter();
        assert_eq!(at_once(auth.authorization()).unwrap().unwrap(), first);
    });
    assert_eq!(hits.count_total, 0);
    assert_eq!(credential.calls(), 1);
}

#[test]
fn through_the_trait_a_hit_allocates_one_box() {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(auth.authorization()).unwrap();
    let auth: &dyn HealthcareAuth<Audience = _> = &auth;
    let hit = measure(|| assert_eq!(at_once(auth.authorization()).unwrap().unwrap().as_bytes(), b"Bearer A"));
    assert_eq!(hit.count_total, 1);

    // Nor that, for who asks whether one is held.
    let hit = measure(|| assert_eq!(auth.cached_authorization().unwrap().as_bytes(), b"Bearer A"));
    assert_eq!(hit.count_total, 0);
}

#[test]
fn what_is_counted_would_be_seen() {
    assert!(measure(|| drop(bearer("A"))).count_total > 0);
}

#[test]
fn a_thread_pays_at_most_once_for_its_first_hit() {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(auth.authorization()).unwrap();
    let hit = || measure(|| drop(at_once(auth.authorization()).unwrap().unwrap())).count_total;
    // For its place in the list by which a writer knows that somebody still reads.
    let [first, second] = thread::scope(|scope| scope.spawn(|| [hit(), hit()]).join().unwrap());
    assert!(first <= 1 && second == 0, "{first} {second}");
}
