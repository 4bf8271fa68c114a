//! Concurrent requests share one call per scope, and its token or error.

use azure_healthcare_auth::{DicomAudience, ErrorKind, FhirAudience};

use crate::support::{
    CallResult, HOUR, MINUTE, TASKS, TestClock, TestCredential, authenticator, bearer, count_token,
    spawn_concurrent, spawn_requests, token_valid_for,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_without_cached_token_share_one_call() {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    credential.block_calls();
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    assert_eq!(count_token(&requests.join().await, "A"), TASKS);
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn failed_call_returns_same_error_to_waiters_and_to_requests_during_backoff() {
    let credential = TestCredential::new(|_| CallResult::Error);
    let auth = authenticator(&credential);
    credential.block_calls();
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    let mut errors = Vec::new();
    for result in requests.join().await {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credential);
        assert!(error.to_string().contains("run `az login`; retry in under 1 s"), "{error}");
        errors.push((error.to_string(), error.retry_after()));
    }
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, 0);
    for result in requests.join().await {
        let error = result.unwrap_err();
        errors.push((error.to_string(), error.retry_after()));
    }
    // The clock does not move, so `retry_after` is the same too.
    assert!(errors.iter().all(|error| error.1.is_some() && *error == errors[0]));
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn credential_that_fails_without_waiting_is_called_once() {
    let credential = TestCredential::new(|_| CallResult::Error);
    let auth = authenticator(&credential);
    assert!(spawn_requests(&auth).join().await.iter().all(Result::is_err));
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_with_expired_token_share_one_call() {
    let credential = TestCredential::new(|call| token_valid_for(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.advance(HOUR);
    credential.block_calls();
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    assert_eq!(count_token(&requests.join().await, "token-2"), TASKS);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_with_expired_token_wait_for_refresh_in_flight() {
    let credential = TestCredential::new(|call| token_valid_for(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.block_calls();
    credential.clock.advance(59 * MINUTE);
    assert_eq!(auth.authorization().await.unwrap(), bearer("token-1"));
    credential.wait_for_calls(2).await;
    credential.clock.advance(MINUTE);
    let mut requests = spawn_requests(&auth);
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    assert_eq!(count_token(&requests.join().await, "token-2"), TASKS);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_scope_has_one_call_and_at_most_two_calls_run_concurrently() {
    const SCOPES: usize = 500;
    let credential = TestCredential::new(|call| token_valid_for(call.scope.replace([':', '/'], "-"), HOUR));
    let auth = authenticator(&credential);
    let auths: Vec<_> = (0..SCOPES)
        .map(|number| {
            auth.for_audience(FhirAudience::workspace("contoso", format!("records{number}")).build().unwrap())
        })
        .collect();
    credential.block_calls();
    let mut requests = spawn_concurrent(2 * SCOPES, |number| {
        let auth = auths[number % SCOPES].clone();
        async move { auth.authorization().await }
    });
    assert_eq!(requests.pending_after_first_poll().await, 2 * SCOPES);
    credential.wait_for_calls(2).await;
    credential.unblock_calls();
    for (number, result) in requests.join().await.into_iter().enumerate() {
        let host = format!("contoso-records{}.fhir.azurehealthcareapis.com", number % SCOPES);
        assert_eq!(result.unwrap(), bearer(&format!("https---{host}-.default")));
    }
    assert_eq!((credential.calls(), credential.max_concurrent_calls()), (SCOPES, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dicom_services_share_one_call() {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let fhir = authenticator(&credential);
    credential.block_calls();
    let mut requests = spawn_concurrent(TASKS, |number| {
        let service = format!("imaging{}", number % 500);
        let auth = fhir.for_audience(DicomAudience::workspace("contoso", service).build().unwrap());
        async move { auth.authorization().await }
    });
    assert_eq!(requests.pending_after_first_poll().await, TASKS);
    credential.unblock_calls();
    assert_eq!(count_token(&requests.join().await, "A"), TASKS);
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn invalid_header_value_is_an_error_for_all_waiters_after_one_call() {
    for token in ["canary\nx", "canary\r\n", "canaryé", "canary\u{7f}", "canary canary", ""] {
        let credential = TestCredential::new(move |_| token_valid_for(token, HOUR));
        let auth = authenticator(&credential);
        credential.block_calls();
        let mut requests = spawn_requests(&auth);
        assert_eq!(requests.pending_after_first_poll().await, TASKS);
        credential.unblock_calls();
        for result in requests.join().await {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Credential);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
        assert_eq!(credential.calls(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn expired_token_is_an_error_about_the_clock_for_all_waiters_after_one_call() {
    // Now, one second ago, 1970, 1969 and the year -9999.
    for expires_on in [TestClock::START, TestClock::START - 1, 0, -1, -377_705_116_800] {
        let credential = TestCredential::new(move |_| CallResult::ExpiresOn("canary".to_owned(), expires_on));
        let auth = authenticator(&credential);
        credential.block_calls();
        let mut requests = spawn_requests(&auth);
        assert_eq!(requests.pending_after_first_poll().await, TASKS);
        credential.unblock_calls();
        for result in requests.join().await {
            let error = result.unwrap_err();
            assert!(error.is_transient() && error.to_string().contains("clock"), "{error}");
            assert!(!format!("{error:?}").contains("canary"));
        }
        assert_eq!((credential.calls(), auth.expires_on()), (1, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn same_token_with_later_expiry_is_used_after_one_call() {
    // For example a static key, which the credential reports as valid for another hour each time.
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.advance(HOUR);
    assert_eq!(count_token(&spawn_requests(&auth).join().await, "A"), TASKS);
    assert_eq!(credential.calls(), 2);
}
