//! A small service that counts Patients, with tests that need no Azure account.
//!
//! ```text
//! cargo test --example test_your_service        run its tests against a fake server
//! cargo run --example test_your_service -- URL  serve on port 8080, with the account of `az login`
//! ```

#[cfg(test)]
mod tests;

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient};
use azure_identity::AzureCliCredential;
use serde_json::{Value, json};

/// Builds the service. It receives its client, so that a test can pass one for a fake server.
fn service(fhir: HealthcareClient<FhirAudience>) -> Router {
    Router::new().route("/patients/count", get(count)).with_state(fhir)
}

async fn count(State(fhir): State<HealthcareClient<FhirAudience>>) -> Result<Json<Value>, Failure> {
    let page = fhir.get("Patient").query("_total", "accurate").query("_count", "1").send().await?;
    let page: Value = page.json()?;
    Ok(Json(json!({ "count": page["total"] })))
}

/// An error as the caller sees it. The log has the details.
enum Failure {
    /// The credential failed or the FHIR service is temporarily unavailable.
    Unavailable,
    /// The FHIR service denied the request or sent an invalid response.
    BadGateway,
}

impl From<azure_healthcare_auth::Error> for Failure {
    fn from(error: azure_healthcare_auth::Error) -> Self {
        eprintln!("{error}");
        if error.kind() == ErrorKind::Credential || error.is_transient() {
            Self::Unavailable
        } else {
            Self::BadGateway
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> axum::response::Response {
        match self {
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "The records are temporarily unavailable.")
            }
            Self::BadGateway => (StatusCode::BAD_GATEWAY, "The records cannot be read."),
        }
        .into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(url) = std::env::args().nth(1) else {
        return Err(
            "pass the URL of a FHIR service, such as https://contoso-records.fhir.azurehealthcareapis.com"
                .into(),
        );
    };
    let fhir = HealthcareClient::new(url.parse::<FhirAudience>()?, AzureCliCredential::new(None)?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://127.0.0.1:8080/patients/count");
    Ok(axum::serve(listener, service(fhir)).await?)
}
