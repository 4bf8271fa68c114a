//! The client: requests that succeed, unexpected responses, and requests that cannot be sent.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use azure_healthcare_auth::{
    Authenticator, Body, Cloud, DicomAudience, DicomVersion, ErrorKind, FhirAudience, ServiceKind,
};
use bytes::Bytes;
use wiremock::ResponseTemplate;

use super::{
    capture::{capture_debug, capture_display, capture_error},
    marker::TOKEN,
    test_credential::TestCredential,
    wire::{TRUNCATED, dicom, fhir, responding, responding_raw, service},
};

/// A `Prefer` value that turns retries off, so that the scan does not wait for them.
pub(crate) const NO_RETRY: &str = "respond-async";

pub(crate) async fn run() {
    success().await;
    audiences();
    unexpected_responses().await;
    unsendable().await;
    connections().await;
    without_token().await;
}

async fn success() {
    let server = service().await;
    let client = TestCredential::Valid.client(fhir(&server));
    let request = || {
        let body = serde_json::json!({ "name": "canarybody" });
        client
            .post("Patient/canaryid")
            .query("name", "canaryname Müller")
            .header("x-note", "canaryheader")
            .json(&body)
    };
    capture_debug(&request());
    capture_debug(&client);
    capture_debug(&client.for_audience(dicom(&server)).unwrap());
    capture_debug(&request().send().await.unwrap());
    capture_debug(&request().stream().await.unwrap());
    let builder = TestCredential::Valid.builder(fhir(&server)).default_header("x-note", "canaryheader");
    capture_debug(&builder);
    let invalid = builder.default_header("x-note", "canaryheader\r\n");
    capture_debug(&invalid);
    assert_eq!(capture_error(&invalid.build().unwrap_err()), ErrorKind::Request);
    capture_debug(&Body::from("canarybody"));
    let auth = TestCredential::Valid.auth(fhir(&server));
    let value = auth.authorization().await.unwrap();
    capture_debug(&value);
    capture_debug(&auth);
    capture_debug(auth.audience());
    assert_eq!(auth.refresh_rejected(&value).await.unwrap(), None);
    let url = format!("{}/Patient/canaryid?name=canaryname", server.uri()).parse().unwrap();
    capture_debug(&auth.authorization_for(&url).await.unwrap());
    let later = Authenticator::builder(fhir(&server), Arc::new(TestCredential::Valid))
        .clock(|| SystemTime::now() + Duration::from_secs(86_400));
    capture_debug(&later);
    let later = later.build();
    capture_debug(&later);
    assert_eq!(capture_error(&later.authorization().await.unwrap_err()), ErrorKind::Credential);

    // Outside any runtime.
    let auth = TestCredential::Valid.auth(fhir(&server));
    let poll = move || super::poll_once(auth.authorization()).unwrap().unwrap_err();
    assert_eq!(capture_error(&std::thread::spawn(poll).join().unwrap()), ErrorKind::NoRuntime);
}

fn audiences() {
    let (fhir, dicom) =
        (FhirAudience::workspace("contoso", "records"), DicomAudience::workspace("contoso", "x12"));
    capture_debug(&fhir);
    capture_debug(&dicom);
    capture_debug(&dicom.build().unwrap());
    capture_debug(&Cloud::UsGovernment);
    capture_debug(&DicomVersion::V1);
    capture_debug(&ServiceKind::Fhir);
    capture_display(&ServiceKind::Dicom);
    let invalid = "canaryname".parse::<Cloud>().unwrap_err();
    capture_debug(&invalid);
    capture_display(&invalid);
    for endpoint in [
        "https://user:canaryuser@contoso.example/",
        "https://contoso.example/?name=canaryname",
        "https://contoso.example/#canaryname",
        "http://user:canaryuser@contoso.example/?name=canaryname",
    ] {
        let builder = FhirAudience::from_endpoint(endpoint);
        capture_debug(&builder);
        assert_eq!(capture_error(&builder.build().unwrap_err()), ErrorKind::Audience);
        let builder = DicomAudience::from_endpoint(endpoint);
        capture_debug(&builder);
        assert_eq!(capture_error(&builder.build().unwrap_err()), ErrorKind::Audience);
    }
}

