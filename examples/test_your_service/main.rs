//! A small service that counts Patients, and how it is tested without Azure.
//!
//! ```text
//! cargo test --example test_your_service        its tests, against a stand-in on this machine
//! cargo run --example test_your_service -- URL  the service on port 8080, signed in by `az login`
//! ```

#[cfg(test)]
mod tests;

use axum::{Json, Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient};
use azure_identity::AzureCliCredential;
use serde_json::{Value, json};

/// The whole service. It is given its client, and so does not know whether that speaks to Azure or to a test.
fn service(fhir: HealthcareClient<FhirAudience>) -> Router {
    Router::new().route("/patients/count", get(count)).with_state(fhir)
}

async fn count(State(fhir): State<HealthcareClient<FhirAudience>>) -> Result<Json<Value>, Failure> {
    let page = fhir.get("Patient").query("_total", "accurate").query("_count", "1").send().await?;
    let page: Value = page.json()?;
    Ok(Json(json!({ "count": page["total"] })))
}

/// What a caller is told. The error itself is for the log: it says who has to do what.
enum Failure {
    /// We cannot sign in, or Azure is busy: it may pass.
    NotNow,
    /// The FHIR service does not let us in, or does not make sense.
    Upstream,
}

impl From<azure_healthcare_auth::Error> for Failure {
    fn from(error: azure_healthcare_auth::Error) -> Self {
        eprintln!("{error}");
        if error.kind() == ErrorKind::Credential || error.is_transient() {
            Self::NotNow
        } else {
            Self::Upstream
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> axum::response::Response {
        match self {
            Self::NotNow => (StatusCode::SERVICE_UNAVAILABLE, "The records cannot be reached now."),
            Self::Upstream => (StatusCode::BAD_GATEWAY, "The records do not answer as they should."),
        }
        .into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(url) = std::env::args().nth(1) else {
        return Err(
            "give the URL of a FHIR service, such as https://contoso-records.fhir.azurehealthcareapis.com"
                .into(),
        );
    };
    let fhir = HealthcareClient::new(url.parse::<FhirAudience>()?, AzureCliCredential::new(None)?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://127.0.0.1:8080/patients/count");
    Ok(axum::serve(listener, service(fhir)).await?)
}
