//! The client: all goes well, the service answers what was not expected, and the request cannot be sent.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use azure_healthcare_auth::{Body, Cloud, DicomAudience, DicomVersion, ErrorKind, FhirAudience, ServiceKind};
use bytes::Bytes;
use wiremock::ResponseTemplate;

use super::{
    canary::TOKEN,
    providers::Provider,
    wire::{TRUNCATED, responding, responding_raw, dicom, fhir, service},
    witness::{displayed, failed, shown},
};

/// What a request prefers that is sent once, so that nobody waits for its repeats.
pub(crate) const NEVER_REPEATED: &str = "respond-async";

pub(crate) async fn drive() {
    well().await;
    audiences();
    answers().await;
    unsendable().await;
    connections().await;
    without_token().await;
}

async fn well() {
    let server = service().await;
    let client = Provider::Gives.client(fhir(&server));
    let request = || {
        let body = serde_json::json!({ "name": "canarybody" });
        client
            .post("Patient/canaryid")
            .query("name", "canaryname Müller")
            .header("x-note", "canaryheader")
            .json(&body)
    };
    shown(&request());
    shown(&client);
    shown(&client.for_audience(dicom(&server)).unwrap());
    shown(&request().send().await.unwrap());
    shown(&request().stream().await.unwrap());
    let builder = Provider::Gives.builder(fhir(&server)).default_header("x-note", "canaryheader");
    shown(&builder);
    let invalid = builder.default_header("x-note", "canaryheader\r\n");
    shown(&invalid);
    assert_eq!(failed(&invalid.build().unwrap_err()), ErrorKind::Request);
    shown(&Body::from("canarybody"));
    let auth = Provider::Gives.auth(fhir(&server));
    let value = auth.authorization().await.unwrap();
    shown(&value);
    shown(&auth);
    shown(auth.audience());
    assert_eq!(auth.refresh_rejected(&value).await.unwrap(), None);
    let url = format!("{}/Patient/canaryid?name=canaryname", server.uri()).parse().unwrap();
    shown(&auth.authorization_for(&url).await.unwrap());
    let later = Authenticator::builder(fhir(&server), Arc::new(Provider::Gives))
        .token_timeout(Duration::from_millis(20))
        .clock(|| SystemTime::now() + Duration::from_secs(86_400));
    shown(&later);
    let later = later.build();
    shown(&later);
    assert_eq!(failed(&later.authorization().await.unwrap_err()), ErrorKind::Credential);

    // Outside any runtime.
    let auth = Provider::Gives.auth(fhir(&server));
    let poll = move || super::at_once(auth.authorization()).unwrap().unwrap_err();
    assert_eq!(failed(&std::thread::spawn(poll).join().unwrap()), ErrorKind::NoRuntime);
}

fn audiences() {
    let (fhir, dicom) =
        (FhirAudience::workspace("contoso", "records"), DicomAudience::workspace("contoso", "x12"));
    shown(&fhir);
    shown(&dicom);
    shown(&dicom.build().unwrap());
    shown(&Cloud::UsGovernment);
    shown(&DicomVersion::V1);
    shown(&ServiceKind::Fhir);
    displayed(&ServiceKind::Dicom);
    for endpoint in [
        "https://user:canaryuser@contoso.example/",
        "https://contoso.example/?name=canaryname",
        "https://contoso.example/#canaryname",
        "http://user:canaryuser@contoso.example/?name=canaryname",
    ] {
        let builder = FhirAudience::from_endpoint(endpoint);
        shown(&builder);
        assert_eq!(failed(&builder.build().unwrap_err()), ErrorKind::Audience);
        let builder = DicomAudience::from_endpoint(endpoint);
        shown(&builder);
        assert_eq!(failed(&builder.build().unwrap_err()), ErrorKind::Audience);
    }
}

/// As the services write it, with an `OperationOutcome`, and too many headers.
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

