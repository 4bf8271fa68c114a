//! Patients as types of `fhir-sdk`, with the tokens of `azure_healthcare_auth`. There are two ways.
//!
//! **Its types, our requests** ([`by_our_client`]). Everything that this crate promises holds. Take this one where you
//! can.
//!
//! **Its client, our tokens** ([`by_its_client`]), where its references and transactions are wanted. It sends by a
//! `reqwest::Client`, below which no middleware can be put, and asks for a header when the service has answered 401.
//! What holds then, and what does not:
//!
//! | | |
//! |---|---|
//! | one fetch for all who ask; after a 401 one replay | yes, by [`Login`] |
//! | a token is renewed before it ends | no: it is used until it is refused, so each new one costs a refused request |
//! | the token stays with its service | the origin is checked, by `fhir-sdk`; the base path is not |
//! | redirects are not followed | only by the `reqwest` client that it is given here |
//! | a `POST` does not act twice | only with `retries(0)`: by default each request is sent up to 4 times when a connection breaks |
//! | a refusal says why | no: it is the service's answer as it came |
//! | quiet logs | **no**: whole URLs, with whom was searched for, at INFO; ids and `diagnostics` in its errors' text. Turn its target off (`fhir_sdk=off`) and log of its errors no more than the variant |
//!
//! It asks for `fhirVersion=4.3`, R4B, while these services are R4 (4.0). The stand-in does not mind; a service was not
//! tried. By our client nothing of the kind is sent, and an R4 Patient can be read as one of R4B.

use azure_healthcare_auth::{
    Audience, Authenticator, Error, FhirAudience, HealthcareClient,
    testing::{Fault, FakeServer},
};
use fhir_sdk::{
    HeaderValue, HttpClient, TryStreamExt,
    client::{Client, LoginManager, RequestSettings, SearchParameters},
    r4b::resources::{Bundle, Patient},
    version::FhirR4B,
};
use reqwest::redirect::Policy;

type Failure = Box<dyn std::error::Error>;

/// All Patients, page by page: what a page names as the next one is followed only inside the audience.
async fn by_our_client(fhir: &HealthcareClient<FhirAudience>) -> Result<Vec<Patient>, Failure> {
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

/// All Patients, by its paging.
async fn by_its_client(fhir: &Client<FhirR4B>) -> Result<Vec<Patient>, Failure> {
    let first = fhir.search(SearchParameters::empty().and_raw("_count", 10)).await?;
    Ok(first.all_matches().try_collect().await?)
}

fn its_client(auth: &Authenticator<FhirAudience>) -> Result<Client<FhirR4B>, Failure> {
    let mut http = reqwest::Client::builder().redirect(Policy::none());
    if auth.audience().endpoint().scheme() == "http" {
        // On this machine, in clear: no proxy must hear it.
        http = http.no_proxy();
    }
    let client = Client::builder()
        .base_url(auth.audience().endpoint().clone())
        .client(http.build()?)
        .request_settings(RequestSettings::default().retries(0))
        .auth_callback(Login { auth: auth.clone(), given: None });
    Ok(client.build()?)
}

/// Gives `fhir-sdk` a header whenever the service has answered 401.
struct Login {
    auth: Authenticator<FhirAudience>,
    /// What the service has refused, when there is another call.
    given: Option<HeaderValue>,
}

impl LoginManager for Login {
    type Error = Error;

    async fn authenticate(&mut self, _: HttpClient) -> Result<HeaderValue, Error> {
        let other = match &self.given {
            Some(refused) => self.auth.refresh_rejected(refused).await?,
            None => None,
        };
        let value = match other {
            Some(value) => value,
            // The same value is refused again, and the caller gets that answer.
            None => self.auth.authorization().await?,
        };
        self.given = Some(value.clone());
        Ok(value)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let fake_server = FakeServer::start().await;
    let auth = Authenticator::new(fake_server.fhir(), fake_server.credential());
    let statuses = |from: usize| -> Vec<u16> {
        fake_server.received()[from..].iter().map(|request| request.status().as_u16()).collect()
    };

    let ours = by_our_client(&HealthcareClient::from(auth.clone())).await?;
    println!("our client: {} Patients, answers {:?}", ours.len(), statuses(0));
    assert_eq!((ours.len(), statuses(0)), (25, vec![200; 3]));

    let client = its_client(&auth)?;
    let its = by_its_client(&client).await?;
    println!("its client: {} Patients, answers {:?}", its.len(), statuses(3));
    assert_eq!((&its, statuses(3)), (&ours, vec![401, 200, 200, 200]));
    assert_eq!(fake_server.credential().calls(), 1, "both use one token");

    fake_server.inject_fault(1, Fault::UnknownKey);
    assert_eq!(by_its_client(&client).await?, ours);
    println!("its client, its token revoked: answers {:?}", statuses(7));
    assert_eq!((statuses(7), fake_server.credential().calls()), (vec![401, 200, 200, 200], 2));
    assert!(!format!("{client:?}").contains("Bearer"), "the token is marked sensitive");
    Ok(())
}
