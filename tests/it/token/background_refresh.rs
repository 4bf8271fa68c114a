//! While a token is served nobody waits, whatever its refresh does.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use crate::support::{
    Answer, Call, HOUR, MANY, MINUTE, SECOND, Scripted, at_once, authenticator, bearer, count, fhir, lives,
    quiet, requests,
};
use azure_healthcare_auth::{Audience, Authenticator, FhirAudience, HealthcareAuth};
use tokio::runtime;

/// A first token `A` for as long as is said, then what the script says.
fn after_a(life: Duration, then: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Arc<Scripted> {
    Scripted::new(move |call| if call.number == 1 { lives("A", life) } else { then(call) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_a_refresh_is_slow_all_are_served_the_old_token() {
    let credential = after_a(HOUR, |_| lives("B", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.forward(58 * MINUTE);
    credential.hold();
    let mut early = requests(&auth);
    assert_eq!(early.waiting().await, 0);
    assert_eq!(count(&early.ended().await, "A"), MANY);
    credential.called(2).await;
    assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
    credential.release();
    quiet().await;
    assert_eq!(count(&requests(&auth).ended().await, "B"), MANY);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_value_counts_as_held_while_there_is_nothing_to_be_done_about_it() {
    let credential = after_a(HOUR, |_| lives("B", HOUR));
    let auth = authenticator(&credential);
    assert_eq!(auth.cached_authorization(), None);
    auth.authorization().await.unwrap();
    assert_eq!(auth.cached_authorization(), Some(bearer("A")));
    // A refresh is due, and begun by who asks for the value itself.
    credential.clock.forward(58 * MINUTE);
    assert_eq!((auth.cached_authorization(), credential.calls()), (None, 1));
    assert_eq!(auth.authorization().await.unwrap(), bearer("A"));
    credential.called(2).await;
    quiet().await;
    assert_eq!(auth.cached_authorization(), Some(bearer("B")));
    credential.clock.forward(HOUR);
    assert_eq!((auth.cached_authorization(), credential.calls()), (None, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn while_the_refresh_fails_all_are_served_the_old_token_and_each_rest_ends_in_one_call() {
    let credential = after_a(HOUR, |_| Answer::Error);
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.forward(58 * MINUTE);
    for failures in 1..=3 {
        for _ in 0..2 {
            let mut all = requests(&auth);
            assert_eq!(all.waiting().await, 0);
            assert_eq!(count(&all.ended().await, "A"), MANY);
            quiet().await;
            assert_eq!(credential.calls(), 1 + failures);
        }
        // Longer than each of the first three rests, and shorter than what is left of the token.
        credential.clock.forward(5 * SECOND);
    }
    credential.clock.forward(2 * MINUTE);
    assert!(requests(&auth).ended().await.iter().all(Result::is_err));
    assert_eq!(credential.calls(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_credential_that_hands_out_the_same_token_is_called_once_in_each_rest() {
    let end = 1_800_000_000 + 60 * 60;
    let credential = Scripted::new(move |_| Answer::Token("A".to_owned(), end));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.forward(57 * MINUTE);
    for calls in 2..=4 {
        for _ in 0..2 {
            assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
            quiet().await;
            assert_eq!(credential.calls(), calls);
        }
        credential.clock.forward(5 * SECOND);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_of_any_length_is_refreshed_by_one_call_while_it_is_served_and_fetched_by_one_after() {
    // How long it lives; until when nothing is asked, from when it is refreshed, and from when it is not served.
    for (life, fresh, stale, ended) in [
        (5 * SECOND, 2_400, 2_500, 3_750),
        (20 * SECOND, 9_900, 10_000, 15_000),
        (24 * HOUR, 86_099_000, 86_220_000, 86_390_000),
    ] {
        for (after, calls, token) in [(fresh, 1, "A"), (stale, 2, "A"), (ended, 2, "B")] {
            let credential = after_a(life, move |_| lives("B", life));
            let auth = authenticator(&credential);
            auth.authorization().await.unwrap();
            credential.clock.forward(Duration::from_millis(after));
            credential.hold();
            let mut all = requests(&auth);
            assert_eq!(all.waiting().await, if after == ended { MANY } else { 0 }, "{life:?} {after}");
            credential.release();
            assert_eq!(count(&all.ended().await, token), MANY, "{life:?} {after}");
            quiet().await;
            assert_eq!(credential.calls(), calls, "{life:?} {after}");
        }
    }
}

#[test]
fn a_fresh_and_a_stale_token_are_served_at_the_first_poll_and_outside_a_runtime() {
    let credential = after_a(HOUR, |_| lives("B", HOUR));
    let auth = authenticator(&credential);
    let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(auth.authorization()).unwrap();
    for (forward, entered, calls) in [(0, false, 1), (58, false, 1), (0, true, 2)] {
        credential.clock.forward(forward * MINUTE);
        credential.hold();
        let _entered = entered.then(|| runtime.enter());
        for _ in 0..MANY {
            assert_eq!(at_once(auth.authorization()).unwrap().unwrap(), bearer("A"));
            assert_eq!(
                at_once(auth.authorization_for(auth.audience().endpoint())).unwrap().unwrap(),
                bearer("A")
            );
        }
        runtime.block_on(credential.called(calls));
        assert_eq!(credential.calls(), calls);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_refresh_that_fails_after_a_request_looked_at_the_clock_is_not_repeated_by_that_request() {
    // However often a request looks at the clock, another can come between one look and what follows it.
    for look in [1, 2] {
        let credential = after_a(HOUR, |_| Answer::Error);
        let clock = credential.clock.clone();
        let between = Arc::new(Mutex::new(Vec::<Box<dyn FnOnce() + Send>>::new()));
        let hooks = between.clone();
        let auth = Authenticator::new(fhir(), credential.clone()).with_clock(move || {
            let now = clock.now();
            let hook = hooks.lock().unwrap().pop();
            hook.into_iter().for_each(|hook| hook());
            now
        });
        auth.authorization().await.unwrap();
        credential.clock.forward(58 * MINUTE);

        let (other, clock) = (auth.clone(), credential.clock.clone());
        let (sender, other_ended) = mpsc::channel();
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        between.lock().unwrap().push(Box::new(move || {
            clock.forward(Duration::from_millis(1));
            thread::spawn(move || {
                runtime.block_on(async {
                    other.authorization().await.unwrap();
                    quiet().await;
                });
                let _ = sender.send(());
            });
            // Where nobody can come between, this waits in vain, and the other goes on afterwards.
            let _ = other_ended.recv_timeout(Duration::from_millis(200));
        }));
        for _ in 1..look {
            between.lock().unwrap().push(Box::new(|| {}));
        }
        assert_eq!(auth.authorization().await.unwrap(), bearer("A"));
        quiet().await;
        assert_eq!(credential.calls(), 2, "{look}");
    }
}

#[test]
fn whatever_collects_events_may_be_slow_and_may_ask_for_the_token() {
    let credential = after_a(HOUR, |_| Answer::Error);
    let auth = authenticator(&credential);
    let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(auth.authorization()).unwrap();
    credential.clock.forward(58 * MINUTE);

    let served = Arc::new(Mutex::new(Vec::new()));
    let collector = Collector { auth: auth.clone(), served: served.clone() };
    // With a single one in the process, an event that is first come by on another thread is nobody's for good.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    tracing::subscriber::with_default(collector, || {
        runtime.block_on(async {
            auth.authorization().await.unwrap();
            quiet().await;
        });
    });
    assert_eq!(*served.lock().unwrap(), [true]);
}

/// Asks for the token whenever something is told, and notes whether it was served.
struct Collector {
    auth: Authenticator<FhirAudience>,
    served: Arc<Mutex<Vec<bool>>>,
}

impl tracing::Subscriber for Collector {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("azure_healthcare_auth")
    }

    fn event(&self, _: &tracing::Event<'_>) {
        let (auth, (sender, served)) = (self.auth.clone(), mpsc::channel());
        thread::spawn(move || sender.send(at_once(auth.authorization()).is_some()));
        // The time is for the failure alone.
        self.served.lock().unwrap().push(served.recv_timeout(5 * SECOND) == Ok(true));
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}
    fn enter(&self, _: &tracing::Id) {}
    fn exit(&self, _: &tracing::Id) {}
}
