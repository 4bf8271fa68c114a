//! A service on `axum` that has clients of `azure_healthcare_auth` as its state.
//!
//! Both clients use one credential, and their clones share tokens and connections. Any number of concurrent requests
//! fetches only one token per service. The log gets the full error, and the caller gets a short message. Authentication of
//! the callers is not shown.

use std::time::Duration;

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    http::{Request, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use azure_healthcare_auth::{DicomAudience, DicomVersion, Error, ErrorKind, FhirAudience, HealthcareClient};
use azure_healthcare_auth_testing::{FakeServer, Fault};
use serde_json::{Value, json};
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
    // The client rejects paths outside the base URL, but `?` in an id would start a query.
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    if !(1..=64).contains(&id.len()) || !id.bytes().all(is_id) {
        return Err(Failure::NotFound);
    }
    let patient: Value = services.fhir.get(format!("Patient/{id}")).send().await?.json()?;
    Ok(Json(json!({ "name": patient["name"], "birthDate": patient["birthDate"] })))
}

async fn latest_change(State(services): State<Services>) -> Result<Json<Value>, Failure> {
    let latest = services.dicom.get("changefeed/latest").query("includemetadata", "false").send().await?;
    // An empty feed has no latest change. `json` reads its 204 response as `null`.
    let latest: Option<Value> = latest.json()?;
    Ok(Json(json!({ "sequence": latest.map(|change| change["sequence"].clone()) })))
}

/// An error as the caller sees it. The log has the details.
enum Failure {
    NotFound,
    /// A temporary failure. The caller may retry after the duration.
    Unavailable(Option<Duration>),
    /// A failure that an operator has to fix.
    BadGateway,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // The message contains no token and no patient data. For a denial, it has the reason and the fix.
        eprintln!("log: {error}");
        match error.kind() {
            ErrorKind::Status if error.status() == Some(StatusCode::NOT_FOUND) => Self::NotFound,
            // An id such as `..`. Nothing was sent.
            ErrorKind::UrlNotAllowed => Self::NotFound,
            kind if kind == ErrorKind::Credential || error.is_transient() => {
                Self::Unavailable(error.retry_after())
            }
            _ => Self::BadGateway,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Unavailable(wait) => {
                let wait = wait.map_or(5, |wait| wait.as_secs().max(1)).to_string();
                let message = "The records are temporarily unavailable.";
                (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, wait)], message).into_response()
            }
            Self::BadGateway => (StatusCode::BAD_GATEWAY, "The records cannot be read.").into_response(),
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
        (None, "/patients/missing", 404),
        (None, "/patients/..%2Fmetadata", 404),
        (None, "/patients/..", 404),
        (None, "/patients/example-0001%3F_elements=name", 404),
        (Some(Fault::Throttled(Duration::from_secs(60))), "/patients/example-0001", 503),
        (Some(Fault::MissingRole), "/changes/latest", 502),
    ] {
        fault.into_iter().for_each(|fault| fake_server.inject_fault(1, fault));
        let response = service.clone().oneshot(Request::get(path).body(Body::empty())?).await?;
        let (status, wait) = (response.status(), response.headers().get(header::RETRY_AFTER).cloned());
        let body = to_bytes(response.into_body(), 1_000).await?;
        println!("GET {path}: {status} {}", String::from_utf8_lossy(&body));
        assert_eq!((status.as_u16(), wait.is_some()), (expected, expected == 503), "{path}");
    }
    let counts = (fake_server.credential().calls(), fake_server.requests().len());
    println!("{} tokens fetched and {} requests sent for two services", counts.0, counts.1);
    assert_eq!(counts, (2, 5), "invalid ids were not sent");
    Ok(())
}