/// Returns a response in the format of the services, with an `OperationOutcome` and with markers in its headers.
pub(crate) fn outcome(status: u16, code: &str) -> ResponseTemplate {
    let body = serde_json::json!({
        "resourceType": "OperationOutcome",
        "id": "canarydiagnostics",
        "issue": [{ "code": code, "diagnostics": "canarydiagnostics", "details": { "text": "canaryname" } }],
    });
    ResponseTemplate::new(status)
        .set_body_raw(body.to_string(), "application/fhir+json")
        .insert_header("location", "https://contoso.example/Patient/canaryid")
        .insert_header("x-request-id", "canaryheader canaryname")
        .insert_header("retry-after", "86400")
        .insert_header(
            "www-authenticate",
            "Bearer error=\"canarychallenge\", error_description=\"canarychallenge\", realm=\"canarychallenge\"",
        )
}

async fn unexpected_responses() {
    for status in [400, 404, 412, 429, 500, 503] {
        let server = responding(outcome(status, "processing")).await;
        let client = TestCredential::Valid.client(fhir(&server));
        let request = || client.get("Patient/canaryid").query("name", "canaryname");
        let response = request().send().await.unwrap();
        capture_debug(&response);
        assert_eq!(capture_error(&response.json::<u8>().unwrap_err()), ErrorKind::Status);
        assert_eq!(capture_error(&response.error_for_status().unwrap_err()), ErrorKind::Status);
        let streamed = request().stream().await.unwrap();
        assert_eq!(capture_error(&streamed.error_for_status().unwrap_err()), ErrorKind::Status);
    }
    let busy = responding(outcome(503, "throttled").insert_header("x-ms-retry-after-ms", "1")).await;
    let request =
        TestCredential::Valid.client(fhir(&busy)).get("Patient/canaryid").query("name", "canaryname");
    assert_eq!(request.send().await.unwrap().attempts(), 4);
    for body in ["{\"name\":\"canarybody\"", "\"canarybody\"", "canarybody"] {
        let server = responding(ResponseTemplate::new(200).set_body_string(body)).await;
        let response =
            TestCredential::Valid.client(fhir(&server)).get("Patient/canaryid").send().await.unwrap();
        assert_eq!(capture_error(&response.json::<u8>().unwrap_err()), ErrorKind::Decode);
    }
    let server = responding(ResponseTemplate::new(200).set_body_bytes(b"canarybody\xff")).await;
    let client = TestCredential::Valid.client(fhir(&server));
    let response = client.get("Patient").send().await.unwrap();
    assert_eq!(capture_error(&response.text().unwrap_err()), ErrorKind::Decode);
    let small = TestCredential::Valid.builder(fhir(&server)).body_limit(1).build().unwrap();
    assert_eq!(capture_error(&small.get("Patient/canaryid").send().await.unwrap_err()), ErrorKind::TooLarge);
}