async fn answers() {
    for status in [400, 404, 412, 429, 500, 503] {
        let server = responding(outcome(status, "processing")).await;
        let client = Provider::Gives.client(fhir(&server));
        let request = || client.get("Patient/canaryid").query("name", "canaryname");
        let response = request().send().await.unwrap();
        shown(&response);
        assert_eq!(failed(&response.json::<u8>().unwrap_err()), ErrorKind::Status);
        assert_eq!(failed(&response.error_for_status().unwrap_err()), ErrorKind::Status);
        let streamed = request().stream().await.unwrap();
        assert_eq!(failed(&streamed.error_for_status().unwrap_err()), ErrorKind::Status);
    }
    let busy = responding(outcome(503, "throttled").insert_header("x-ms-retry-after-ms", "1")).await;
    let request = Provider::Gives.client(fhir(&busy)).get("Patient/canaryid").query("name", "canaryname");
    assert_eq!(request.send().await.unwrap().attempts(), 4);
    for body in ["{\"name\":\"canarybody\"", "\"canarybody\"", "canarybody"] {
        let server = responding(ResponseTemplate::new(200).set_body_string(body)).await;
        let response = Provider::Gives.client(fhir(&server)).get("Patient/canaryid").send().await.unwrap();
        assert_eq!(failed(&response.json::<u8>().unwrap_err()), ErrorKind::Decode);
    }
    let server = responding(ResponseTemplate::new(200).set_body_bytes(b"canarybody\xff")).await;
    let client = Provider::Gives.client(fhir(&server));
    let response = client.get("Patient").send().await.unwrap();
    assert_eq!(failed(&response.text().unwrap_err()), ErrorKind::Decode);
    let small = Provider::Gives.builder(fhir(&server)).body_limit(1).build().unwrap();
    assert_eq!(failed(&small.get("Patient/canaryid").send().await.unwrap_err()), ErrorKind::TooLarge);
}

async fn unsendable() {
    struct Unwritable;
    impl serde::Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("canarybody"))
        }
    }
    let server = service().await;
    let client = Provider::Gives.client(fhir(&server));
    let broken = client.post("Patient/canaryid").body_stream(|| {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
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
        (client.post("Patient/canaryid").json(&Unwritable), ErrorKind::Request),
        (broken, ErrorKind::Body),
    ] {
        shown(&request);
        assert_eq!(failed(&request.send().await.unwrap_err()), kind);
    }
    let auth = Provider::Gives.auth(fhir(&server));
    for url in ["https://contoso.example/canaryid?n=canaryname", "http://u:canaryuser@127.0.0.1:1/canaryid"] {
        let error = auth.authorization_for(&url.parse().unwrap()).await.unwrap_err();
        assert_eq!(failed(&error), ErrorKind::UrlNotAllowed);
    }
}

async fn connections() {
    let nowhere = Provider::Gives.client("http://127.0.0.1:1".parse().unwrap());
    let request = nowhere.request("PURGE".parse().unwrap(), "Patient/canaryid").query("name", "canaryname");
    let request = request.header("prefer", NEVER_REPEATED);
    assert_eq!(failed(&request.send().await.unwrap_err()), ErrorKind::Connection);

    let (audience, _) = responding_raw(|_| TRUNCATED).await;
    let client = Provider::Gives.client(audience);
    let request = || client.post("Patient/canaryid").query("name", "canaryname").body("canarybody");
    assert_eq!(failed(&request().send().await.unwrap_err()), ErrorKind::Connection);
    let mut streamed = request().stream().await.unwrap();
    let error = loop {
        if let Err(error) = streamed.chunk().await {
            break error;
        }
    };
    assert_eq!(failed(&error), ErrorKind::Connection);

    let slow = responding(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    let client = Provider::Gives
        .builder(fhir(&slow))
        .configure_http(|http| http.read_timeout(Duration::from_millis(20)))
        .build()
        .unwrap();
    let request = client.post("Patient/canaryid").body("canarybody").send();
    assert_eq!(failed(&request.await.unwrap_err()), ErrorKind::Timeout);

    let token: &'static str = &TOKEN;
    let mut headers = http::HeaderMap::new();
    headers.insert("x-note", token.parse().unwrap());
    let builder = Provider::Gives
        .builder(fhir(&slow))
        .configure_http(move |http| http.default_headers(headers.clone()).user_agent("canaryheader\n"));
    shown(&builder);
    assert_eq!(failed(&builder.build().unwrap_err()), ErrorKind::Request);
}

async fn without_token() {
    let server = service().await;
    for provider in Provider::FAILING {
        let kind =
            if matches!(provider, Provider::Hangs) { ErrorKind::Timeout } else { ErrorKind::Credential };
        let client = provider.client(fhir(&server));
        for _ in 0..2 {
            let request = client.get("Patient/canaryid").query("name", "canaryname");
            assert_eq!(failed(&request.send().await.unwrap_err()), kind);
        }
        shown(&client);
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
