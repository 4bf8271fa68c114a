//! A 401 leads to one forced refresh and one replay. A request that stays rejected or denied returns an explained error.

#![cfg(feature = "client")]

use std::{
    error::Error as _,
    sync::Arc,
    time::{Duration, SystemTime},
};

use azure_healthcare_auth::{
    Authenticator, Body, DenialCause, DicomVersion, ErrorKind, FhirAudience, HealthcareAuth,
    HealthcareClient, Result,
};
use azure_healthcare_auth_testing::{ChallengeFormat, FakeCredential, FakeServer, ScriptedCredential};
use http::{HeaderValue, Method};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::Instant,
};
use wiremock::ResponseTemplate;

use crate::wire::{authorizations, count, credential, fhir, rejecting_first_token};

#[tokio::test]
async fn rejected_request_is_replayed_with_a_new_token_for_every_method() {
    for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let (server, tokens) = (rejecting_first_token().await, credential());
        let client = HealthcareClient::new(fhir(&server), tokens.clone());
        let request = client.request(method.clone(), "Patient/1");
        let request = request.body_stream(|| Body::from("body")).header("prefer", "respond-async");
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), response.attempts()), (200, 2), "{method}");
        assert_eq!(authorizations(&server).await, ["Bearer token-1", "Bearer token-2"]);
        assert!(server.received_requests().await.unwrap().iter().all(|request| request.body == b"body"));
        assert_eq!(tokens.calls(), 2);
    }
}

#[tokio::test]
async fn request_is_replayed_only_once() {
    let server = crate::wire::responding(ResponseTemplate::new(401)).await;
    let tokens = credential();
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    let error = client.post("Patient").send().await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Denied, 401));
    assert_eq!(authorizations(&server).await, ["Bearer token-1", "Bearer token-2"]);

    // The next forced refresh is not allowed for 30 s, so the rejection is returned at once.
    let error = client.post("Patient").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!((tokens.calls(), count(&server).await), (2, 3));
}

#[tokio::test]
async fn denial_has_the_error_of_a_failed_forced_refresh_as_its_source() {
    let server = crate::wire::responding(ResponseTemplate::new(401)).await;
    let hour = Duration::from_secs(3_600);
    let credential =
        ScriptedCredential::new().token("token-1", hour).error("AADSTS50173: the grant was revoked");
    let client = HealthcareClient::new(fhir(&server), Arc::new(credential));
    let error = client.get("Patient").send().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.source().unwrap().to_string().contains("AADSTS50173"), "{error:?}");
    assert_eq!(count(&server).await, 1);
}

#[tokio::test]
async fn forbidden_response_does_not_refresh_token() {
    let server = crate::wire::responding(ResponseTemplate::new(403)).await;
    let tokens = credential();
    let error = HealthcareClient::new(fhir(&server), tokens.clone()).get("Patient").send().await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Denied, 403));
    assert_eq!((tokens.calls(), count(&server).await), (1, 1));
}

#[tokio::test]
async fn concurrent_rejections_share_one_forced_refresh() {
    let (server, tokens) = (rejecting_first_token().await, credential());
    let client = HealthcareClient::new(fhir(&server), tokens.clone());
    let requests: Vec<_> = (0..100).map(|_| tokio::spawn(client.get("Patient").send())).collect();
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap().status(), 200);
    }
    assert_eq!(tokens.calls(), 2);
}

#[tokio::test]
async fn denial_names_the_cause_and_the_fix_in_both_challenge_formats() {
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
        (FakeCredential::expired, DenialCause::Expired, "expired"),
        (
            |credential| credential.with_tenant("99999999-0000-4000-8000-000000000000"),
            DenialCause::WrongTenant,
            "99999999-0000-4000-8000-000000000000",
        ),
        (FakeCredential::without_role, DenialCause::MissingRole, "DICOM Data Reader"),
    ];
    for format in [ChallengeFormat::Managed, ChallengeFormat::OpenSource] {
        let fake_server = FakeServer::builder().challenge_format(format).start().await;
        for (change, cause, text) in &cases {
            let credential = Arc::new(change(FakeCredential::new()));
            let client = HealthcareClient::new(fake_server.dicom(DicomVersion::V2), credential);
            let error = client.get("changefeed").send().await.unwrap_err();
            let denial = error.denial().unwrap();
            assert_eq!(denial.cause(), *cause, "{format:?}: {error}");
            assert!(error.to_string().contains(text), "{format:?}: {error}");
            assert!(!error.to_string().contains('\n'));
        }
    }
}