async fn unsendable() {
    struct Unserializable;
    impl serde::Serialize for Unserializable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("canarybody"))
        }
    }
    let server = service().await;
    let client = TestCredential::Valid.client(fhir(&server));
    let broken = client.post("Patient/canaryid").body_stream(|| {
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let download = http.get("http://127.0.0.1:1/canaryid?name=canaryname").send();
        Body::stream(Pieces(vec![
            Box::pin(async { Ok(Bytes::from_static(b"canarybody")) }),
            Box::pin(async { Err(download.await.unwrap_err().into()) }),
        ]))
    });
    for (request, kind) in [
        (client.get("../canaryid"), ErrorKind::UrlNotAllowed),
        (
            client.get("https://user:canaryuser@contoso.example/canaryid?n=canaryname"),
            ErrorKind::UrlNotAllowed,
        ),
        (client.get("Patient/canaryid#canaryname"), ErrorKind::UrlNotAllowed),
        (client.get("Patient").header("canaryheader canaryheader", "x"), ErrorKind::Request),
        (client.get("Patient").header("x", "canaryheader\r\n"), ErrorKind::Request),
        (client.get("Patient").header("host", "canaryheader"), ErrorKind::Request),
        (client.post("Patient/canaryid").json(&Unserializable), ErrorKind::Request),
        (broken, ErrorKind::Body),
    ] {
        capture_debug(&request);
        assert_eq!(capture_error(&request.send().await.unwrap_err()), kind);
    }
    let auth = TestCredential::Valid.auth(fhir(&server));
    for url in ["https://contoso.example/canaryid?n=canaryname", "http://u:canaryuser@127.0.0.1:1/canaryid"] {
        let error = auth.authorization_for(&url.parse().unwrap()).await.unwrap_err();
        assert_eq!(capture_error(&error), ErrorKind::UrlNotAllowed);
    }
}

async fn connections() {
    let unreachable = TestCredential::Valid.client("http://127.0.0.1:1".parse().unwrap());
    let request =
        unreachable.request("PURGE".parse().unwrap(), "Patient/canaryid").query("name", "canaryname");
    let request = request.header("prefer", NO_RETRY);
    assert_eq!(capture_error(&request.send().await.unwrap_err()), ErrorKind::Connection);

    let (audience, _) = responding_raw(|_| TRUNCATED).await;
    let client = TestCredential::Valid.client(audience);
    let request = || client.post("Patient/canaryid").query("name", "canaryname").body("canarybody");
    assert_eq!(capture_error(&request().send().await.unwrap_err()), ErrorKind::Connection);
    let mut streamed = request().stream().await.unwrap();
    let error = loop {
        if let Err(error) = streamed.chunk().await {
            break error;
        }
    };
    assert_eq!(capture_error(&error), ErrorKind::Connection);

    let slow = responding(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    let client = TestCredential::Valid
        .builder(fhir(&slow))
        .configure_http(|http| http.read_timeout(Duration::from_millis(20)))
        .build()
        .unwrap();
    let request = client.post("Patient/canaryid").body("canarybody").send();
    assert_eq!(capture_error(&request.await.unwrap_err()), ErrorKind::Timeout);

    let token: &'static str = &TOKEN;
    let mut headers = http::HeaderMap::new();
    headers.insert("x-note", token.parse().unwrap());
    let builder = TestCredential::Valid
        .builder(fhir(&slow))
        .configure_http(move |http| http.default_headers(headers.clone()).user_agent("canaryheader\n"));
    capture_debug(&builder);
    assert_eq!(capture_error(&builder.build().unwrap_err()), ErrorKind::Request);
}

async fn without_token() {
    let server = service().await;
    for credential in TestCredential::FAILING {
        let kind = if matches!(credential, TestCredential::Hangs) {
            ErrorKind::Timeout
        } else {
            ErrorKind::Credential
        };
        let client = credential.client(fhir(&server));
        for _ in 0..2 {
            let request = client.get("Patient/canaryid").query("name", "canaryname");
            assert_eq!(capture_error(&request.send().await.unwrap_err()), kind);
        }
        capture_debug(&client);
    }
}

type Piece = Pin<Box<dyn Future<Output = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>> + Send>>;

/// A body in pieces.
struct Pieces(Vec<Piece>);

impl futures_core::Stream for Pieces {
    type Item = Result<Bytes, Box<dyn std::error::Error + Send + Sync>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(piece) = self.0.first_mut() else { return Poll::Ready(None) };
        let polled = piece.as_mut().poll(context);
        if polled.is_ready() {
            drop(self.0.remove(0));
        }
        polled.map(Some)
    }
}
