//! Expiry follows the wall clock, also after suspensions and clock changes.

use std::time::{Duration, SystemTime};

use crate::support::{
    CallResult, HOUR, MINUTE, SECOND, TASKS, TestClock, TestCredential, authenticator, bearer, count_token,
    spawn_requests, token_valid_for, wait_for_background_tasks,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn suspension_past_expiry_causes_one_fetch() {
    let credential = TestCredential::new(|call| token_valid_for(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.advance(9 * HOUR);
    credential.block_calls();
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    assert_eq!(count_token(&requests.join().await, "token-2"), TASKS);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn suspension_during_a_call_past_expiry_is_an_error() {
    let credential = TestCredential::new(|call| match call.number {
        1 => CallResult::ExpiresOn("A".to_owned(), TestClock::START + 60 * 60),
        _ => token_valid_for("B", HOUR),
    });
    let auth = authenticator(&credential);
    credential.block_calls();
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    credential.clock.advance(2 * HOUR);
    credential.unblock_calls();
    for result in requests.join().await {
        let error = result.unwrap_err();
        assert!(error.to_string().contains("expired 3600 s ago (check this machine's clock;"), "{error}");
    }
    credential.clock.advance(SECOND);
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "B"), TASKS);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn token_is_used_again_after_clock_jumped_forward_and_was_corrected() {
    let expires_on = TestClock::START + 60 * 60;
    let credential = TestCredential::new(move |_| CallResult::ExpiresOn("A".to_owned(), expires_on));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.advance(10 * HOUR);
    credential.block_calls();
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    assert!(
        requests.join().await.iter().all(|result| result.as_ref().unwrap_err().to_string().contains("clock"))
    );
    assert_eq!(credential.calls(), 2);
    credential.clock.set_back(10 * HOUR);
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, 0);
    assert_eq!(count_token(&requests.join().await, "A"), TASKS);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clock_set_back_neither_expires_token_nor_delays_refresh() {
    let credential = TestCredential::new(|call| match call.number {
        1 => token_valid_for("A", HOUR),
        2 => CallResult::Error,
        _ => token_valid_for("B", HOUR),
    });
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.advance(58 * MINUTE);
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
    wait_for_background_tasks().await;
    credential.clock.set_back(24 * HOUR);
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
    wait_for_background_tasks().await;
    assert_eq!(credential.calls(), 2);
    // The backoff after the failure does not apply, although its end is in the future of this clock.
    credential.clock.advance(24 * HOUR - MINUTE);
    credential.block_calls();
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, 0);
    assert_eq!(count_token(&requests.join().await, "A"), TASKS);
    credential.unblock_calls();
    wait_for_background_tasks().await;
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "B"), TASKS);
    assert_eq!(credential.calls(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clock_set_back_does_not_extend_backoff() {
    let credential =
        TestCredential::new(
            |call| if call.number == 1 { CallResult::Error } else { token_valid_for("A", HOUR) },
        );
    let auth = authenticator(&credential);
    assert!(spawn_requests(&auth).join().await.iter().all(Result::is_err));
    credential.clock.set_back(HOUR);
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_join_fetch_in_flight_when_clock_moves_into_past_backoff() {
    let credential =
        TestCredential::new(
            |call| if call.number == 1 { CallResult::Error } else { token_valid_for("A", HOUR) },
        );
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap_err();
    credential.block_calls();
    credential.clock.set_back(HOUR);
    let mut before = spawn_requests(&auth);
    assert_eq!(before.pending_after_first_poll().await, TASKS);
    credential.clock.advance(HOUR);
    let mut after = spawn_requests(&auth);
    assert_eq!(after.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    assert_eq!(count_token(&before.join().await, "A"), TASKS);
    assert_eq!(count_token(&after.join().await, "A"), TASKS);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn token_that_expires_in_year_9999_is_used() {
    let credential = TestCredential::new(|_| CallResult::ExpiresOn("A".to_owned(), 253_402_300_799));
    let auth = authenticator(&credential);
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
    credential.clock.advance(1_000 * 365 * 24 * HOUR);
    assert_eq!(auth.authorization().await.unwrap(), bearer("A"));
    assert_eq!(auth.expires_on(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799)));
    assert_eq!(credential.calls(), 1);
}
