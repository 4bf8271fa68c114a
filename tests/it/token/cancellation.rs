//! Waiters get a result, and later requests work, if a caller is canceled or the credential panics or hangs.

use std::time::Duration;

use azure_healthcare_auth::{Authenticator, ErrorKind, FhirAudience};
use tokio::time::Instant;

use crate::support::{
    CallResult, HOUR, MINUTE, SECOND, TASKS, TestCredential, authenticator, bearer, count_token, fhir,
    poll_once, spawn_requests, token_valid_for, wait_for_background_tasks,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn canceled_first_caller_does_not_cancel_the_fetch_of_other_waiters() {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    credential.block_calls();
    let caller = auth.clone();
    let first = tokio::spawn(async move { caller.authorization().await });
    credential.wait_for_calls(1).await;
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    credential.unblock_calls();
    assert_eq!(count_token(&requests.join().await, "A"), TASKS);
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn token_is_cached_even_if_all_callers_are_canceled() {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    credential.block_calls();
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    requests.abort();
    credential.unblock_calls();
    wait_for_background_tasks().await;
    assert_eq!(poll_once(auth.authorization()).unwrap().unwrap(), bearer("A"));
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn panicking_credential_is_an_error_for_all_waiters_and_is_retried_after_backoff() {
    let credential =
        TestCredential::new(
            |call| if call.number == 1 { CallResult::Panic } else { token_valid_for("A", HOUR) },
        );
    let auth = authenticator(&credential);
    credential.block_calls();
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    for result in requests.join().await {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credential);
        assert!(error.to_string().contains("panicked") && error.retry_after().is_some(), "{error}");
    }
    assert_eq!((credential.calls(), credential.running_calls()), (1, 0));
    credential.clock.advance(SECOND);
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hanging_credential_times_out_for_all_waiters_and_is_retried_after_backoff() {
    let credential =
        TestCredential::new(
            |call| if call.number == 1 { CallResult::Hang } else { token_valid_for("A", HOUR) },
        );
    let clock = credential.clock.clone();
    let auth = Authenticator::builder(fhir(), credential.clone())
        .token_timeout(Duration::from_millis(20))
        .clock(move || clock.now())
        .build();
    for result in spawn_requests(&auth).join().await {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.is_transient() && error.retry_after().is_some());
    }
    assert_eq!((credential.calls(), credential.running_calls()), (1, 0));
    credential.clock.advance(SECOND);
    let auth = auth.for_audience(fhir());
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
    assert_eq!(credential.calls(), 2);
}

// Tokio's paused clock advances when all tasks wait.
#[tokio::test(start_paused = true)]
async fn token_timeout_does_not_include_wait_for_permit() {
    let credential = TestCredential::new(|call| match call.scope.contains("hangs") {
        true => CallResult::Hang,
        false => token_valid_for("A", HOUR),
    });
    let auth = authenticator(&credential);
    let start = Instant::now();
    let hanging = ["hangs-1", "hangs-2", "hangs-3", "hangs-4"].map(|service| {
        let auth = auth.for_audience(FhirAudience::workspace("contoso", service).build().unwrap());
        tokio::spawn(async move { (auth.authorization().await.unwrap_err().kind(), Instant::now()) })
    });
    credential.wait_for_calls(2).await;
    assert_eq!(auth.authorization().await.unwrap(), bearer("A"));
    assert!((start + 2 * MINUTE..start + 2 * MINUTE + SECOND).contains(&Instant::now()));
    for (call, minutes) in hanging.into_iter().zip([1, 1, 2, 2]) {
        let (kind, end) = call.await.unwrap();
        assert_eq!(kind, ErrorKind::Timeout);
        assert!((start + minutes * MINUTE..start + minutes * MINUTE + SECOND).contains(&end));
    }
    assert_eq!((credential.calls(), credential.max_concurrent_calls()), (5, 2));
}
