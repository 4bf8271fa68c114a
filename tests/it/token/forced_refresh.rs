//! A rejected token is replaced by one forced refresh, and other requests use the rejected token until the refresh
//! completes.

use std::{sync::Arc, thread, time::Duration};

use azure_healthcare_auth::{ErrorKind, Result};
use http::HeaderValue;
use tokio::runtime;

use crate::support::{
    Call, CallResult, HOUR, MINUTE, SECOND, TASKS, TestClock, TestCredential, authenticator, bearer,
    count_token, poll_once, spawn_concurrent, spawn_rejections, spawn_requests, token_valid_for,
    wait_for_background_tasks,
};

/// Returns a credential whose ordinary calls return `A`, valid for 24 h, and whose forced calls run a script.
fn forced_script(forced: impl Fn(&Call) -> CallResult + Send + Sync + 'static) -> Arc<TestCredential> {
    TestCredential::new(move |call| if call.forced { forced(call) } else { token_valid_for("A", 24 * HOUR) })
}

#[track_caller]
fn assert_replacements(results: Vec<Result<Option<HeaderValue>>>, expected: Option<&str>) {
    let expected = expected.map(bearer);
    for result in results {
        assert_eq!(result.unwrap(), expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_rejections_share_one_forced_refresh() {
    let credential = forced_script(|_| token_valid_for("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.block_calls();
    let mut rejections = spawn_rejections(&auth, "A");
    assert_eq!(rejections.pending_after_first_poll().await, TASKS);
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, 0);
    assert_eq!(count_token(&requests.join().await, "A"), TASKS);
    credential.unblock_calls();
    assert_replacements(rejections.join().await, Some("B"));
    assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rejections_before_during_and_after_forced_refresh_cause_one_call() {
    let credential = forced_script(|_| token_valid_for("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.block_calls();
    let mut early = spawn_rejections(&auth, "A");
    assert_eq!(early.pending_after_first_poll().await, TASKS);
    let mut during = spawn_rejections(&auth, "A");
    assert_eq!(during.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    let racing = spawn_rejections(&auth, "A");
    for rejections in [early, during, racing] {
        assert_replacements(rejections.join().await, Some("B"));
    }
    credential.block_calls();
    for _ in 0..10 {
        let mut late = spawn_rejections(&auth, "A");
        assert_eq!(late.pending_after_first_poll().await, 0);
        assert_replacements(late.join().await, Some("B"));
        credential.clock.advance(MINUTE);
    }
    assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rejected_token_is_not_used_after_its_replacement_was_used() {
    let credential = forced_script(|_| token_valid_for("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    let tasks = spawn_concurrent(TASKS, |number| {
        let auth = auth.clone();
        async move {
            let (a, b) = (bearer("A"), bearer("B"));
            let mut saw_replacement = false;
            for round in 0..20 {
                if number % 10 == 0 && round == 10 {
                    saw_replacement |= auth.refresh_rejected(&a).await.unwrap() == Some(b.clone());
                }
                let value = auth.authorization().await.unwrap();
                assert!(value == b || (value == a && !saw_replacement));
                saw_replacement |= value == b;
                tokio::task::yield_now().await;
            }
            saw_replacement
        }
    });
    let count = tasks.join().await.into_iter().filter(|saw_replacement| *saw_replacement).count();
    assert!(count >= TASKS / 10);
    assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refresh_is_forced_once_if_credential_returns_same_token() {
    let expires_on = TestClock::START + 24 * 60 * 60;
    let credential = TestCredential::new(move |_| CallResult::ExpiresOn("A".to_owned(), expires_on));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.block_calls();
    let mut rejections = spawn_rejections(&auth, "A");
    assert_eq!(rejections.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    assert_replacements(rejections.join().await, None);
    for _ in 0..23 {
        credential.clock.advance(HOUR);
        let mut rejections = spawn_rejections(&auth, "A");
        assert_eq!(rejections.pending_after_first_poll().await, 0);
        assert_replacements(rejections.join().await, None);
        assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
    }
    assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn failed_forced_refresh_is_reported_only_to_its_waiters_and_allowed_again_after_30_s() {
    for failure in [
        || CallResult::Error,
        || CallResult::Panic,
        || token_valid_for("canary\n", HOUR),
        || CallResult::ExpiresOn("B".to_owned(), 0),
    ] {
        let credential = forced_script(move |_| failure());
        let auth = authenticator(&credential);
        auth.authorization().await.unwrap();
        for calls in 1..=3 {
            credential.block_calls();
            let mut rejections = spawn_rejections(&auth, "A");
            assert_eq!(rejections.pending_after_first_poll().await, TASKS);
            credential.unblock_calls();
            for result in rejections.join().await {
                assert_eq!(result.unwrap_err().kind(), ErrorKind::Credential);
            }
            credential.clock.advance(Duration::from_millis(29_999));
            let mut rejections = spawn_rejections(&auth, "A");
            assert_eq!(rejections.pending_after_first_poll().await, 0);
            assert_replacements(rejections.join().await, None);
            assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
            assert_eq!((credential.calls(), credential.forced_calls()), (1 + calls, calls));
            credential.clock.advance(Duration::from_millis(1));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rejection_within_30_s_of_forced_refresh_does_not_force_another() {
    let credential = forced_script(|call| token_valid_for(format!("B{}", call.number), HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    assert_eq!(auth.refresh_rejected(&bearer("A")).await.unwrap(), Some(bearer("B2")));
    assert_replacements(spawn_rejections(&auth, "B2").join().await, None);
    credential.clock.advance(30 * SECOND);
    assert_replacements(spawn_rejections(&auth, "B2").join().await, Some("B3"));
    assert_eq!((credential.calls(), credential.forced_calls()), (3, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rejection_of_uncached_token_returns_cached_token_immediately() {
    let credential = forced_script(|_| token_valid_for("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.block_calls();
    let mut rejections = spawn_rejections(&auth, "older");
    assert_eq!(rejections.pending_after_first_poll().await, 0);
    assert_replacements(rejections.join().await, Some("A"));
    assert_eq!(poll_once(auth.refresh_rejected(&bearer("older"))).unwrap().unwrap(), Some(bearer("A")));
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rejection_without_cached_token_causes_one_ordinary_call() {
    for (token, expected) in [("older", Some("A")), ("A", None)] {
        let credential = forced_script(|_| token_valid_for("B", HOUR));
        let auth = authenticator(&credential);
        credential.block_calls();
        let mut rejections = spawn_rejections(&auth, token);
        assert_eq!(rejections.pending_after_first_poll().await, TASKS);
        credential.unblock_calls();
        assert_replacements(rejections.join().await, expected);
        assert_eq!((credential.calls(), credential.forced_calls()), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rejection_during_refresh_forces_another_only_if_it_returned_same_token() {
    for (refresh, expected, calls, forced) in [("B", "B", 2, 0), ("A", "C", 3, 1)] {
        let credential = TestCredential::new(move |call| match (call.number, call.forced) {
            (1, _) => token_valid_for("A", HOUR),
            (_, false) => token_valid_for(refresh, 2 * HOUR),
            (_, true) => token_valid_for("C", HOUR),
        });
        let auth = authenticator(&credential);
        auth.authorization().await.unwrap();
        credential.clock.advance(58 * MINUTE);
        credential.block_calls();
        auth.authorization().await.unwrap();
        credential.wait_for_calls(2).await;
        let mut rejections = spawn_rejections(&auth, "A");
        assert_eq!(rejections.pending_after_first_poll().await, TASKS);
        assert_eq!(credential.calls(), 2);
        credential.unblock_calls();
        assert_replacements(rejections.join().await, Some(expected));
        assert_eq!((credential.calls(), credential.forced_calls()), (calls, forced));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_wait_for_forced_refresh_when_token_expires_during_it() {
    let credential = forced_script(|_| token_valid_for("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.block_calls();
    let mut rejections = spawn_rejections(&auth, "A");
    assert_eq!(rejections.pending_after_first_poll().await, TASKS);
    credential.clock.advance(24 * HOUR);
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    assert_eq!(count_token(&requests.join().await, "B"), TASKS);
    assert_replacements(rejections.join().await, Some("B"));
    assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ordinary_refresh_does_not_bring_back_rejected_token() {
    // A credential that caches `A`, and bypasses its cache only for a forced refresh.
    let expires_on = TestClock::START + 24 * 60 * 60;
    let credential = TestCredential::new(move |call| match call.forced {
        true => token_valid_for("B", HOUR),
        false => CallResult::ExpiresOn("A".to_owned(), expires_on),
    });
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    assert_eq!(auth.refresh_rejected(&bearer("A")).await.unwrap(), Some(bearer("B")));
    credential.clock.advance(58 * MINUTE);
    for _ in 0..2 {
        assert_eq!(count_token(&spawn_requests(&auth).join().await, "B"), TASKS);
        wait_for_background_tasks().await;
        assert_eq!(credential.calls(), 3);
    }
}

#[test]
fn forced_refresh_is_restarted_on_another_runtime_if_its_runtime_is_dropped() {
    let credential = forced_script(|_| token_valid_for("B", HOUR));
    let auth = authenticator(&credential);
    let build = || runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let (first, second) = (build(), build());
    first.block_on(auth.authorization()).unwrap();
    credential.block_calls();
    let caller = auth.clone();
    first.spawn(async move { caller.refresh_rejected(&bearer("A")).await });
    first.block_on(credential.wait_for_calls(2));
    let rejections = second.block_on(async {
        let mut rejections = spawn_rejections(&auth, "A");
        assert_eq!(rejections.pending_after_first_poll().await, TASKS);
        rejections
    });
    thread::spawn(|| drop(first)).join().unwrap();
    second.block_on(async {
        credential.wait_for_calls(3).await;
        credential.unblock_calls();
        assert_replacements(rejections.join().await, Some("B"));
    });
    assert_eq!((credential.calls(), credential.forced_calls()), (3, 2));
}
