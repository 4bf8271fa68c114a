//! Properties of the token cache that hold for every interleaving, and the scenarios that check them.
//!
//! Each scenario also checks that all of its tasks complete, because the scheduler reports deadlocks and runs that
//! never end.

use futures_util::future::{AbortHandle, abortable, join_all};
use http::HeaderValue;
use real_std::sync::atomic::{AtomicBool, Ordering};
use shuttle::{
    future::{JoinHandle, block_on},
    rand::{Rng, thread_rng},
};

use crate::{
    Error, ErrorKind, Result,
    credential::{Behavior, TestCredential},
    runtime::Handle,
    sync::Arc,
    time::Duration,
    token::CacheEntry,
};

/// A property and the scenario that checks it.
type Scenario = (&'static str, fn());

pub(crate) const ALL: [Scenario; 10] = [
    ("concurrent requests without a cached token share one call", empty_cache),
    ("concurrent requests share the error of a failed call", failing_call),
    ("a call that hangs is dropped, and all waiters get a timeout error", hanging_call),
    ("a canceled request does not cancel the call of other requests", canceled_request),
    ("a call that is dropped with its runtime is started again on another", dropped_runtime),
    ("a token in its refresh window is used while one call refreshes it", refresh_due),
    ("a rejected value is not used after a forced refresh replaced it", rejected_while_fresh),
    ("a rejected value is not used after any refresh replaced it", rejected_while_refresh_due),
    ("an expired token is not used", expired),
    ("at most two calls run concurrently, for any number of scopes", many_scopes),
];

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";
const UNTIL_REFRESH_DUE: Duration = Duration::from_secs(3600 - 179);
const UNTIL_EXPIRED: Duration = Duration::from_secs(3600);

type Request = JoinHandle<Result<Result<HeaderValue, Error>, futures_util::future::Aborted>>;

fn request(runtime: &Handle, entry: &CacheEntry) -> Request {
    let entry = entry.clone();
    runtime.spawn(async move { entry.authorization().await })
}

fn result(request: Request) -> Result<HeaderValue> {
    block_on(request).expect("the task does not panic").expect("the runtime is not dropped")
}

/// Returns an entry with a cached token, and the token's value.
fn entry_with_token() -> (Arc<TestCredential>, CacheEntry, Handle, HeaderValue) {
    let (credential, cache) = TestCredential::new(Behavior::Succeed);
    let (entry, runtime) = (cache.entry(SCOPE), Handle::new());
    let value = result(request(&runtime, &entry)).expect("a token");
    (credential, entry, runtime, value)
}

fn empty_cache() {
    let (credential, cache) = TestCredential::new(Behavior::Succeed);
    let runtime = Handle::new();
    let requests: Vec<_> = (0..3).map(|_| request(&runtime, &cache.entry(SCOPE))).collect();
    assert!(requests.into_iter().all(|request| result(request).is_ok()));
    assert_eq!(credential.calls(), 1);
}

fn failing_call() {
    let (credential, cache) = TestCredential::new(Behavior::Fail);
    let (entry, runtime) = (cache.entry(SCOPE), Handle::new());
    let requests: Vec<_> = (0..3).map(|_| request(&runtime, &entry)).collect();
    assert!(requests.into_iter().all(|request| result(request).is_err()));
    assert_eq!(credential.calls(), 1);

    // The backoff after the first failure is at most 1 s.
    credential.clock.forward(Duration::from_secs(1));
    credential.set_behavior(Behavior::Succeed);
    assert!(result(request(&runtime, &entry)).is_ok());
}

fn hanging_call() {
    let (credential, cache) = TestCredential::new(Behavior::Hang);
    let (entry, runtime) = (cache.entry(SCOPE), Handle::new());
    let requests: Vec<_> = (0..3).map(|_| request(&runtime, &entry)).collect();
    for request in requests {
        assert_eq!(result(request).expect_err("the call hangs").kind, ErrorKind::Timeout);
    }
    assert_eq!(credential.calls(), 1);
}

fn canceled_request() {
    let (credential, cache) = TestCredential::new(Behavior::Succeed);
    let (entry, runtime) = (cache.entry(SCOPE), Handle::new());
    let canceled_entry = entry.clone();
    let (canceled, cancel): (_, AbortHandle) = abortable(async move { canceled_entry.authorization().await });
    let canceled = runtime.spawn(canceled);
    let requests: Vec<_> = (0..2).map(|_| request(&runtime, &entry)).collect();
    cancel.abort();
    assert!(requests.into_iter().all(|request| result(request).is_ok()));
    let _ = block_on(canceled);
    assert_eq!(credential.calls(), 1);
}

fn dropped_runtime() {
    let (credential, cache) = TestCredential::new(Behavior::Succeed);
    let (entry, dropped_runtime, runtime) = (cache.entry(SCOPE), Handle::new(), Handle::new());
    let dropped: Vec<_> = (0..2).map(|_| request(&dropped_runtime, &entry)).collect();
    let requests: Vec<_> = (0..2).map(|_| request(&runtime, &entry)).collect();
    dropped_runtime.shut_down();
    assert!(requests.into_iter().all(|request| result(request).is_ok()));
    for request in block_on(join_all(dropped)) {
        if let Ok(Err(error)) = request.expect("the task does not panic") {
            assert_eq!(error.kind, ErrorKind::NoRuntime);
        }
    }
    assert!(credential.calls() <= 2);
}

fn refresh_due() {
    let (credential, entry, runtime, cached) = entry_with_token();
    credential.clock.forward(UNTIL_REFRESH_DUE);
    credential.set_behavior(Behavior::SucceedOrFail);
    let requests: Vec<_> = (0..3).map(|_| request(&runtime, &entry)).collect();
    for request in requests {
        let value = result(request).expect("a valid token is cached");
        assert!(value == cached || credential.calls() == 2);
    }
    assert!(credential.calls() <= 2);
}

/// Runs tasks that report a rejected value next to tasks that request any value. Returns the replacements.
fn reject(
    credential: &TestCredential,
    entry: &CacheEntry,
    runtime: &Handle,
    rejected: HeaderValue,
) -> Vec<Option<HeaderValue>> {
    let is_replaced = Arc::new(AtomicBool::new(false));
    let refreshes: Vec<_> = (0..2)
        .map(|_| {
            let (entry, rejected, is_replaced) = (entry.clone(), rejected.clone(), is_replaced.clone());
            runtime.spawn(async move {
                // An error means that the forced refresh failed.
                let replacement = entry.refresh_rejected(&rejected).await.ok().flatten();
                if let Some(replacement) = &replacement {
                    assert_ne!(*replacement, rejected);
                    is_replaced.store(true, Ordering::SeqCst);
                }
                replacement
            })
        })
        .collect();
    let requests: Vec<_> = (0..2)
        .map(|_| {
            let (entry, rejected, is_replaced) = (entry.clone(), rejected.clone(), is_replaced.clone());
            runtime.spawn(async move {
                let was_replaced = is_replaced.load(Ordering::SeqCst);
                let value = entry.authorization().await.expect("a valid token is cached");
                assert!(
                    !was_replaced || value != rejected,
                    "a rejected value was used after its replacement"
                );
            })
        })
        .collect();
    let replacements: Vec<_> = refreshes
        .into_iter()
        .map(|task| block_on(task).expect("the task does not panic").expect("the runtime is not dropped"))
        .collect();
    for task in requests {
        block_on(task).expect("the task does not panic").expect("the runtime is not dropped");
    }
    // The first call, one forced call for both tasks, and one more if an ordinary refresh was in flight.
    assert!(credential.calls() <= 3);
    replacements
}

fn rejected_while_fresh() {
    let (credential, entry, runtime, value) = entry_with_token();
    let succeeds = thread_rng().r#gen();
    credential.set_behavior(if succeeds { Behavior::Succeed } else { Behavior::Fail });
    let replacements = reject(&credential, &entry, &runtime, value);
    assert_eq!(replacements[0], replacements[1]);
    assert_eq!(replacements[0].is_some(), succeeds);
    assert_eq!(credential.calls(), 2);
}

fn rejected_while_refresh_due() {
    let (credential, entry, runtime, value) = entry_with_token();
    credential.clock.forward(UNTIL_REFRESH_DUE);
    credential.set_behavior(Behavior::SucceedOrFail);
    reject(&credential, &entry, &runtime, value);
}

fn expired() {
    let (credential, entry, runtime, value) = entry_with_token();
    let before: Vec<_> = (0..2).map(|_| request(&runtime, &entry)).collect();
    credential.clock.forward(UNTIL_EXPIRED);
    let after: Vec<_> = (0..2).map(|_| request(&runtime, &entry)).collect();
    assert!(before.into_iter().all(|request| result(request).is_ok()));
    assert!(after.into_iter().all(|request| result(request).expect("a token") != value));
    assert_eq!(credential.calls(), 2);
}

fn many_scopes() {
    let (credential, cache) = TestCredential::new(Behavior::SucceedOrFail);
    let (runtime, dropped_runtime) = (Handle::new(), Handle::new());
    let entries: Vec<_> = (0..4).map(|number| cache.entry(&format!("{number}"))).collect();
    let dropped = request(&dropped_runtime, &entries[0]);
    let requests: Vec<_> = entries.iter().map(|entry| request(&runtime, entry)).collect();
    dropped_runtime.shut_down();
    for request in requests {
        if let Err(error) = result(request) {
            assert_eq!(error.kind, ErrorKind::Credential);
        }
    }
    let _ = block_on(dropped);
    assert!(credential.calls() <= 5);
}
