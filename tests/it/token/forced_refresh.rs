//! A token that the service refuses is renewed by one forced call, and stays in service for everybody else until then.

use std::{sync::Arc, thread, time::Duration};

use crate::support::{
    Answer, Call, HOUR, MANY, MINUTE, SECOND, Scripted, at_once, authenticator, bearer, count, lives, quiet,
    refusals, requests, storm,
};
use azure_healthcare_auth::Result;
use http::HeaderValue;
use tokio::runtime;

/// A token `A` for 24 h at first, and what the script says for a forced call.
fn after_a(forced: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Arc<Scripted> {
    Scripted::new(move |call| if call.forced { forced(call) } else { lives("A", 24 * HOUR) })
}

fn others(outcomes: Vec<Result<Option<HeaderValue>>>) -> Vec<Option<HeaderValue>> {
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(|error| panic!("{error}"))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_who_saw_the_refusal_get_the_new_token_of_one_forced_call() {
    let credential = after_a(|_| lives("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.hold();
    let mut refused = refusals(&auth, "A");
    assert_eq!(refused.waiting().await, MANY);
    let mut others_at_work = requests(&auth);
    assert_eq!(others_at_work.waiting().await, 0);
    assert_eq!(count(&others_at_work.ended().await, "A"), MANY);
    credential.release();
    assert!(others(refused.ended().await).iter().all(|other| *other == Some(bearer("B"))));
    assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refusals_that_trickle_in_before_during_and_after_make_one_forced_call() {
    let credential = after_a(|_| lives("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.hold();
    let mut early = refusals(&auth, "A");
    assert_eq!(early.waiting().await, MANY);
    let mut during = refusals(&auth, "A");
    assert_eq!(during.waiting().await, MANY);
    credential.release();
    let racing = refusals(&auth, "A");
    for refused in [early, during, racing] {
        assert!(others(refused.ended().await).iter().all(|other| *other == Some(bearer("B"))));
    }
    credential.hold();
    for _ in 0..10 {
        let mut late = refusals(&auth, "A");
        assert_eq!(late.waiting().await, 0);
        assert!(others(late.ended().await).iter().all(|other| *other == Some(bearer("B"))));
        credential.clock.forward(MINUTE);
    }
    assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_is_served_the_refused_token_after_somebody_was_served_the_new_one() {
    let credential = after_a(|_| lives("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    let at_work = storm(MANY, |number| {
        let auth = auth.clone();
        async move {
            let (a, b) = (bearer("A"), bearer("B"));
            let mut replaced = false;
            for turn in 0..20 {
                if number % 10 == 0 && turn == 10 {
                    replaced |= auth.refresh_rejected(&a).await.unwrap() == Some(b.clone());
                }
                let served = auth.authorization().await.unwrap();
                assert!(served == b || (served == a && !replaced));
                replaced |= served == b;
                tokio::task::yield_now().await;
            }
            replaced
        }
    });
    let replaced = at_work.ended().await.into_iter().filter(|replaced| *replaced).count();
    assert!(replaced >= MANY / 10);
    assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_credential_that_keeps_its_token_for_hours_is_forced_once() {
    let end = 1_800_000_000 + 24 * 60 * 60;
    let credential = Scripted::new(move |_| Answer::Token("A".to_owned(), end));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.hold();
    let mut refused = refusals(&auth, "A");
    assert_eq!(refused.waiting().await, MANY);
    credential.release();
    assert!(others(refused.ended().await).iter().all(Option::is_none));
    for _ in 0..23 {
        credential.clock.forward(HOUR);
        let mut refused = refusals(&auth, "A");
        assert_eq!(refused.waiting().await, 0);
        assert!(others(refused.ended().await).iter().all(Option::is_none));
        assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
    }
    assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_forced_call_that_fails_is_nobody_elses_error_and_is_repeated_after_30_s() {
    for fails in
        [|| Answer::Error, || Answer::Panic, || lives("canary\n", HOUR), || Answer::Token("B".to_owned(), 0)]
    {
        let credential = after_a(move |_| fails());
        let auth = authenticator(&credential);
        auth.authorization().await.unwrap();
        for calls in 1..=3 {
            credential.hold();
            let mut refused = refusals(&auth, "A");
            assert_eq!(refused.waiting().await, MANY);
            credential.release();
            assert!(others(refused.ended().await).iter().all(Option::is_none));
            credential.clock.forward(Duration::from_millis(29_999));
            let mut refused = refusals(&auth, "A");
            assert_eq!(refused.waiting().await, 0);
            assert!(others(refused.ended().await).iter().all(Option::is_none));
            assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
            assert_eq!((credential.calls(), credential.forced_calls()), (1 + calls, calls));
            credential.clock.forward(Duration::from_millis(1));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_new_token_that_is_refused_within_30_s_is_not_forced() {
    let credential = after_a(|call| lives(format!("B{}", call.number), HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    assert_eq!(auth.refresh_rejected(&bearer("A")).await.unwrap(), Some(bearer("B2")));
    assert!(others(refusals(&auth, "B2").ended().await).iter().all(Option::is_none));
    credential.clock.forward(30 * SECOND);
    assert!(others(refusals(&auth, "B2").ended().await).iter().all(|other| *other == Some(bearer("B3"))));
    assert_eq!((credential.calls(), credential.forced_calls()), (3, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refused_token_that_is_not_held_is_answered_with_the_held_one_at_once() {
    let credential = after_a(|_| lives("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.hold();
    let mut refused = refusals(&auth, "older");
    assert_eq!(refused.waiting().await, 0);
    assert!(others(refused.ended().await).iter().all(|other| *other == Some(bearer("A"))));
    assert_eq!(at_once(auth.refresh_rejected(&bearer("older"))).unwrap().unwrap(), Some(bearer("A")));
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refusal_with_no_token_held_is_one_ordinary_call() {
    for (token, found) in [("older", Some(bearer("A"))), ("A", None)] {
        let credential = after_a(|_| lives("B", HOUR));
        let auth = authenticator(&credential);
        credential.hold();
        let mut refused = refusals(&auth, token);
        assert_eq!(refused.waiting().await, MANY);
        credential.release();
        assert!(others(refused.ended().await).iter().all(|other| *other == found));
        assert_eq!((credential.calls(), credential.forced_calls()), (1, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refusal_during_a_refresh_waits_for_that_and_forces_a_call_only_if_it_brought_nothing() {
    for (refresh, found, calls, forced) in [("B", "B", 2, 0), ("A", "C", 3, 1)] {
        let credential = Scripted::new(move |call| match (call.number, call.forced) {
            (1, _) => lives("A", HOUR),
            (_, false) => lives(refresh, 2 * HOUR),
            (_, true) => lives("C", HOUR),
        });
        let auth = authenticator(&credential);
        auth.authorization().await.unwrap();
        credential.clock.forward(58 * MINUTE);
        credential.hold();
        auth.authorization().await.unwrap();
        credential.called(2).await;
        let mut refused = refusals(&auth, "A");
        assert_eq!(refused.waiting().await, MANY);
        assert_eq!(credential.calls(), 2);
        credential.release();
        assert!(others(refused.ended().await).iter().all(|other| *other == Some(bearer(found))));
        assert_eq!((credential.calls(), credential.forced_calls()), (calls, forced));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_that_ends_while_it_is_renewed_is_fetched_by_that_call() {
    let credential = after_a(|_| lives("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.hold();
    let mut refused = refusals(&auth, "A");
    assert_eq!(refused.waiting().await, MANY);
    credential.clock.forward(24 * HOUR);
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    credential.release();
    assert_eq!(count(&all.ended().await, "B"), MANY);
    assert!(others(refused.ended().await).iter().all(|other| *other == Some(bearer("B"))));
    assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refused_token_does_not_come_back_by_an_ordinary_refresh() {
    // As of a credential that keeps `A`, and goes past what it keeps where it is forced to.
    let end = 1_800_000_000 + 24 * 60 * 60;
    let credential = Scripted::new(move |call| match call.forced {
        true => lives("B", HOUR),
        false => Answer::Token("A".to_owned(), end),
    });
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    assert_eq!(auth.refresh_rejected(&bearer("A")).await.unwrap(), Some(bearer("B")));
    credential.clock.forward(58 * MINUTE);
    for _ in 0..2 {
        assert_eq!(count(&requests(&auth).ended().await, "B"), MANY);
        quiet().await;
        assert_eq!(credential.calls(), 3);
    }
}

#[test]
fn a_forced_call_that_dies_with_its_runtime_is_made_again_from_another() {
    let credential = after_a(|_| lives("B", HOUR));
    let auth = authenticator(&credential);
    let build = || runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let (first, second) = (build(), build());
    first.block_on(auth.authorization()).unwrap();
    credential.hold();
    let refused = auth.clone();
    first.spawn(async move { refused.refresh_rejected(&bearer("A")).await });
    first.block_on(credential.called(2));
    let all = second.block_on(async {
        let mut all = refusals(&auth, "A");
        assert_eq!(all.waiting().await, MANY);
        all
    });
    thread::spawn(|| drop(first)).join().unwrap();
    second.block_on(async {
        credential.called(3).await;
        credential.release();
        assert!(others(all.ended().await).iter().all(|other| *other == Some(bearer("B"))));
    });
    assert_eq!((credential.calls(), credential.forced_calls()), (3, 2));
}
