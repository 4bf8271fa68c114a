//! Reads Patients as types of `fhir-sdk` with tokens of `azure_healthcare_auth`, in two ways.
//!
//! **Types of `fhir-sdk`, requests of this crate** ([`with_healthcare_client`]). All guarantees of this crate apply.
//! Prefer this one.
//!
//! **Client of `fhir-sdk`, tokens of this crate** ([`with_fhir_sdk_client`]), for its references and transactions. It sends
//! requests with a `reqwest::Client`, to which no middleware can be added, and asks for a new header after a 401:
//!
//! | Guarantee of this crate | Applies |
//! |---|---|
//! | Concurrent requests share one fetch, and a 401 is replayed once. | yes, through [`Login`] |
//! | A token is refreshed before it expires. | no: a token is used until a request is rejected, so each new token costs one 401 |
//! | The token stays with its service. | partly: `fhir-sdk` checks the origin, but not the base path |
//! | Redirects are not followed. | only because of the `reqwest` client that is passed here |
//! | A `POST` is not sent twice. | only with `retries(0)`: by default, each request is sent up to 4 times if a connection fails |
//! | A denial is explained. | no: the response is returned as it is |
//! | Logs contain nothing about a patient. | **no**: `fhir-sdk` logs whole URLs with search parameters at INFO, and its errors contain ids and `diagnostics`. Turn its target off (`fhir_sdk=off`), and log only the variant of its errors |
//!
//! Its client requests `fhirVersion=4.3` (R4B), but these services use R4 (4.0). The fake server ignores the version. This
//! has not been tried with a real service. The client of this crate does not request a version, and an R4 Patient can be
//! read as an R4B one.

use std::time::Duration;

use azure_healthcare_auth::{Authenticator, Error, FhirAudience, HealthcareClient};
use azure_healthcare_auth_testing::{FakeServer, Fault};
use fhir_sdk::{
    HeaderValue, HttpClient, TryStreamExt,
    client::{Client, LoginManager, RequestSettings, SearchParameters},
    r4b::resources::{Bundle, Patient},
    version::FhirR4B,
};
use reqwest::redirect::Policy;

type BoxError = Box<dyn std::error::Error>;

/// Reads all Patients page by page. The client follows a `next` link only inside the audience.
async fn with_healthcare_client(fhir: &HealthcareClient<FhirAudience>) -> Result<Vec<Patient>, BoxError> {
    let mut patients = Vec::new();
    let mut next = Some("Patient?_count=10".to_owned());
    while let Some(url) = next {
        let mut page: Bundle = fhir.get(url).send().await?.json()?;
        next = page.next_page_url().cloned();
        for mut entry in page.entry.drain(..).flatten() {
            patients.extend(entry.resource.take().map(Patient::try_from).transpose()?);
        }
    }
    Ok(patients)
}

/// Reads all Patients with the paging of `fhir-sdk`.
async fn with_fhir_sdk_client(fhir: &Client<FhirR4B>) -> Result<Vec<Patient>, BoxError> {
    let first = fhir.search(SearchParameters::empty().and_raw("_count", 10)).await?;
    Ok(first.all_matches().try_collect().await?)
}

fn fhir_sdk_client(auth: &Authenticator<FhirAudience>) -> Result<Client<FhirR4B>, BoxError> {
    let mut http =
        reqwest::Client::builder().connect_timeout(Duration::from_secs(20)).redirect(Policy::none());
    if auth.audience().endpoint().scheme() == "http" {
        // The request is unencrypted and stays on this machine, so no proxy may see it.
        http = http.no_proxy();
    }
    let client = Client::builder()
        .base_url(auth.audience().endpoint().clone())
        .client(http.build()?)
        .request_settings(RequestSettings::default().retries(0))
        .auth_callback(Login { auth: auth.clone(), last: None });
    Ok(client.build()?)
}

/// Returns an `Authorization` header to `fhir-sdk` after each 401.
struct Login {
    auth: Authenticator<FhirAudience>,
    /// The last value. Another call means that the service rejected it.
    last: Option<HeaderValue>,
}

impl LoginManager for Login {
    type Error = Error;

    async fn authenticate(&mut self, _: HttpClient) -> Result<HeaderValue, Error> {
        let other = match &self.last {
            Some(rejected) => self.auth.refresh_rejected(rejected).await.ok().flatten(),
            None => None,
        };
        let value = match other {
            Some(value) => value,
            // The service rejects the same value again, and the caller gets that response.
            None => self.auth.authorization().await?,
        };
        self.last = Some(value.clone());
        Ok(value)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let fake_server = FakeServer::start().await;
    let auth = Authenticator::new(fake_server.fhir(), fake_server.credential());
    let statuses = |from: usize| -> Vec<u16> {
        fake_server.requests()[from..].iter().map(|request| request.status().as_u16()).collect()
    };

    let patients = with_healthcare_client(&HealthcareClient::from(auth.clone())).await?;
    println!("HealthcareClient: {} Patients, statuses {:?}", patients.len(), statuses(0));
    assert_eq!((patients.len(), statuses(0)), (25, vec![200; 3]));

    let client = fhir_sdk_client(&auth)?;
    let other = with_fhir_sdk_client(&client).await?;
    println!("fhir-sdk client: {} Patients, statuses {:?}", other.len(), statuses(3));
    assert_eq!((&other, statuses(3)), (&patients, vec![401, 200, 200, 200]));
    assert_eq!(fake_server.credential().calls(), 1, "both clients use one token");

    fake_server.inject_fault(1, Fault::UnknownKey);
    assert_eq!(with_fhir_sdk_client(&client).await?, patients);
    println!("fhir-sdk client with a rejected token: statuses {:?}", statuses(7));
    assert_eq!((statuses(7), fake_server.credential().calls()), (vec![401, 200, 200, 200], 2));
    assert!(!format!("{client:?}").contains("Bearer"), "the token is marked sensitive");
    Ok(())
}
