//! Of the promises those about a fetch: when it is begun, how many share it, and who may leave it.

use super::{
    OK, patients, scripted,
    stacks::{Sent, Subject},
    subject,
};
use crate::{
    support::{HOUR, MANY, MINUTE, Scripted, lives, soon, storm},
    wire::{authorizations, count, credential, refusing_the_first, service},
};

pub(super) async fn a_refresh_that_is_due_is_begun_and_not_waited_for<S: Subject>() {
    let (server, credential) = (service().await, Scripted::new(|call| lives(call.number.to_string(), HOUR)));
    let subject = scripted::<S>(&server, &credential);
    assert_eq!(subject.send(Sent::get(patients(&server))).await, OK);
    credential.clock.forward(58 * MINUTE);
    credential.hold();
    assert_eq!(subject.send(Sent::get(patients(&server))).await, OK);
    credential.called(2).await;
    assert_eq!(authorizations(&server).await, ["Bearer 1", "Bearer 1"]);
    credential.release();
}

pub(super) async fn a_thousand_who_come_first_make_one_call<S: Subject>() {
    let (server, credential) = (service().await, Scripted::new(|_| lives("A", HOUR)));
    let subject = scripted::<S>(&server, &credential);
    credential.hold();
    let mut all = storm(MANY, |_| {
        let (subject, request) = (subject.clone(), Sent::get(patients(&server)));
        async move { subject.send(request).await }
    });
    assert_eq!(all.waiting().await, MANY);
    assert_eq!(count(&server).await, 0);
    credential.release();
    assert!(all.ended().await.iter().all(|outcome| *outcome == OK));
    assert_eq!((credential.calls(), count(&server).await), (1, MANY));
}

pub(super) async fn a_thousand_who_are_refused_make_one_more<S: Subject>() {
    let (server, tokens) = (refusing_the_first().await, credential());
    let subject: S = subject(&server, &tokens);
    let all = storm(MANY, |_| {
        let (subject, request) = (subject.clone(), Sent::get(patients(&server)));
        async move { subject.send(request).await }
    });
    assert!(all.ended().await.iter().all(|outcome| *outcome == OK));
    assert_eq!(tokens.calls(), 2);
    assert!(count(&server).await <= 2 * MANY);
}

pub(super) async fn who_is_cancelled_cancels_nobody_else<S: Subject>() {
    let (server, credential) = (service().await, Scripted::new(|_| lives("A", HOUR)));
    let subject = scripted::<S>(&server, &credential);
    credential.hold();
    let send = || {
        let (subject, request) = (subject.clone(), Sent::get(patients(&server)));
        tokio::spawn(async move { subject.send(request).await })
    };
    let first = send();
    credential.called(1).await;
    let mut others = storm(10, |_| {
        let (subject, request) = (subject.clone(), Sent::get(patients(&server)));
        async move { subject.send(request).await }
    });
    assert_eq!(others.waiting().await, 10);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    credential.release();
    assert_eq!(others.ended().await, vec![OK; 10]);
    assert_eq!((credential.calls(), count(&server).await), (1, 10));
}

pub(super) async fn a_fetch_goes_on_without_who_began_it<S: Subject>() {
    let (server, credential) = (service().await, Scripted::new(|_| lives("A", HOUR)));
    let subject = scripted::<S>(&server, &credential);
    credential.hold();
    let request = Sent::get(patients(&server));
    let first = tokio::spawn({
        let (subject, request) = (subject.clone(), request.clone());
        async move { subject.send(request).await }
    });
    credential.called(1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    credential.release();
    assert_eq!(soon("the answer", subject.send(request)).await, OK);
    assert_eq!((credential.calls(), count(&server).await), (1, 1));
}
