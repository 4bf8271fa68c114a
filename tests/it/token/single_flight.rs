//! However many ask at once: one call for each scope, whose outcome all who wait share.

use crate::support::{
    Answer, HOUR, MANY, MINUTE, Scripted, authenticator, bearer, count, lives, requests, storm,
};
use azure_healthcare_auth::{DicomAudience, ErrorKind, FhirAudience};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_who_come_before_the_first_token_wait_for_one_call() {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    credential.hold();
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    credential.release();
    assert_eq!(count(&all.ended().await, "A"), MANY);
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_that_fails_is_told_to_all_who_wait_and_to_all_who_come_before_the_next_try() {
    let credential = Scripted::new(|_| Answer::Error);
    let auth = authenticator(&credential);
    credential.hold();
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    credential.release();
    let mut told = Vec::new();
    for outcome in all.ended().await {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credential);
        assert!(error.to_string().contains("run `az login`; retry in under 1 s"), "{error}");
        told.push((error.to_string(), error.retry_after()));
    }
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, 0);
    for outcome in all.ended().await {
        let error = outcome.unwrap_err();
        told.push((error.to_string(), error.retry_after()));
    }
    // By a clock that stands still, all are told the same.
    assert!(told.iter().all(|one| one.1.is_some() && *one == told[0]));
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_credential_that_fails_at_once_is_still_called_once() {
    let credential = Scripted::new(|_| Answer::Error);
    let auth = authenticator(&credential);
    assert!(requests(&auth).ended().await.iter().all(Result::is_err));
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_who_come_after_the_end_of_a_token_wait_for_one_call() {
    let credential = Scripted::new(|call| lives(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.forward(HOUR);
    credential.hold();
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    credential.release();
    assert_eq!(count(&all.ended().await, "token-2"), MANY);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_who_come_after_the_end_of_a_token_wait_for_the_refresh_that_is_under_way() {
    let credential = Scripted::new(|call| lives(format!("token-{}", call.number), HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.hold();
    credential.clock.forward(59 * MINUTE);
    assert_eq!(auth.authorization().await.unwrap(), bearer("token-1"));
    credential.called(2).await;
    credential.clock.forward(MINUTE);
    let mut all = requests(&auth);
    assert_eq!(all.waiting().await, MANY);
    credential.release();
    assert_eq!(count(&all.ended().await, "token-2"), MANY);
    assert_eq!(credential.calls(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_hundred_scopes_are_five_hundred_calls_and_never_more_than_two_at_once() {
    const SCOPES: usize = 500;
    let credential = Scripted::new(|call| lives(call.scope.replace([':', '/'], "-"), HOUR));
    let first = authenticator(&credential);
    let auths: Vec<_> = (0..SCOPES)
        .map(|number| {
            first
                .for_audience(FhirAudience::workspace("contoso", format!("records{number}")).build().unwrap())
        })
        .collect();
    credential.hold();
    let mut all = storm(2 * SCOPES, |number| {
        let auth = auths[number % SCOPES].clone();
        async move { auth.authorization().await }
    });
    assert_eq!(all.waiting().await, 2 * SCOPES);
    credential.called(2).await;
    credential.release();
    for (number, outcome) in all.ended().await.into_iter().enumerate() {
        let host = format!("contoso-records{}.fhir.azurehealthcareapis.com", number % SCOPES);
        assert_eq!(outcome.unwrap(), bearer(&format!("https---{host}-.default")));
    }
    assert_eq!((credential.calls(), credential.most_at_once()), (SCOPES, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_hundred_dicom_services_share_one_call() {
    let credential = Scripted::new(|_| lives("A", HOUR));
    let fhir = authenticator(&credential);
    credential.hold();
    let mut all = storm(MANY, |number| {
        let service = format!("imaging{}", number % 500);
        let auth = fhir.for_audience(DicomAudience::workspace("contoso", service).build().unwrap());
        async move { auth.authorization().await }
    });
    assert_eq!(all.waiting().await, MANY);
    credential.release();
    assert_eq!(count(&all.ended().await, "A"), MANY);
    assert_eq!(credential.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_that_cannot_stand_in_a_header_is_one_call_and_an_error_for_all() {
    for token in ["canary\nx", "canary\r\n", "canaryé", "canary\u{7f}", "canary canary", ""] {
        let credential = Scripted::new(move |_| lives(token, HOUR));
        let auth = authenticator(&credential);
        credential.hold();
        let mut all = requests(&auth);
        assert_eq!(all.waiting().await, MANY);
        credential.release();
        for outcome in all.ended().await {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Credential);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
        assert_eq!(credential.calls(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_ended_token_is_one_call_and_an_error_that_speaks_of_the_clock() {
    // The second in which the tests' clock starts, the one before, 1970, 1969 and the year -9999.
    for end in [1_800_000_000, 1_799_999_999, 0, -1, -377_705_116_800] {
        let credential = Scripted::new(move |_| Answer::Token("canary".to_owned(), end));
        let auth = authenticator(&credential);
        credential.hold();
        let mut all = requests(&auth);
        assert_eq!(all.waiting().await, MANY);
        credential.release();
        for outcome in all.ended().await {
            let error = outcome.unwrap_err();
            assert!(error.is_transient() && error.to_string().contains("clock"), "{error}");
            assert!(!format!("{error:?}").contains("canary"));
        }
        assert_eq!((credential.calls(), auth.expires_on()), (1, None));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_token_that_comes_again_with_a_later_end_is_served_on_by_one_call() {
    // As of a credential with one key, which says each time that it is good for another hour.
    let credential = Scripted::new(|_| lives("A", HOUR));
    let auth = authenticator(&credential);
    auth.authorization().await.unwrap();
    credential.clock.forward(HOUR);
    assert_eq!(count(&requests(&auth).ended().await, "A"), MANY);
    assert_eq!(credential.calls(), 2);
}
