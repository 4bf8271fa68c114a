//! Hunts for canaries (a token, an id in a path, a name in a query, a body, a diagnostic text) in everything that is
//! printed by itself: `Debug`, `Display`, sources of errors, events and spans at every level, panic messages.

#![cfg(feature = "client")]

#[cfg(all(unix, feature = "identity"))]
mod tool;
mod wire;

use std::{
    error::Error as _,
    fmt::{Debug, Write},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind as CredentialErrorKind,
    time::OffsetDateTime,
};
use azure_healthcare_auth::{
    Authenticator, Body, DicomVersion, Error, ErrorKind, FhirAudience, HealthcareClient,
    testing::{StandIn, StandInCredential},
};
use bytes::Bytes;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};
use wire::{answering, fhir, service};
use wiremock::ResponseTemplate;

const CANARY: &str = "canary";

/// Everything that was traced or panicked with.
static SEEN: Mutex<String> = Mutex::new(String::new());

struct Recorder;

struct Writer;

impl Visit for Writer {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        writeln!(SEEN.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Writer);
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, values: &span::Record<'_>) {
        values.record(&mut Writer);
    }

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Writer);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl log::Log for Recorder {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        writeln!(SEEN.lock().unwrap(), "{}: {}", record.target(), record.args()).unwrap();
    }

    fn flush(&self) {}
}

/// Keeps what is printed of a value.
fn shown(value: &impl Debug) {
    writeln!(SEEN.lock().unwrap(), "{value:?} {value:#?}").unwrap();
}

/// Keeps what is printed of an error and of all its sources, and gives its kind.
fn told(error: Error) -> ErrorKind {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut next = error.source();
    while let Some(source) = next {
        write!(text, " {source} {source:?}").unwrap();
        next = source.source();
    }
    writeln!(SEEN.lock().unwrap(), "{text}").unwrap();
    error.kind()
}

/// Gives a token that is a canary, or fails in one of the ways that show one.
#[derive(Debug)]
enum Credential {
    Gives,
    GivesUnusable,
    GivesEnded,
    Tells,
    Panics,
    Hangs,
}

const TOKEN: &str = "eyJhbGciOiJub25lIn0.canary-canary-canary-0123456789.c2ln";

#[async_trait::async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        _: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let end = OffsetDateTime::now_utc() + Duration::from_secs(3_600);
        match self {
            Self::Gives => Ok(AccessToken::new(TOKEN, end)),
            Self::GivesUnusable => Ok(AccessToken::new(format!("{TOKEN}\n"), end)),
            Self::GivesEnded => Ok(AccessToken::new(TOKEN, end - Duration::from_secs(7_200))),
            Self::Tells => {
                let said = format!(
                    "unreadable answer: {{\"accessToken\":\"{TOKEN}\",\"secret\":\"Ab8Q~canary0123456789canary\"}}"
                );
                Err(azure_core::Error::with_message(CredentialErrorKind::Credential, said))
            }
            Self::Panics => panic!("a provider that panics"),
            Self::Hangs => std::future::pending().await,
        }
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

fn client(audience: FhirAudience, credential: Credential) -> HealthcareClient<FhirAudience> {
    HealthcareClient::from(
        Authenticator::new(audience, Arc::new(credential)).with_token_timeout(Duration::from_millis(20)),
    )
}

