//! `wiremock` matchers that check the `Authorization` header of a request.

use http::header::AUTHORIZATION;
use wiremock::{Match, Request};

use azure_healthcare_auth::Audience;

use crate::token::TokenClaims;

/// Returns a matcher for requests with exactly one Bearer token, whose `aud` claim is the resource of `audience`.
///
/// The token must be a JWT, such as those that [`FakeCredential`](crate::FakeCredential) issues. Its other claims are
/// not checked, so an expired token or one from another tenant matches too.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{FhirAudience, HealthcareClient};
/// use azure_healthcare_auth_testing::{FakeCredential, bearer_for};
/// use std::sync::Arc;
/// use wiremock::{Mock, MockServer, ResponseTemplate, matchers::{method, path}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let server = MockServer::start().await;
/// let audience: FhirAudience = server.uri().parse()?;
/// Mock::given(method("DELETE"))
///     .and(path("/Patient/example-0001"))
///     .and(bearer_for(&audience))
///     .respond_with(ResponseTemplate::new(204))
///     .expect(1)
///     .mount(&server)
///     .await;
///
/// let fhir = HealthcareClient::new(audience, Arc::new(FakeCredential::new()));
/// assert_eq!(fhir.delete("Patient/example-0001").send().await?.status(), 204);
/// # Ok(()) }
/// ```
#[must_use = "a matcher does nothing until it is passed to `wiremock::Mock::given` or `and`"]
pub fn bearer_for<A: Audience>(audience: &A) -> impl Match + use<A> {
    let expected = audience.resource().to_owned();
    move |request: &Request| {
        TokenClaims::from_headers(&request.headers)
            .is_ok_and(|claims| claims.audiences().any(|audience| audience == expected))
    }
}

/// Returns a matcher for requests without an `Authorization` header.
///
/// Use it to check that no token goes to another host, such as the blob storage that contains the files of an export.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth_testing::no_authorization;
/// use wiremock::{Mock, MockServer, ResponseTemplate};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), reqwest::Error> {
/// let storage = MockServer::start().await;
/// let file = ResponseTemplate::new(200).set_body_string("{}");
/// Mock::given(no_authorization()).respond_with(file).mount(&storage).await;
///
/// # let http = reqwest::Client::builder().no_proxy().build()?;
/// let file = http.get(format!("{}/export/Patient-1.ndjson", storage.uri())).send().await?;
/// assert_eq!(file.status(), 200);
/// # Ok(()) }
/// ```
#[must_use = "a matcher does nothing until it is passed to `wiremock::Mock::given` or `and`"]
pub fn no_authorization() -> impl Match {
    |request: &Request| !request.headers.contains_key(AUTHORIZATION)
}

#[cfg(test)]
mod tests {
    use azure_core::credentials::TokenCredential;
    use azure_healthcare_auth::{DicomAudience, FhirAudience};
    use http::{HeaderMap, Method};

    use super::*;
    use crate::FakeCredential;

    async fn token(scope: &str) -> String {
        let token = FakeCredential::new().get_token(&[scope], None).await.unwrap();
        format!("Bearer {}", token.token.secret())
    }

    fn request_with(values: &[&str]) -> Request {
        Request {
            url: "http://localhost/Patient".parse().unwrap(),
            method: Method::GET,
            headers: values
                .iter()
                .map(|value| (AUTHORIZATION, value.parse().unwrap()))
                .collect::<HeaderMap>(),
            body: Vec::new(),
        }
    }

    #[tokio::test]
    async fn bearer_for_matches_only_one_token_for_the_audience() {
        let fhir: FhirAudience = "http://127.0.0.1:1".parse().unwrap();
        let dicom: DicomAudience = "http://127.0.0.1:2".parse().unwrap();
        let (for_fhir, for_dicom) = (token(fhir.scope()).await, token(dicom.scope()).await);
        for (values, is_for_fhir, is_for_dicom) in [
            (&[&*for_fhir][..], true, false),
            (&[&*for_dicom], false, true),
            (&[&*for_fhir, &*for_fhir], false, false),
            (&["Bearer opaque"], false, false),
            (&[], false, false),
        ] {
            let request = request_with(values);
            assert_eq!(bearer_for(&fhir).matches(&request), is_for_fhir, "{values:?}");
            assert_eq!(bearer_for(&dicom).matches(&request), is_for_dicom, "{values:?}");
        }
    }

    #[test]
    fn no_authorization_rejects_even_an_empty_header() {
        assert!(no_authorization().matches(&request_with(&[])));
        assert!(!no_authorization().matches(&request_with(&[""])));
    }
}
