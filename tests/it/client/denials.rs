//! After a 401: one renewal, one more send with another token, for every method; else the refusal, explained.

#![cfg(feature = "client")]

use crate::wire::{authorizations, count, credential, fhir, refusing_the_first};
use azure_healthcare_auth::{
    Authenticator, Body, DenialCause, DicomVersion, ErrorKind, FhirAudience, HealthcareAuth,
    HealthcareClient, Result,
    testing::{ChallengeFormat, FakeCredential, FakeServer},
};
use http::{HeaderValue, Method};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};
use wiremock::ResponseTemplate;

#[tokio::test]
async fn for_every_method_and_for_streams() {
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let (server, tokens) = (refusing_the_first().await, credential());
        let client = HealthcareClient::new(fhir(&server), tokens.clone());
        let request = client.request(method.clone(), "Patient/1");
        let request = request.body_stream(|| Body::from("anew")).header("prefer", "respond-async");
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.attempts()), (200, 2), "{method}");
        assert_eq!(authorizations(&server).await, ["Bearer token-1", "Bearer token-2"]);
        assert!(server.received_requests().await.unwrap().iter().all(|request| request.body == b"anew"));
        assert_eq!(tokens.calls(), 2);
    }
}

#[tokio::test]
async fn and_never_again() {
    let server = crate::wire::answering(ResponseTemplate::new(401)).await;
    let tokens = credential();
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    let error = client.post("Patient").send().await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Denied, 401));
    assert_eq!(authorizations(&server).await, ["Bearer token-1", "Bearer token-2"]);

    // The next call that a refusal could force is 30 s away: the refusal comes back at once.
    let error = client.post("Patient").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!((tokens.calls(), count(&server).await), (2, 3));
}

#[tokio::test]
async fn but_never_after_a_403() {
    let server = crate::wire::answering(ResponseTemplate::new(403)).await;
    let tokens = credential();
    let error = HealthcareClient::new(fhir(&server), tokens.clone()).get("Patient").send().await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Denied, 403));
    assert_eq!((tokens.calls(), count(&server).await), (1, 1));
}

#[tokio::test]
async fn by_all_who_saw_the_refusal_together() {
    let (server, tokens) = (refusing_the_first().await, credential());
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    let requests: Vec<_> = (0..100).map(|_| tokio::spawn(client.get("Patient").send())).collect();
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(tokens.calls(), 2);
}

#[tokio::test]
async fn and_a_refusal_that_stands_says_why_and_what_to_do() {
    type Change = fn(FakeCredential) -> FakeCredential;
    let cases: [(Change, DenialCause, &str); 5] = [
        (
            |credential| credential.with_audience("https://wrong.example"),
            DenialCause::WrongAudience,
            "https://wrong.example",
        ),
        (
            |credential| credential.with_audience("https://dicom.healthcareapis.azure.com/"),
            DenialCause::TrailingSlash,
            "slash",
        ),
        (FakeCredential::expired, DenialCause::Expired, "ended"),
        (
            |credential| credential.with_tenant("99999999-0000-4000-8000-000000000000"),
            DenialCause::WrongTenant,
            "99999999-0000-4000-8000-000000000000",
        ),
        (FakeCredential::without_role, DenialCause::MissingRole, "DICOM Data Reader"),
    ];
    for wording in [ChallengeFormat::Managed, ChallengeFormat::OpenSource] {
        let fake_server = FakeServer::builder().challenge_format(wording).start().await;
        for (change, cause, said) in &cases {
            let credential = Arc::new(change(FakeCredential::new()));
            let client = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), credential);
            let error = client.get("changefeed").send().await.unwrap_err();
            let denial = error.denial().unwrap();
            assert_eq!(denial.cause(), *cause, "{wording:?}: {error}");
            assert!(error.to_string().contains(said), "{wording:?}: {error}");
            assert!(!error.to_string().contains('\n'));
        }
    }
}

