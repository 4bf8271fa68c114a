//! A service on `axum` with clients of `azure_healthcare_auth` as its state.
//!
//! Both clients have one credential, and their clones share tokens and connections: however many requests come in at
//! once, one token is fetched for each of the two services. What goes wrong is told to the log in full, and to who asked
//! as far as it concerns them. Who may ask this service at all is another matter, and not shown.

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use azure_healthcare_auth::{
    DicomAudience, DicomVersion, Error, ErrorKind, FhirAudience, HealthcareClient,
    testing::{Fault, FakeServer},
};
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;

#[derive(Clone)]
struct Services {
    fhir: HealthcareClient<FhirAudience>,
    dicom: HealthcareClient<DicomAudience>,
}

fn service(services: Services) -> Router {
    Router::new()
        .route("/patients/{id}", get(patient))
        .route("/changes/latest", get(latest_change))
        .with_state(services)
}

async fn patient(State(services): State<Services>, Path(id): Path<String>) -> Result<Json<Value>, Failure> {
    // The client lets nothing out of the service's base URL, but a `?` in an id would be a query.
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if !(1..=64).contains(&id.len()) || !id.bytes().all(is_id) {
        return Err(Failure::NotFound);
    }
    let patient: Value = services.fhir.get(format!("Patient/{id}")).send().await?.json()?;
    Ok(Json(json!({ "name": patient["name"], "birthDate": patient["birthDate"] })))
}

async fn latest_change(State(services): State<Services>) -> Result<Json<Value>, Failure> {
    let latest = services.dicom.get("changefeed/latest").query("includemetadata", "false").send().await?;
    // An empty feed has none: 204, which is read as `null`.
    let latest: Option<Value> = latest.json()?;
    Ok(Json(json!({ "sequence": latest.map(|change| change["sequence"].clone()) })))
}

/// What who asked is told.
enum Failure {
    NotFound,
    /// It may pass, and after this long it is worth another try.
    NotNow(Option<Duration>),
    /// Somebody here has to do something: the log says what.
    Upstream,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // No token and nobody's data is in its text. Of a refusal it is why, and what to do.
        eprintln!("log: {error}");
        match error.kind() {
            ErrorKind::Status if error.status() == Some(StatusCode::NOT_FOUND) => Self::NotFound,
            ErrorKind::UrlNotAllowed => Self::NotFound, // an id such as `..`, which nothing was sent for
            kind if kind == ErrorKind::Credential || error.is_transient() => {
                Self::NotNow(error.retry_after())
            }
            _ => Self::Upstream,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::NotNow(wait) => {
                let wait = wait.map_or(5, |wait| wait.as_secs().max(1)).to_string();
                let said = "The records cannot be reached now.";
                (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, wait)], said).into_response()
            }
            Self::Upstream => (StatusCode::BAD_GATEWAY, "The records cannot be read.").into_response(),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let fake_server = FakeServer::start().await;
    let fhir = HealthcareClient::new(fake_server.fhir(), fake_server.credential());
    let dicom = fhir.for_audience(fake_server.dicom(DicomVersion::V2))?;
    let service = service(Services { fhir, dicom });

    for (fault, path, expected) in [
        (None, "/patients/example-0001", 200),
        (None, "/changes/latest", 200),
        (None, "/patients/nobody", 404),
        (None, "/patients/..%2Fmetadata", 404),
        (None, "/patients/..", 404),
        (None, "/patients/example-0001%3F_elements=name", 404),
        (Some(Fault::Throttled(Duration::from_secs(60))), "/patients/example-0001", 503),
        (Some(Fault::MissingRole), "/changes/latest", 502),
    ] {
        fault.into_iter().for_each(|fault| fake_server.inject_fault(1, fault));
        let answer = service.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
        let (status, wait) = (answer.status(), answer.headers().get(header::RETRY_AFTER).cloned());
        let body = to_bytes(answer.into_body(), 1_000).await?;
        println!("GET {path}: {status} {}", String::from_utf8_lossy(&body));
        assert_eq!((status.as_u16(), wait.is_some()), (expected, expected == 503), "{path}");
    }
    let counts = (fake_server.credential().calls(), fake_server.received().len());
    println!("tokens fetched and requests sent, for two services: {counts:?}");
    assert_eq!(counts, (2, 5), "what is no id was not sent");
    Ok(())
}
