//! Whatever happens to the caller or the credential of a fetch, those who wait get an outcome, and the next request finds
//! the authenticator usable.

use std::time::Duration;

use crate::support::{
    Answer, HOUR, MANY, MINUTE, SECOND, Scripted, at_once, authenticator, bearer, count, fhir, lives, quiet,
    requests,
};
use azure_healthcare_auth::{ErrorKind, FhirAudience};
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_caller_is_cancelled_and_all_others_get_the_token_of_its_call() {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    credential.hold();
    let caller = auth.clone();
    let first = tokio::spawn(async move { caller.authorization().await });
    credential.called(1).await;
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    credential.release();
    assert_eq!(count(&all.ended().await, "A"), MANY);
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_callers_are_cancelled_and_the_token_of_their_call_is_kept() {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    credential.hold();
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    all.cancel();
    credential.release();
    quiet().await;
    assert_eq!(at_once(auth.authorization()).unwrap().unwrap(), bearer("A"));
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_credential_that_panics_is_one_call_and_an_error_for_all_and_is_asked_again_later() {
    let credential = Scripted::new(|call| if call.number == 1 { Answer::Panic } else { lives("A", HOUR) });
    let auth = authenticator(&credential);
    credential.hold();
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    credential.release();
    for outcome in all.ended().await {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credential);
        assert!(error.to_string().contains("panicked") && error.retry_after().is_some(), "{error}");
    }
    assert_eq!((credential.calls(), credential.under_way()), (1, 0));
    credential.clock.forward(SECOND);
    assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_credential_that_hangs_is_given_up_in_time_with_an_error_for_all_and_is_asked_again_later() {
    let credential = Scripted::new(|call| if call.number == 1 { Answer::Never } else { lives("A", HOUR) });
    let auth = authenticator(&credential).with_token_timeout(Duration::from_millis(20));
    for outcome in requests(&auth).ended().await {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout);
        assert!(error.is_transient() && error.retry_after().is_some());
    }
    assert_eq!((credential.calls(), credential.under_way()), (1, 0));
    credential.clock.forward(SECOND);
    let auth = auth.for_audience(fhir());
    assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
    assert_eq!(credential.calls(), 2);
}

// By Tokio's own clock, which moves on by itself when there is nothing else to do.
#[tokio::test(start_paused = true)]
async fn the_time_for_a_token_does_not_count_while_its_call_waits_for_its_turn() {
    let credential = Scripted::new(|call| match call.scope.contains("hangs") {
        true => Answer::Never,
        false => lives("A", HOUR),
    });
    let auth = authenticator(&credential);
    let began = Instant::now();
    let hanging = ["hangs-1", "hangs-2", "hangs-3", "hangs-4"].map(|service| {
        let auth = auth.for_audience(FhirAudience::workspace("contoso", service).build().unwrap());
        tokio::spawn(async move { (auth.authorization().await.unwrap_err().kind(), Instant::now()) })
    });
    credential.called(2).await;
    assert_eq!(auth.authorization().await.unwrap(), bearer("A"));
    assert!((began + 2 * MINUTE..began + 2 * MINUTE + SECOND).contains(&Instant::now()));
    for (call, minutes) in hanging.into_iter().zip([1, 1, 2, 2]) {
        let (kind, ended) = call.await.unwrap();
        assert_eq!(kind, ErrorKind::Timeout);
        assert!((began + minutes * MINUTE..began + minutes * MINUTE + SECOND).contains(&ended));
    }
    assert_eq!((credential.calls(), credential.most_at_once()), (5, 2));
}
