//! Of the promises those about a fetch: when it is begun, how many share it, and who may leave it.

use super::{
    OK, patients, scripted,
    stacks::{Sent, Subject},
    subject,
};
use crate::{
    support::{HOUR, MINUTE, TASKS, TestCredential, spawn_concurrent, token_valid_for, with_timeout},
    wire::{authorizations, count, credential, refusing_the_first, service},
};

pub(super) async fn a_refresh_that_is_due_is_begun_and_not_waited_for<S: Subject>() {
    let (server, credential) =
        (service().await, TestCredential::new(|call| token_valid_for(call.number.to_string(), HOUR)));
    let subject = scripted::<S>(&server, &credential);
    assert_eq!(subject.send(Sent::get(patients(&server))).await, OK);
    credential.clock.advance(58 * MINUTE);
    credential.block_calls();
    assert_eq!(subject.send(Sent::get(patients(&server))).await, OK);
    credential.wait_for_calls(2).await;
    assert_eq!(authorizations(&server).await, ["Bearer 1", "Bearer 1"]);
    credential.unblock_calls();
}

pub(super) async fn a_thousand_who_come_first_make_one_call<S: Subject>() {
    let (server, credential) = (service().await, TestCredential::new(|_| token_valid_for("A", HOUR)));
    let subject = scripted::<S>(&server, &credential);
    credential.block_calls();
    let mut all = spawn_concurrent(TASKS, |_| {
        let (subject, request) = (subject.clone(), Sent::get(patients(&server)));
        async move { subject.send(request).await }
    });
    assert_eq!(all.pending_after_first_poll().await, TASKS);
    assert_eq!(count(&server).await, 0);
    credential.unblock_calls();
    assert!(all.join().await.iter().all(|outcome| *outcome == OK));
    assert_eq!((credential.calls(), count(&server).await), (1, TASKS));
}

pub(super) async fn a_thousand_who_are_refused_make_one_more<S: Subject>() {
    let (server, tokens) = (refusing_the_first().await, credential());
    let subject: S = subject(&server, &tokens);
    let all = spawn_concurrent(TASKS, |_| {
        let (subject, request) = (subject.clone(), Sent::get(patients(&server)));
        async move { subject.send(request).await }
    });
    assert!(all.join().await.iter().all(|outcome| *outcome == OK));
    assert_eq!(tokens.calls(), 2);
    assert!(count(&server).await <= 2 * TASKS);
}

pub(super) async fn who_is_cancelled_cancels_nobody_else<S: Subject>() {
    let (server, credential) = (service().await, TestCredential::new(|_| token_valid_for("A", HOUR)));
    let subject = scripted::<S>(&server, &credential);
    credential.block_calls();
    let send = || {
        let (subject, request) = (subject.clone(), Sent::get(patients(&server)));
        tokio::spawn(async move { subject.send(request).await })
    };
    let first = send();
    credential.wait_for_calls(1).await;
    let mut others = spawn_concurrent(10, |_| {
        let (subject, request) = (subject.clone(), Sent::get(patients(&server)));
        async move { subject.send(request).await }
    });
    assert_eq!(others.pending_after_first_poll().await, 10);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    credential.unblock_calls();
    assert_eq!(others.join().await, vec![OK; 10]);
    assert_eq!((credential.calls(), count(&server).await), (1, 10));
}

pub(super) async fn a_fetch_goes_on_without_who_began_it<S: Subject>() {
    let (server, credential) = (service().await, TestCredential::new(|_| token_valid_for("A", HOUR)));
    let subject = scripted::<S>(&server, &credential);
    credential.block_calls();
    let request = Sent::get(patients(&server));
    let first = tokio::spawn({
        let (subject, request) = (subject.clone(), request.clone());
        async move { subject.send(request).await }
    });
    credential.wait_for_calls(1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    credential.unblock_calls();
    assert_eq!(with_timeout("the answer", subject.send(request)).await, OK);
    assert_eq!((credential.calls(), count(&server).await), (1, 1));
}
