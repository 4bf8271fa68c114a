//! Waiters on other runtimes get a token, and later requests work, if the runtime of a fetch ends. A cached token needs
//! no runtime.

use std::{
    panic::resume_unwind,
    sync::{Arc, LazyLock, mpsc},
    thread,
};

use azure_healthcare_auth::{Authenticator, ErrorKind, FhirAudience};
use tokio::runtime::{Builder, Runtime};

use crate::support::{
    HOUR, MINUTE, SECOND, TASKS, TestCredential, authenticator, bearer, count_token, poll_once,
    spawn_requests, token_valid_for, wait_for_background_tasks,
};

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn waiters_on_another_runtime_fetch_once_if_multi_thread_runtime_is_dropped() {
    assert_waiters_fetch_once(multi_thread(), drop);
}

#[test]
fn waiters_on_another_runtime_fetch_once_if_current_thread_runtime_is_dropped() {
    assert_waiters_fetch_once(current_thread(), drop);
}

#[test]
fn waiters_on_another_runtime_fetch_once_if_runtime_shuts_down_in_background() {
    assert_waiters_fetch_once(multi_thread(), Runtime::shutdown_background);
}

#[test]
fn waiters_on_another_runtime_fetch_once_if_runtime_is_dropped_by_a_panic() {
    assert_waiters_fetch_once(current_thread(), |_first| {
        // Unlike `panic!`, this does not call the panic hook, which would print.
        resume_unwind(Box::new("panic of the thread that owns the runtime"))
    });
}

/// Ends the runtime of a fetch while requests on another runtime wait for it.
fn assert_waiters_fetch_once(first: Runtime, end: impl FnOnce(Runtime) + Send + 'static) {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    credential.block_calls();
    let caller = auth.clone();
    first.spawn(async move { caller.authorization().await });
    first.block_on(credential.wait_for_calls(1));
    let second = multi_thread();
    let requests = second.block_on(async {
        let mut requests = spawn_requests(&auth);
        assert_eq!(requests.pending_after_first_poll().await, TASKS);
        requests
    });
    let _may_panic = thread::spawn(|| end(first)).join();
    second.block_on(async {
        credential.wait_for_calls(2).await;
        credential.unblock_calls();
        assert_eq!(count_token(&requests.join().await, "A"), TASKS);
    });
    assert_eq!(credential.calls(), 2);
}

#[test]
fn next_request_fetches_after_runtime_was_dropped_without_waiters() {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    credential.block_calls();
    let first = current_thread();
    let caller = auth.clone();
    first.spawn(async move { caller.authorization().await });
    first.block_on(credential.wait_for_calls(1));
    drop(first);
    assert_eq!(credential.running_calls(), 0);
    credential.unblock_calls();
    assert_eq!(current_thread().block_on(auth.authorization()).unwrap(), bearer("A"));
    assert_eq!(credential.calls(), 2);
}

#[test]
fn next_request_refreshes_after_runtime_was_dropped_during_refresh() {
    let credential = TestCredential::new(|call| token_valid_for(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);
    let first = multi_thread();
    first.block_on(auth.authorization()).unwrap();
    credential.clock.advance(58 * MINUTE);
    credential.block_calls();
    first.block_on(async {
        auth.authorization().await.unwrap();
        credential.wait_for_calls(2).await;
    });
    drop(first);
    credential.unblock_calls();
    assert_eq!(poll_once(auth.authorization()).unwrap().unwrap(), bearer("token-1"));
    current_thread().block_on(async {
        assert_eq!(auth.authorization().await.unwrap(), bearer("token-1"));
        wait_for_background_tasks().await;
        assert_eq!(auth.authorization().await.unwrap(), bearer("token-3"));
    });
    assert_eq!(credential.calls(), 3);
}

#[test]
fn fetch_on_runtime_that_was_shut_down_is_an_error_and_refresh_is_left_to_next_request() {
    let credential = TestCredential::new(|call| token_valid_for(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);
    let runtime = multi_thread();
    let handle = runtime.handle().clone();
    drop(runtime);

    let (caller, shut_down) = (auth.clone(), handle.clone());
    run_with_timeout(move || {
        let _entered = shut_down.enter();
        // The runtime drops the task while it is spawned. That must not deadlock on the lock of the cache entry.
        for _ in 0..3 {
            let error = poll_once(caller.authorization()).unwrap().unwrap_err();
            assert_eq!((error.kind(), error.retry_after()), (ErrorKind::NoRuntime, None));
        }
    });
    assert_eq!(credential.calls(), 0);
    assert_eq!(current_thread().block_on(auth.authorization()).unwrap(), bearer("token-1"));

    credential.clock.advance(58 * MINUTE);
    let caller = auth.clone();
    run_with_timeout(move || {
        let _entered = handle.enter();
        for _ in 0..3 {
            assert_eq!(poll_once(caller.authorization()).unwrap().unwrap(), bearer("token-1"));
        }
    });
    assert_eq!(credential.calls(), 1);
    current_thread().block_on(async {
        auth.authorization().await.unwrap();
        wait_for_background_tasks().await;
    });
    assert_eq!(poll_once(auth.authorization()).unwrap().unwrap(), bearer("token-2"));
}

/// Runs a closure on its own thread, so that a deadlock fails the test.
fn run_with_timeout(closure: impl FnOnce() + Send + 'static) {
    let (sender, finished) = mpsc::channel();
    thread::spawn(move || {
        closure();
        let _ = sender.send(());
    });
    finished.recv_timeout(20 * SECOND).expect("the closure returns without a panic within 20 s");
}

#[test]
fn fetch_outside_a_runtime_is_an_error_and_next_request_fetches() {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    for _ in 0..2 {
        let error = poll_once(auth.authorization()).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::NoRuntime, None));
        let error = poll_once(auth.refresh_rejected(&bearer("A"))).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoRuntime);
    }
    assert_eq!(credential.calls(), 0);
    assert_eq!(current_thread().block_on(auth.authorization()).unwrap(), bearer("A"));
    assert_eq!(poll_once(auth.authorization()).unwrap().unwrap(), bearer("A"));
    assert_eq!(credential.calls(), 1);
}

#[test]
fn waiting_for_a_fetch_needs_no_runtime() {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    credential.block_calls();
    let runtime = multi_thread();
    let caller = auth.clone();
    let first = runtime.spawn(async move { caller.authorization().await });
    runtime.block_on(credential.wait_for_calls(1));
    let mut waiter = Box::pin(auth.authorization());
    assert!(poll_once(&mut waiter).is_none());
    credential.unblock_calls();
    assert_eq!(runtime.block_on(first).unwrap().unwrap(), bearer("A"));
    assert_eq!(poll_once(&mut waiter).unwrap().unwrap(), bearer("A"));
}

static SHARED: LazyLock<(Arc<TestCredential>, Authenticator<FhirAudience>)> = LazyLock::new(|| {
    let credential = TestCredential::new(|_| token_valid_for("A", HOUR));
    let auth = authenticator(&credential);
    (credential, auth)
});

#[test]
fn authenticator_in_a_static_works_on_successive_runtimes_and_without_one() {
    let (credential, auth) = &*SHARED;
    for runtime in [current_thread(), multi_thread(), current_thread()] {
        assert_eq!(runtime.block_on(auth.authorization()).unwrap(), bearer("A"));
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(poll_once(auth.authorization()).unwrap().unwrap(), bearer("A")));
        }
    });
    assert_eq!(credential.calls(), 1);
}
