//! Contract tests about token fetches: when one starts, which requests share it, and what cancels it.

use super::{
    helpers::{OK, patients, scripted, stack},
    stacks::{Stack, TestRequest},
};
use crate::{
    support::{HOUR, MANY, MINUTE, Scripted, lives, soon, storm},
    wire::{authorizations, count, credential, refusing_the_first, service},
};

pub(super) async fn due_refresh_does_not_delay_request<S: Stack>() {
    let (server, credential) = (service().await, Scripted::new(|call| lives(call.number.to_string(), HOUR)));
    let stack = scripted::<S>(&server, &credential);
    assert_eq!(stack.send(TestRequest::get(patients(&server))).await, OK);
    credential.clock.forward(58 * MINUTE);
    credential.hold();
    assert_eq!(stack.send(TestRequest::get(patients(&server))).await, OK);
    credential.called(2).await;
    assert_eq!(authorizations(&server).await, ["Bearer 1", "Bearer 1"]);
    credential.release();
}

pub(super) async fn concurrent_first_requests_share_one_fetch<S: Stack>() {
    let (server, credential) = (service().await, Scripted::new(|_| lives("A", HOUR)));
    let stack = scripted::<S>(&server, &credential);
    credential.hold();
    let mut all = storm(MANY, |_| {
        let (stack, request) = (stack.clone(), TestRequest::get(patients(&server)));
        async move { stack.send(request).await }
    });
    assert_eq!(all.waiting().await, MANY);
    assert_eq!(count(&server).await, 0);
    credential.release();
    assert!(all.ended().await.iter().all(|outcome| *outcome == OK));
    assert_eq!((credential.calls(), count(&server).await), (1, MANY));
}

pub(super) async fn concurrent_unauthorized_responses_share_one_refresh<S: Stack>() {
    let (server, credential) = (refusing_the_first().await, credential());
    let stack: S = stack(&server, &credential);
    let all = storm(MANY, |_| {
        let (stack, request) = (stack.clone(), TestRequest::get(patients(&server)));
        async move { stack.send(request).await }
    });
    assert!(all.ended().await.iter().all(|outcome| *outcome == OK));
    assert_eq!(credential.calls(), 2);
    assert!(count(&server).await <= 2 * MANY);
}

pub(super) async fn cancelled_request_does_not_cancel_other_waiters<S: Stack>() {
    let (server, credential) = (service().await, Scripted::new(|_| lives("A", HOUR)));
    let stack = scripted::<S>(&server, &credential);
    credential.hold();
    let first = tokio::spawn({
        let (stack, request) = (stack.clone(), TestRequest::get(patients(&server)));
        async move { stack.send(request).await }
    });
    credential.called(1).await;
    let mut others = storm(10, |_| {
        let (stack, request) = (stack.clone(), TestRequest::get(patients(&server)));
        async move { stack.send(request).await }
    });
    assert_eq!(others.waiting().await, 10);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    credential.release();
    assert_eq!(others.ended().await, vec![OK; 10]);
    assert_eq!((credential.calls(), count(&server).await), (1, 10));
}

pub(super) async fn fetch_continues_after_its_request_is_cancelled<S: Stack>() {
    let (server, credential) = (service().await, Scripted::new(|_| lives("A", HOUR)));
    let stack = scripted::<S>(&server, &credential);
    credential.hold();
    let request = TestRequest::get(patients(&server));
    let first = tokio::spawn({
        let (stack, request) = (stack.clone(), request.clone());
        async move { stack.send(request).await }
    });
    credential.called(1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    credential.release();
    assert_eq!(soon("the response", stack.send(request)).await, OK);
    assert_eq!((credential.calls(), count(&server).await), (1, 1));
}
