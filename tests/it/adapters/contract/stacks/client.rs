//! The client of this crate.

use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient};

use super::{Auth, Outcome, Sent, Subject};

#[derive(Clone)]
pub(crate) struct Clients(HealthcareClient<FhirAudience>);

impl Subject for Clients {
    const MENDS: bool = false;

    fn new(auth: Auth) -> Self {
        let builder = HealthcareClient::builder_from_auth(auth);
        Self(builder.configure_http(|http| http.http2_prior_knowledge()).build().unwrap())
    }

    async fn send(&self, request: Sent) -> Outcome {
        let mut builder = self.0.request(request.method, &request.url);
        for (name, value) in request.headers {
            // The client rejects an `Authorization` header of the caller: see `client::authorization_header`.
            if !name.eq_ignore_ascii_case("authorization") {
                builder = builder.header(name, value);
            }
        }
        match builder.body(request.body).send().await {
            Ok(response) => Outcome::Answered(response.status().as_u16()),
            // It explains a refusal, where the others hand it on.
            Err(error) if error.kind() == ErrorKind::Denied => {
                Outcome::Answered(error.status().unwrap().as_u16())
            }
            Err(error) => Outcome::failed(&error),
        }
    }
}
