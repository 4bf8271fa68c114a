//! The client of this crate.

use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient, default_http};

use super::{Auth, Outcome, Sent, Subject};

#[derive(Clone)]
pub(crate) struct Clients(HealthcareClient<FhirAudience>);

impl Subject for Clients {
    const MENDS: bool = false;

    fn new(auth: Auth) -> Self {
        Self(HealthcareClient::from_auth(auth).with_http(default_http().http2_prior_knowledge()))
    }

    async fn send(&self, request: Sent) -> Outcome {
        let mut builder = self.0.request(request.method, &request.url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
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