#[tokio::test]
async fn and_a_refusal_is_explained_by_the_clock_that_tokens_are_kept_by() {
    // It is ahead, and it stands still.
    let time = SystemTime::now() + Duration::from_secs(2 * 60 * 60);
    let now = move || time;
    let fake_server = FakeServer::builder().with_clock(now).start().await;
    let credential = Arc::new(FakeCredential::new().expired().with_clock(now));
    let auth = Authenticator::new(fake_server.fhir(), credential).with_clock(now);
    let error = HealthcareClient::from(auth).get("Patient").send().await.unwrap_err();
    let denial = error.denial().unwrap();
    assert!(denial.reason().starts_with("the token ended 60 s ago"), "{denial}");
    assert_eq!(denial.received_at(), time);
}

#[tokio::test]
async fn and_a_refusal_keeps_what_the_service_said_within_a_limit() {
    let answer =
        ResponseTemplate::new(403).set_body_bytes(vec![b'x'; 100_000]).insert_header("x-request-id", "a-1");
    let server = crate::wire::answering(answer).await;
    let error = HealthcareClient::new(fhir(&server), credential()).get("Patient").send().await.unwrap_err();
    let denial = error.denial().unwrap();
    assert_eq!((denial.body().len(), denial.request_id()), (64 * 1024, Some("a-1")));
    assert_eq!(denial.headers()["x-request-id"], "a-1");
}

#[tokio::test]
async fn and_a_refusal_whose_body_never_ends_is_not_waited_for_beyond_its_time() {
    /// Pauses the clock when the refusal is there.
    struct Pausing(FhirAudience);

    #[async_trait::async_trait]
    impl HealthcareAuth for Pausing {
        type Audience = FhirAudience;

        fn audience(&self) -> &FhirAudience {
            &self.0
        }

        async fn authorization(&self) -> Result<HeaderValue> {
            Ok(HeaderValue::from_static("Bearer x"))
        }

        async fn refresh_rejected(&self, _: &HeaderValue) -> Result<Option<HeaderValue>> {
            // The half body came in one piece with the head, so nothing that is still to come is real: the clock moves
            // on when all tasks have done what they can.
            tokio::time::pause();
            Ok(None)
        }
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let audience = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move {
        let (mut stream, mut request) = (listener.accept().await.unwrap().0, [0; 4_096]);
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
        // Open for as long as the client lets it be.
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
    });
    let client = HealthcareClient::from_auth(Arc::new(Pausing(audience)));
    let begun = Instant::now();
    let error = client.get("Patient").send().await.unwrap_err();
    let waited = begun.elapsed().as_secs();
    assert!((5..10).contains(&waited), "{waited} s");
    assert_eq!(error.denial().unwrap().body(), "half");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn even_where_a_thousand_requests_are_refused_for_good() {
    let (server, tokens) = (crate::wire::answering(ResponseTemplate::new(401)).await, credential());
    // One connection for all: a thousand of them are more than some systems let a process open.
    let http = azure_healthcare_auth::default_http().http2_prior_knowledge();
    let client = HealthcareClient::new(fhir(&server), tokens.clone()).with_http(http);
    let requests: Vec<_> = (0..1_000).map(|_| tokio::spawn(client.get("Patient").send())).collect();
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap_err().kind(), ErrorKind::Denied);
    }
    // One fetch, and one that was forced; two sends each at the most.
    assert_eq!(tokens.calls(), 2);
    assert!(count(&server).await <= 2_000);
}

#[tokio::test]
async fn even_by_one_who_always_has_another() {
    struct Endless(FhirAudience);

    #[async_trait::async_trait]
    impl HealthcareAuth for Endless {
        type Audience = FhirAudience;

        fn audience(&self) -> &FhirAudience {
            &self.0
        }

        async fn authorization(&self) -> Result<HeaderValue> {
            Ok(HeaderValue::from_static("Bearer x"))
        }

        async fn refresh_rejected(&self, refused: &HeaderValue) -> Result<Option<HeaderValue>> {
            Ok(Some(HeaderValue::try_from(format!("{}x", refused.to_str().unwrap())).unwrap()))
        }
    }

    let server = crate::wire::answering(ResponseTemplate::new(401)).await;
    let client = HealthcareClient::from_auth(Arc::new(Endless(fhir(&server))));
    assert_eq!(client.get("Patient").send().await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(authorizations(&server).await, ["Bearer x", "Bearer xx"]);
}