#[tokio::test]
async fn denial_uses_the_clock_of_the_authenticator() {
    // A clock that is two hours ahead and does not move.
    let time = SystemTime::now() + Duration::from_secs(2 * 60 * 60);
    let now = move || time;
    let fake_server = FakeServer::builder().clock(now).start().await;
    let credential = Arc::new(FakeCredential::new().expired().with_clock(now));
    let auth = Authenticator::builder(fake_server.fhir(), credential).clock(now).build();
    let error = HealthcareClient::from(auth).get("Patient").send().await.unwrap_err();
    let denial = error.denial().unwrap();
    assert!(denial.reason().starts_with("the token expired 60 s ago"), "{denial}");
    assert_eq!(denial.received_at(), time);
}

#[tokio::test]
async fn denial_keeps_headers_and_the_first_64_kib_of_the_body() {
    let response =
        ResponseTemplate::new(403).set_body_bytes(vec![b'x'; 100_000]).insert_header("x-request-id", "a-1");
    let server = crate::wire::responding(response).await;
    let error = HealthcareClient::new(fhir(&server), credential()).get("Patient").send().await.unwrap_err();
    let denial = error.denial().unwrap();
    assert_eq!((denial.body().len(), denial.request_id()), (64 * 1024, Some("a-1")));
    assert_eq!(denial.headers()["x-request-id"], "a-1");
}

#[tokio::test]
async fn unfinished_denial_body_is_read_for_at_most_5_seconds() {
    /// Pauses the clock when the service has rejected the request.
    struct PausingAuth(FhirAudience);

    #[async_trait::async_trait]
    impl HealthcareAuth for PausingAuth {
        type Audience = FhirAudience;

        fn audience(&self) -> &FhirAudience {
            &self.0
        }

        async fn authorization(&self) -> Result<HeaderValue> {
            Ok(HeaderValue::from_static("Bearer x"))
        }

        async fn refresh_rejected(&self, _: &HeaderValue) -> Result<Option<HeaderValue>> {
            // The partial body arrived together with the head, so no more I/O is expected. The paused clock advances when
            // all tasks are idle.
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
        // Keep the connection open until the client closes it.
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
    });
    let client = HealthcareClient::from_auth(Arc::new(PausingAuth(audience)));
    let started = Instant::now();
    let error = client.get("Patient").send().await.unwrap_err();
    let waited = started.elapsed().as_secs();
    assert!((5..10).contains(&waited), "{waited} s");
    assert_eq!(error.denial().unwrap().body(), "half");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_rejected_requests_make_one_forced_refresh() {
    let (server, tokens) = (crate::wire::responding(ResponseTemplate::new(401)).await, credential());
    // One HTTP/2 connection for all requests, because 1,000 connections exceed the limit of some systems.
    let client = HealthcareClient::builder(fhir(&server), tokens.clone())
        .configure_http(|http| http.http2_prior_knowledge())
        .build()
        .unwrap();
    let requests: Vec<_> = (0..1_000).map(|_| tokio::spawn(client.get("Patient").send())).collect();
    for request in requests {
        assert_eq!(request.await.unwrap().unwrap_err().kind(), ErrorKind::Denied);
    }
    // One fetch and one forced refresh. Each request is sent at most twice.
    assert_eq!(tokens.calls(), 2);
    assert!(count(&server).await <= 2_000);
}

#[tokio::test]
async fn auth_that_always_has_a_new_value_is_asked_only_once() {
    struct EndlessAuth(FhirAudience);

    #[async_trait::async_trait]
    impl HealthcareAuth for EndlessAuth {
        type Audience = FhirAudience;

        fn audience(&self) -> &FhirAudience {
            &self.0
        }

        async fn authorization(&self) -> Result<HeaderValue> {
            Ok(HeaderValue::from_static("Bearer x"))
        }

        async fn refresh_rejected(&self, rejected: &HeaderValue) -> Result<Option<HeaderValue>> {
            Ok(Some(HeaderValue::try_from(format!("{}x", rejected.to_str().unwrap())).unwrap()))
        }
    }

    let server = crate::wire::responding(ResponseTemplate::new(401)).await;
    let client = HealthcareClient::from_auth(Arc::new(EndlessAuth(fhir(&server))));
    assert_eq!(client.get("Patient").send().await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(authorizations(&server).await, ["Bearer x", "Bearer xx"]);
}
