//! The end of a token is judged by the wall clock, wherever that is moved.

use std::time::{Duration, SystemTime};

use crate::support::{
    Answer, HOUR, MANY, MINUTE, SECOND, Scripted, authenticator, bearer, count, lives, quiet, requests,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_machine_that_slept_over_the_end_of_its_token_fetches_once_when_it_wakes() {
    let credential = Scripted::new(|call| lives(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.forward(9 * HOUR);
    credential.hold();
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    credential.release();
    assert_eq!(count(&all.ended().await, "token-2"), MANY);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_machine_that_slept_during_a_call_judges_its_token_when_it_has_come() {
    let credential = Scripted::new(|call| match call.number {
        1 => Answer::Token("A".to_owned(), 1_800_000_000 + 60 * 60),
        _ => lives("B", HOUR),
    });
    let auth = authenticator(&credential);
    credential.hold();
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    credential.clock.forward(2 * HOUR);
    credential.release();
    for outcome in all.ended().await {
        let error = outcome.unwrap_err();
        assert!(error.to_string().contains("ended 3600 s ago by this machine's clock"), "{error}");
    }
    credential.clock.forward(SECOND);
    assert_eq!(count(&requests(&auth).ended().await, "B"), MANY);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clock_that_jumps_forward_and_is_set_right_finds_the_token_as_good_as_it_was() {
    let end = 1_800_000_000 + 60 * 60;
    let credential = Scripted::new(move |_| Answer::Token("A".to_owned(), end));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.forward(10 * HOUR);
    credential.hold();
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    credential.release();
    assert!(
        all.ended().await.iter().all(|outcome| outcome.as_ref().unwrap_err().to_string().contains("clock"))
    );
    assert_eq!(credential.calls(), 2);
    credential.clock.back(10 * HOUR);
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, 0);
    assert_eq!(count(&all.ended().await, "A"), MANY);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clock_that_jumps_back_neither_ends_a_token_nor_puts_off_its_refresh() {
    let credential = Scripted::new(|call| match call.number {
        1 => lives("A", HOUR),
        2 => Answer::Error,
        _ => lives("B", HOUR),
    });
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.forward(58 * MINUTE);
    assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
    quiet().await;
    credential.clock.back(24 * HOUR);
    assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
    quiet().await;
    assert_eq!(credential.calls(), 2);
    // By this clock the rest after the failure would have ended a day later.
    credential.clock.forward(24 * HOUR - MINUTE);
    credential.hold();
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, 0);
    assert_eq!(count(&all.ended().await, "A"), MANY);
    credential.release();
    quiet().await;
    assert_eq!(count(&requests(&auth).ended().await, "B"), MANY);
    assert_eq!(credential.calls(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clock_that_jumps_back_does_not_lengthen_the_rest_after_a_failure() {
    let credential = Scripted::new(|call| if call.number == 1 { Answer::Error } else { lives("A", HOUR) });
    let auth = authenticator(&credential);
    assert!(requests(&auth).ended().await.iter().all(Result::is_err));
    credential.clock.back(HOUR);
    assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clock_that_jumps_into_a_rest_that_is_over_keeps_nobody_from_the_call_under_way() {
    let credential = Scripted::new(|call| if call.number == 1 { Answer::Error } else { lives("A", HOUR) });
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap_err();
    credential.hold();
    credential.clock.back(HOUR);
    let mut before = requests(&auth);
    assert_eq!(before.waiting().await, MANY);
    credential.clock.forward(HOUR);
    let mut after = requests(&auth);
    assert_eq!(after.waiting().await, MANY);
    credential.release();
    assert_eq!(count(&before.ended().await, "A"), MANY);
    assert_eq!(count(&after.ended().await, "A"), MANY);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_that_ends_in_the_year_9999_is_served() {
    let credential = Scripted::new(|_| Answer::Token("A".to_owned(), 253_402_300_799));
    let auth = authenticator(&credential);
    assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
    credential.clock.forward(1_000 * 365 * 24 * HOUR);
    assert_eq!(auth.authorization().await.unwrap(), bearer("A"));
    assert_eq!(auth.expires_on(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799)));
    assert_eq!(credential.calls(), 1);
}
