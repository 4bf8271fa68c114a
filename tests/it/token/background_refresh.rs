//! No request waits for a refresh while the cached token is valid.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use azure_healthcare_auth::{Authenticator, FhirAudience, HealthcareAuth};
use tokio::runtime;

use crate::support::{
    Call, CallResult, HOUR, MINUTE, SECOND, TASKS, TestClock, TestCredential, authenticator, bearer,
    count_token, fhir, poll_once, spawn_requests, token_valid_for, wait_for_background_tasks,
};

/// Returns a credential whose first call returns `A`, and whose later calls run a script.
fn first_token_a(
    lifetime: Duration,
    script: impl Fn(&Call) -> CallResult + Send + Sync + 'static,
) -> Arc<TestCredential> {
    TestCredential::new(
        move |call| if call.number == 1 { token_valid_for("A", lifetime) } else { script(call) },
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_use_cached_token_during_slow_refresh() {
    let credential = first_token_a(HOUR, |_| token_valid_for("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.advance(58 * MINUTE);
    credential.block_calls();
    let mut early = spawn_requests(&auth);
    assert_eq!(early.pending_after_first_poll().await, 0);
    assert_eq!(count_token(&early.join().await, "A"), TASKS);
    credential.wait_for_calls(2).await;
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
    credential.unblock_calls();
    wait_for_background_tasks().await;
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "B"), TASKS);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cached_authorization_returns_only_fresh_tokens() {
    let credential = first_token_a(HOUR, |_| token_valid_for("B", HOUR));
    let auth = authenticator(&credential);
    assert_eq!(auth.cached_authorization(), None);
    auth.authorization().await.unwrap();
    assert_eq!(auth.cached_authorization(), Some(bearer("A")));
    // A refresh is due, but only `authorization` starts it.
    credential.clock.advance(58 * MINUTE);
    assert_eq!((auth.cached_authorization(), credential.calls()), (None, 1));
    assert_eq!(auth.authorization().await.unwrap(), bearer("A"));
    credential.wait_for_calls(2).await;
    wait_for_background_tasks().await;
    assert_eq!(auth.cached_authorization(), Some(bearer("B")));
    credential.clock.advance(HOUR);
    assert_eq!((auth.cached_authorization(), credential.calls()), (None, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_use_cached_token_while_refresh_fails_and_each_backoff_ends_in_one_call() {
    let credential = first_token_a(HOUR, |_| CallResult::Error);
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.advance(58 * MINUTE);
    for failures in 1..=3 {
        for _ in 0..2 {
            let mut requests = spawn_requests(&auth);
            assert_eq!(requests.pending_after_first_poll().await, 0);
            assert_eq!(count_token(&requests.join().await, "A"), TASKS);
            wait_for_background_tasks().await;
            assert_eq!(credential.calls(), 1 + failures);
        }
        // Longer than each of the first three backoffs, and shorter than the rest of the lifetime.
        credential.clock.advance(5 * SECOND);
    }
    credential.clock.advance(2 * MINUTE);
    assert!(spawn_requests(&auth).join().await.iter().all(Result::is_err));
    assert_eq!(credential.calls(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn credential_that_returns_same_token_is_called_once_per_backoff() {
    let expires_on = TestClock::START + 60 * 60;
    let credential = TestCredential::new(move |_| CallResult::ExpiresOn("A".to_owned(), expires_on));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.advance(57 * MINUTE);
    for calls in 2..=4 {
        for _ in 0..2 {
            assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
            wait_for_background_tasks().await;
            assert_eq!(credential.calls(), calls);
        }
        credential.clock.advance(5 * SECOND);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_call_refreshes_or_replaces_a_token_of_any_lifetime() {
    // The lifetime, and times in milliseconds at which the token is fresh, due for a refresh, and expired.
    for (lifetime, fresh, refresh_due, expired) in [
        (5 * SECOND, 2_400, 2_500, 3_750),
        (20 * SECOND, 9_900, 10_000, 15_000),
        (24 * HOUR, 86_099_000, 86_220_000, 86_390_000),
    ] {
        for (after, calls, token) in [(fresh, 1, "A"), (refresh_due, 2, "A"), (expired, 2, "B")] {
            let credential = first_token_a(lifetime, move |_| token_valid_for("B", lifetime));
            let auth = authenticator(&credential);
            auth.authorization().await.unwrap();
            credential.clock.advance(Duration::from_millis(after));
            credential.block_calls();
            let mut requests = spawn_requests(&auth);
            assert_eq!(
                requests.pending_after_first_poll().await,
                if after == expired { TASKS } else { 0 },
                "{lifetime:?} {after}"
            );
            credential.unblock_calls();
            assert_eq!(count_token(&requests.join().await, token), TASKS, "{lifetime:?} {after}");
            wait_for_background_tasks().await;
            assert_eq!(credential.calls(), calls, "{lifetime:?} {after}");
        }
    }
}

#[test]
fn cached_token_is_ready_at_first_poll_and_outside_a_runtime() {
    let credential = first_token_a(HOUR, |_| token_valid_for("B", HOUR));
    let auth = authenticator(&credential);
    let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(auth.authorization()).unwrap();
    for (minutes, in_runtime, calls) in [(0, false, 1), (58, false, 1), (0, true, 2)] {
        credential.clock.advance(minutes * MINUTE);
        credential.block_calls();
        let _entered = in_runtime.then(|| runtime.enter());
        for _ in 0..TASKS {
            assert_eq!(poll_once(auth.authorization()).unwrap().unwrap(), bearer("A"));
            assert_eq!(
                poll_once(auth.authorization_for(auth.audience().endpoint())).unwrap().unwrap(),
                bearer("A")
            );
        }
        runtime.block_on(credential.wait_for_calls(calls));
        assert_eq!(credential.calls(), calls);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn request_that_read_the_clock_before_a_failed_refresh_does_not_retry_it() {
    // The other request runs after the first or the second time that this request reads the clock.
    for clock_read in [1, 2] {
        let credential = first_token_a(HOUR, |_| CallResult::Error);
        let clock = credential.clock.clone();
        let hooks = Arc::new(Mutex::new(Vec::<Box<dyn FnOnce() + Send>>::new()));
        let clock_hooks = hooks.clone();
        let auth = Authenticator::builder(fhir(), credential.clone())
            .clock(move || {
                let now = clock.now();
                let hook = clock_hooks.lock().unwrap().pop();
                hook.into_iter().for_each(|hook| hook());
                now
            })
            .build();
        auth.authorization().await.unwrap();
        credential.clock.advance(58 * MINUTE);

        let (other, clock) = (auth.clone(), credential.clock.clone());
        let (sender, other_finished) = mpsc::channel();
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        hooks.lock().unwrap().push(Box::new(move || {
            clock.advance(Duration::from_millis(1));
            thread::spawn(move || {
                runtime.block_on(async {
                    other.authorization().await.unwrap();
                    wait_for_background_tasks().await;
                });
                let _ = sender.send(());
            });
            // If this request holds the lock, the other one cannot finish now, and this times out.
            let _ = other_finished.recv_timeout(Duration::from_millis(200));
        }));
        for _ in 1..clock_read {
            hooks.lock().unwrap().push(Box::new(|| {}));
        }
        assert_eq!(auth.authorization().await.unwrap(), bearer("A"));
        wait_for_background_tasks().await;
        assert_eq!(credential.calls(), 2, "{clock_read}");
    }
}

#[test]
fn subscriber_may_request_a_token_while_it_handles_an_event() {
    let credential = first_token_a(HOUR, |_| CallResult::Error);
    let auth = authenticator(&credential);
    let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(auth.authorization()).unwrap();
    credential.clock.advance(58 * MINUTE);

    let results = Arc::new(Mutex::new(Vec::new()));
    let subscriber = TokenRequestingSubscriber { auth: auth.clone(), results: results.clone() };
    // With only one dispatcher in the process, an event whose callsite another thread registers first stays disabled.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    tracing::subscriber::with_default(subscriber, || {
        runtime.block_on(async {
            auth.authorization().await.unwrap();
            wait_for_background_tasks().await;
        });
    });
    assert_eq!(*results.lock().unwrap(), [true]);
}

/// Requests a token on another thread for each event, and records whether it was ready.
struct TokenRequestingSubscriber {
    auth: Authenticator<FhirAudience>,
    results: Arc<Mutex<Vec<bool>>>,
}

impl tracing::Subscriber for TokenRequestingSubscriber {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("azure_healthcare_auth")
    }

    fn event(&self, _: &tracing::Event<'_>) {
        let (auth, (sender, is_ready)) = (self.auth.clone(), mpsc::channel());
        thread::spawn(move || sender.send(poll_once(auth.authorization()).is_some()));
        // Times out only if the test fails.
        self.results.lock().unwrap().push(is_ready.recv_timeout(5 * SECOND) == Ok(true));
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}
    fn enter(&self, _: &tracing::Id) {}
    fn exit(&self, _: &tracing::Id) {}
}