#[tokio::test]
async fn on_any_way_through_the_crate() {
    tracing::subscriber::set_global_default(Recorder).unwrap();
    // `reqwest` writes to `log`.
    log::set_logger(&Recorder).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    std::panic::set_hook(Box::new(|panic| writeln!(SEEN.lock().unwrap(), "{panic}").unwrap()));
    let server = service().await;

    // All goes well.
    let good = client(fhir(&server), Credential::Gives);
    let request = || {
        let body = serde_json::json!({ "name": "canary-body" });
        good.post("Patient/canary-id")
            .query("name", "canary-name")
            .header("x-note", "canary-header")
            .json(&body)
    };
    shown(&request());
    shown(&good);
    let response = request().send().await.unwrap();
    shown(&response);
    shown(&request().stream().await.unwrap());
    let auth = Authenticator::new(fhir(&server), Arc::new(Credential::Gives));
    shown(&auth.authorization().await.unwrap());
    shown(&auth);
    shown(auth.audience());
    shown(&Body::from("canary-body"));

    // The service answers what was not expected.
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"code":"forbidden","diagnostics":"canary-diagnostics"}]}"#;
    for status in [400, 401, 403, 404, 412, 500] {
        let answer = ResponseTemplate::new(status)
            .set_body_raw(outcome, "application/fhir+json")
            .insert_header("location", "https://contoso.example/Patient/canary-id")
            .insert_header("x-request-id", "canary id")
            .insert_header("retry-after", "86400")
            .insert_header(
                "www-authenticate",
                "Bearer error=\"invalid_token\", error_description=\"canary said\"",
            );
        let server = answering(answer).await;
        match client(fhir(&server), Credential::Gives).get("Patient/canary-id").send().await {
            Ok(response) => {
                shown(&response);
                assert_eq!(told(response.json::<u8>().unwrap_err()), ErrorKind::Status);
            }
            Err(error) => {
                shown(error.denial().unwrap());
                assert_eq!(told(error), ErrorKind::Denied);
            }
        }
    }
    for body in ["{\"name\":\"canary-body\"", "\"canary-body\"", "canary-body"] {
        let server = answering(ResponseTemplate::new(200).set_body_string(body)).await;
        let response = client(fhir(&server), Credential::Gives).get("Patient").send().await.unwrap();
        assert_eq!(told(response.json::<u8>().unwrap_err()), ErrorKind::Decode);
    }
    let binary = answering(ResponseTemplate::new(200).set_body_bytes(b"canary\xff")).await;
    let response = client(fhir(&binary), Credential::Gives).get("Patient").send().await.unwrap();
    assert_eq!(told(response.text().unwrap_err()), ErrorKind::Decode);
    let small = client(fhir(&binary), Credential::Gives).with_body_limit(1);
    assert_eq!(told(small.get("Patient").send().await.unwrap_err()), ErrorKind::TooLarge);

    // The request cannot be sent.
    struct Unwritable;
    impl serde::Serialize for Unwritable {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("canary-body"))
        }
    }
    for (request, kind) in [
        (good.get("../canary"), ErrorKind::ForeignUrl),
        (good.get("https://user:canary@contoso.example/canary?canary#canary"), ErrorKind::ForeignUrl),
        (good.get("Patient").header("canary header", "x"), ErrorKind::Request),
        (good.get("Patient").header("x", "canary\r\n"), ErrorKind::Request),
        (good.post("Patient").json(&Unwritable), ErrorKind::Request),
    ] {
        shown(&request);
        assert_eq!(told(request.send().await.unwrap_err()), kind);
    }

    // The connection fails, before, within and through the caller's own body.
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let nowhere = client(closed.parse().unwrap(), Credential::Gives);
    let error =
        nowhere.request("PURGE".parse().unwrap(), "Patient/canary-id").query("n", "canary").send().await;
    assert_eq!(told(error.unwrap_err()), ErrorKind::Connection);
    let nowhere = closed.clone();
    let broken = good.post("Patient/canary-id").body_stream(move || {
        let download = reqwest::Client::new().get(format!("{nowhere}/canary?canary")).send();
        Body::stream(Pieces(vec![
            Box::pin(async { Ok(Bytes::from_static(b"canary-body")) }),
            Box::pin(async { Err(download.await.unwrap_err().into()) }),
        ]))
    });
    assert_eq!(told(broken.send().await.unwrap_err()), ErrorKind::Request);

    // There is no token.
    for (credential, kind) in [
        (Credential::GivesUnusable, ErrorKind::Credential),
        (Credential::GivesEnded, ErrorKind::Credential),
        (Credential::Tells, ErrorKind::Credential),
        (Credential::Panics, ErrorKind::Credential),
        (Credential::Hangs, ErrorKind::Timeout),
    ] {
        let client = client(fhir(&server), credential);
        for _ in 0..2 {
            assert_eq!(told(client.get("Patient/canary-id").send().await.unwrap_err()), kind);
        }
        shown(&client);
    }

    // A tool says too much.
    #[cfg(all(unix, feature = "identity"))]
    for (says, status) in [
        (TOKEN.to_owned(), 1),
        (format!("azure_healthcare_auth: {{\"token\":\"{TOKEN}\",\"expires_on\":null}}"), 0),
        (format!("azure_healthcare_auth: {{\"said\":\"{TOKEN}\"}}"), 0),
    ] {
        let folder =
            tool::Folder::of_a_power_shell(&format!("echo '{says}'; echo '{says}' >&2; exit {status}"));
        let credential = azure_healthcare_auth::credentials::AzurePowerShellCredential::new()
            .with_program(folder.join("pwsh"));
        shown(&credential);
        let error = credential.get_token(&["https://contoso.example/.default"], None).await.unwrap_err();
        shown(&error);
        let client = HealthcareClient::new(fhir(&server), Arc::new(credential));
        assert_eq!(told(client.get("Patient/canary-id").send().await.unwrap_err()), ErrorKind::Credential);
    }

    // The stand-in, and what it keeps.
    let stand_in = StandIn::start().await;
    let credential = Arc::new(StandInCredential::new().with_audience("https://wrong.example"));
    let refused = HealthcareClient::new(stand_in.dicom(DicomVersion::V1), credential.clone());
    let error = refused.get("studies").query("PatientName", "canary-name").send().await.unwrap_err();
    assert_eq!(told(error), ErrorKind::Denied);
    shown(&stand_in);
    shown(&credential);
    shown(&stand_in.received());
    let clock = auth.with_clock(|| SystemTime::now() + Duration::from_secs(86_400));
    shown(&clock);

    drop(std::panic::take_hook());
    let seen = SEEN.lock().unwrap();
    let leaks: Vec<&str> =
        seen.lines().filter(|line| line.contains(CANARY) || line.contains("eyJ")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
    // The recorder did see what is meant to be seen.
    assert!(
        ["token received", "request refused", "no token", "reqwest", "panics"]
            .iter()
            .all(|text| seen.contains(text))
    );
}
