//! Contract tests about token fetches: when one starts, which requests share it, and what cancels it.

use super::{
    helpers::{OK, patients, scripted, stack},
    stacks::{Stack, TestRequest},
};
use crate::{
    support::{HOUR, MINUTE, TASKS, TestCredential, spawn_concurrent, token_valid_for, with_timeout},
    wire::{authorizations, count, credential, rejecting_first_token, service},
};

pub(super) async fn due_refresh_does_not_delay_request<S: Stack>() {
    let (server, credential) =
        (service().await, TestCredential::new(|call| token_valid_for(call.number.to_string(), HOUR)));
    let stack = scripted::<S>(&server, &credential);
    assert_eq!(stack.send(TestRequest::get(patients(&server))).await, OK);
    credential.clock.advance(58 * MINUTE);
    credential.block_calls();
    assert_eq!(stack.send(TestRequest::get(patients(&server))).await, OK);
    credential.wait_for_calls(2).await;
    assert_eq!(authorizations(&server).await, ["Bearer 1", "Bearer 1"]);
    credential.unblock_calls();
}

pub(super) async fn concurrent_first_requests_share_one_fetch<S: Stack>() {
    let (server, credential) = (service().await, TestCredential::new(|_| token_valid_for("A", HOUR)));
    let stack = scripted::<S>(&server, &credential);
    credential.block_calls();
    let mut all = spawn_concurrent(TASKS, |_| {
        let (stack, request) = (stack.clone(), TestRequest::get(patients(&server)));
        async move { stack.send(request).await }
    });
    assert_eq!(all.pending_after_first_poll().await, TASKS);
    assert_eq!(count(&server).await, 0);
    credential.unblock_calls();
    assert!(all.join().await.iter().all(|outcome| *outcome == OK));
    assert_eq!((credential.calls(), count(&server).await), (1, TASKS));
}

pub(super) async fn concurrent_unauthorized_responses_share_one_refresh<S: Stack>() {
    let (server, credential) = (rejecting_first_token().await, credential());
    let stack: S = stack(&server, &credential);
    let all = spawn_concurrent(TASKS, |_| {
        let (stack, request) = (stack.clone(), TestRequest::get(patients(&server)));
        async move { stack.send(request).await }
    });
    assert!(all.join().await.iter().all(|outcome| *outcome == OK));
    assert_eq!(credential.calls(), 2);
    assert!(count(&server).await <= 2 * TASKS);
}

pub(super) async fn cancelled_request_does_not_cancel_other_waiters<S: Stack>() {
    let (server, credential) = (service().await, TestCredential::new(|_| token_valid_for("A", HOUR)));
    let stack = scripted::<S>(&server, &credential);
    credential.block_calls();
    let first = tokio::spawn({
        let (stack, request) = (stack.clone(), TestRequest::get(patients(&server)));
        async move { stack.send(request).await }
    });
    credential.wait_for_calls(1).await;
    let mut others = spawn_concurrent(10, |_| {
        let (stack, request) = (stack.clone(), TestRequest::get(patients(&server)));
        async move { stack.send(request).await }
    });
    assert_eq!(others.pending_after_first_poll().await, 10);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    credential.unblock_calls();
    assert_eq!(others.join().await, vec![OK; 10]);
    assert_eq!((credential.calls(), count(&server).await), (1, 10));
}

pub(super) async fn fetch_continues_after_its_request_is_cancelled<S: Stack>() {
    let (server, credential) = (service().await, TestCredential::new(|_| token_valid_for("A", HOUR)));
    let stack = scripted::<S>(&server, &credential);
    credential.block_calls();
    let request = TestRequest::get(patients(&server));
    let first = tokio::spawn({
        let (stack, request) = (stack.clone(), request.clone());
        async move { stack.send(request).await }
    });
    credential.wait_for_calls(1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    credential.unblock_calls();
    assert_eq!(with_timeout("the response", stack.send(request)).await, OK);
    assert_eq!((credential.calls(), count(&server).await), (1, 1));
}
