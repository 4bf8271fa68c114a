//! `HealthcareClient`.

use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient};

use super::{Auth, Outcome, Stack, TestRequest};

#[derive(Clone)]
pub(crate) struct ClientStack(HealthcareClient<FhirAudience>);

impl Stack for ClientStack {
    const NORMALIZES_URLS: bool = false;

    fn new(auth: Auth) -> Self {
        let builder = HealthcareClient::builder_from_auth(auth);
        Self(builder.configure_http(|http| http.http2_prior_knowledge()).build().unwrap())
    }

    async fn send(&self, request: TestRequest) -> Outcome {
        let mut builder = self.0.request(request.method, &request.url);
        for (name, value) in request.headers {
            // The client rejects an `Authorization` header of the caller: see `client::authorization_header`.
            if !name.eq_ignore_ascii_case("authorization") {
                builder = builder.header(name, value);
            }
        }
        match builder.body(request.body).send().await {
            Ok(response) => Outcome::Response(response.status().as_u16()),
            // The client turns a 401 or 403 into an error. The adapters return the response.
            Err(error) if error.kind() == ErrorKind::Denied => {
                Outcome::Response(error.status().unwrap().as_u16())
            }
            Err(error) => Outcome::from_error(&error),
        }
    }
}
