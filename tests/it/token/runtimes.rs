//! Whatever happens to the runtime of a fetch, those who wait on another get the token, and the next request finds the
//! authenticator usable: on any runtime, and without one as long as there is a token.

use std::{
    panic::resume_unwind,
    sync::{Arc, LazyLock, mpsc},
    thread,
};

use crate::support::{
    HOUR, MANY, MINUTE, SECOND, Scripted, at_once, authenticator, bearer, count, lives, quiet, requests,
};
use azure_healthcare_auth::{Authenticator, ErrorKind, FhirAudience};
use tokio::runtime::{Builder, Runtime};

fn many_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

#[test]
fn a_runtime_of_many_threads_is_dropped_and_those_who_wait_on_another_fetch_once() {
    another_runtime_goes_on(many_threads(), drop);
}

#[test]
fn a_runtime_of_one_thread_is_dropped_and_those_who_wait_on_another_fetch_once() {
    another_runtime_goes_on(one_thread(), drop);
}

#[test]
fn a_runtime_is_shut_down_in_the_background_and_those_who_wait_on_another_fetch_once() {
    another_runtime_goes_on(many_threads(), Runtime::shutdown_background);
}

#[test]
fn a_runtime_is_dropped_by_the_panic_of_its_owner_and_those_who_wait_on_another_fetch_once() {
    another_runtime_goes_on(one_thread(), |_first| {
        // Without the hook, which would print.
        resume_unwind(Box::new("of the owner, not of the credential"))
    });
}

/// A fetch begins on the first runtime, many wait for it on a second, and the first comes to its end.
fn another_runtime_goes_on(first: Runtime, end: impl FnOnce(Runtime) + Send + 'static) {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    credential.hold();
    let caller = auth.clone();
    first.spawn(async move { caller.authorization().await });
    first.block_on(credential.called(1));
    let second = many_threads();
    let all = second.block_on(async {
        let mut all = requests(&auth);
        assert_eq!(all.waiting().await, MANY);
        all
    });
    let _may_panic = thread::spawn(|| end(first)).join();
    second.block_on(async {
        credential.called(2).await;
        credential.release();
        assert_eq!(count(&all.ended().await, "A"), MANY);
    });
    assert_eq!(credential.calls(), 2);
}

#[test]
fn a_runtime_is_dropped_with_nobody_waiting_and_the_next_fetches() {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    credential.hold();
    let first = one_thread();
    let caller = auth.clone();
    first.spawn(async move { caller.authorization().await });
    first.block_on(credential.called(1));
    drop(first);
    assert_eq!(credential.under_way(), 0);
    credential.release();
    assert_eq!(one_thread().block_on(auth.authorization()).unwrap(), bearer("A"));
    assert_eq!(credential.calls(), 2);
}

#[test]
fn a_runtime_is_dropped_during_a_refresh_and_the_token_is_served_on_and_refreshed_by_the_next() {
    let credential = Scripted::new(|call| lives(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);
    let first = many_threads();
    first.block_on(auth.authorization()).unwrap();
    credential.clock.forward(58 * MINUTE);
    credential.hold();
    first.block_on(async {
        auth.authorization().await.unwrap();
        credential.called(2).await;
    });
    drop(first);
    credential.release();
    assert_eq!(at_once(auth.authorization()).unwrap().unwrap(), bearer("token-1"));
    one_thread().block_on(async {
        assert_eq!(auth.authorization().await.unwrap(), bearer("token-1"));
        quiet().await;
        assert_eq!(auth.authorization().await.unwrap(), bearer("token-3"));
    });
    assert_eq!(credential.calls(), 3);
}

#[test]
fn on_a_runtime_that_is_already_shut_down_a_fetch_is_an_error_and_a_refresh_is_left_to_the_next() {
    let credential = Scripted::new(|call| lives(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);
    let runtime = many_threads();
    let handle = runtime.handle().clone();
    drop(runtime);

    let (caller, shut_down) = (auth.clone(), handle.clone());
    in_time(move || {
        let _entered = shut_down.enter();
        // The task is dropped as it is begun: it must not find the lock that it needs taken by who begins it.
        for _ in 0..3 {
            let error = at_once(caller.authorization()).unwrap().unwrap_err();
            assert_eq!((error.kind(), error.retry_after()), (ErrorKind::NoRuntime, None));
        }
    });
    assert_eq!(credential.calls(), 0);
    assert_eq!(one_thread().block_on(auth.authorization()).unwrap(), bearer("token-1"));

    credential.clock.forward(58 * MINUTE);
    let caller = auth.clone();
    in_time(move || {
        let _entered = handle.enter();
        for _ in 0..3 {
            assert_eq!(at_once(caller.authorization()).unwrap().unwrap(), bearer("token-1"));
        }
    });
    assert_eq!(credential.calls(), 1);
    one_thread().block_on(async {
        auth.authorization().await.unwrap();
        quiet().await;
    });
    assert_eq!(at_once(auth.authorization()).unwrap().unwrap(), bearer("token-2"));
}

/// Runs on a thread of its own, so that what would lock for ever fails instead.
fn in_time(run: impl FnOnce() + Send + 'static) {
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || {
        run();
        let _ = sender.send(());
    });
    ended.recv_timeout(20 * SECOND).expect("ended well, and in time");
}

#[test]
fn outside_a_runtime_a_token_that_has_to_be_fetched_is_an_error_and_the_next_fetches() {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    for _ in 0..2 {
        let error = at_once(auth.authorization()).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.retry_after()), (ErrorKind::NoRuntime, None));
        let error = at_once(auth.refresh_rejected(&bearer("A"))).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoRuntime);
    }
    assert_eq!(credential.calls(), 0);
    assert_eq!(one_thread().block_on(auth.authorization()).unwrap(), bearer("A"));
    assert_eq!(at_once(auth.authorization()).unwrap().unwrap(), bearer("A"));
    assert_eq!(credential.calls(), 1);
}

#[test]
fn a_request_that_waits_needs_no_runtime_where_the_fetch_has_one() {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    credential.hold();
    let runtime = many_threads();
    let caller = auth.clone();
    let first = runtime.spawn(async move { caller.authorization().await });
    runtime.block_on(credential.called(1));
    let mut waits = Box::pin(auth.authorization());
    assert!(at_once(&mut waits).is_none());
    credential.release();
    assert_eq!(runtime.block_on(first).unwrap().unwrap(), bearer("A"));
    assert_eq!(at_once(&mut waits).unwrap().unwrap(), bearer("A"));
}

static SHARED: LazyLock<(Arc<Scripted>, Authenticator<FhirAudience>)> = LazyLock::new(|| {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    (credential, auth)
});

#[test]
fn an_authenticator_in_a_static_serves_one_runtime_after_another_and_threads_without() {
    let (credential, auth) = &*SHARED;
    for runtime in [one_thread(), many_threads(), one_thread()] {
        assert_eq!(runtime.block_on(auth.authorization()).unwrap(), bearer("A"));
    }
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(at_once(auth.authorization()).unwrap().unwrap(), bearer("A")));
        }
    });
    assert_eq!(credential.calls(), 1);
}
