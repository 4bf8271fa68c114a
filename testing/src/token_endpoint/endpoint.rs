//! [`FakeTokenEndpoint`]: a fake of the token endpoint of Microsoft Entra.

use std::{fmt, sync::Arc, time::Duration};

use http::StatusCode;
use serde_json::json;
use tokio::sync::oneshot;
use url::Url;

use super::{
    client_auth::EXCHANGE_AUDIENCE, injected::InjectedError, received::ReceivedTokenRequest,
    service::TokenService,
};
use crate::token::{NewToken, unsigned_jwt};

/// The application in which the user of an on-behalf-of request signed in.
const FRONT_END: &str = "0a1b2c3d-0000-4000-8000-5741d1000005";

/// A fake of the token endpoint of Microsoft Entra on `localhost`, over TLS.
///
/// It has one tenant with one application. With it, a test can use the real credentials of `azure_identity` or another
/// library instead of a [`FakeCredential`](crate::FakeCredential). A [`FakeServer`](crate::FakeServer) accepts the
/// tokens.
///
/// # Requests
///
/// `POST /{tenant}/oauth2/v2.0/token` supports these grant types:
///
/// | `grant_type` | Token |
/// |---|---|
/// | `client_credentials` | of the application |
/// | `urn:ietf:params:oauth:grant-type:jwt-bearer` with `requested_token_use=on_behalf_of` | of a user, see [`user_assertion`](Self::user_assertion) |
///
/// The application authenticates with its secret, in the form or with the scheme `Basic`, or with an assertion: its own
/// (see [`client_assertion`](Self::client_assertion)), or one of a workload's identity provider (see
/// [`federated_token`](Self::federated_token)). Claims are checked, but signatures are not.
///
/// `GET /{tenant}/v2.0/.well-known/openid-configuration` and `GET /common/discovery/instance` return the configuration.
/// Anything else that Entra supports gets 501. There are no refresh tokens.
///
/// # Error responses
///
/// An error has the JSON body of an Entra error, with an `error_description` such as `AADSTS7000215: … Trace ID: …
/// Correlation ID: … Timestamp: …`. The endpoint checks these rules in about this order:
///
/// | Code | Request |
/// |---|---|
/// | 90002 | another tenant |
/// | 900023 | a tenant that is neither a GUID nor a domain name |
/// | 50059 | the tenant `common`, `organizations` or `consumers` |
/// | 900144 | a missing parameter |
/// | 70003 | an unknown grant type |
/// | 901002 | the parameter `resource` |
/// | 700016 | another application |
/// | 7000218 | neither a secret nor an assertion |
/// | 7000215 | a wrong secret |
/// | 50027 | an assertion that is not a JWT |
/// | 700024 | an expired assertion of the application or its workload |
/// | 700021, 700023 | an assertion of the application with another subject or audience |
/// | 70025 | a federated token, but the application has no federated credential |
/// | 700211, 700212, 700213 | a federated token with another issuer, audience or subject |
/// | 7002138 | a federated token with a subject that differs only in case |
/// | 70011 | a scope without a resource |
/// | 700022 | scopes of several resources |
/// | 1002012 | a scope other than `.default` for a token of the application |
/// | 50013 | a user's token of another tenant |
/// | 500133 | an expired user's token |
/// | 500131 | a user's token with another audience |
/// | 7000114 | the token of an application instead of a user's token |
///
/// [`inject_error`](Self::inject_error) returns any other code.
///
/// The endpoint stops when the `FakeTokenEndpoint` is dropped.
///
/// # Examples
///
/// ```
/// use azure_core::{
///     cloud::CustomConfiguration,
///     http::{ClientOptions, Transport},
/// };
/// use azure_healthcare_auth::HealthcareClient;
/// use azure_healthcare_auth_testing::{FakeServer, FakeTokenEndpoint};
/// use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoint = FakeTokenEndpoint::start().await;
/// let fake_server = FakeServer::start().await;
///
/// // A real credential, which trusts the certificate of the endpoint and sends its requests there.
/// let certificate = reqwest::Certificate::from_pem(endpoint.certificate_pem().as_bytes())?;
/// let http = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build()?;
/// let mut cloud = CustomConfiguration::default();
/// cloud.authority_host = endpoint.authority_host().into();
/// let client_options = ClientOptions {
///     cloud: Some(Arc::new(cloud.into())),
///     transport: Some(Transport::new(Arc::new(http))),
///     ..ClientOptions::default()
/// };
/// let credential = ClientSecretCredential::new(
///     endpoint.tenant_id(),
///     endpoint.client_id().to_owned(),
///     endpoint.client_secret().to_owned().into(),
///     Some(ClientSecretCredentialOptions { client_options }),
/// )?;
///
/// let fhir = HealthcareClient::new(fake_server.fhir(), credential);
/// assert_eq!(fhir.get("Patient").send().await?.status(), 200);
/// assert_eq!(endpoint.requests()[0].client_id(), Some(endpoint.client_id()));
/// # Ok(()) }
/// ```
pub struct FakeTokenEndpoint {
    pub(super) service: Arc<TokenService>,
    pub(super) certificate: String,
    pub(super) authority_host: Url,
    /// Stops the endpoint when it is dropped.
    pub(super) _running: oneshot::Sender<()>,
}

impl FakeTokenEndpoint {
    /// Returns the base URL of the endpoint, `https://localhost:{port}/`.
    #[must_use]
    pub fn authority_host(&self) -> Url {
        self.authority_host.clone()
    }

    /// Returns the URL of token requests, `https://localhost:{port}/{tenant}/oauth2/v2.0/token`.
    #[must_use]
    pub fn token_url(&self) -> Url {
        let mut url = self.authority_host();
        url.set_path(&format!("{}/oauth2/v2.0/token", self.tenant_id()));
        url
    }

    /// Returns the id of the tenant, by default the one that a [`FakeServer`](crate::FakeServer) expects.
    #[must_use]
    pub fn tenant_id(&self) -> &str {
        &self.service.registration.tenant
    }

    /// Returns the client id of the application.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.service.registration.client
    }

    /// Returns the secret of the application.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        &self.service.registration.secret
    }

    /// Returns the certificate of the authority that a client must trust, in PEM.
    ///
    /// It is generated at the start, and its private key is not kept.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Returns an assertion with which the application authenticates instead of with its secret.
    ///
    /// It has the claims of the documentation, *Microsoft identity platform application authentication certificate
    /// credentials*, and is valid for ten minutes. It is not signed.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth_testing::FakeTokenEndpoint;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let endpoint = FakeTokenEndpoint::start().await;
    /// // For the form of a token request, or for a `ClientAssertionCredential`.
    /// let form = [
    ///     ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
    ///     ("client_assertion", endpoint.client_assertion()),
    /// ];
    /// # assert!(form[1].1.starts_with("eyJ"));
    /// # }
    /// ```
    #[must_use]
    pub fn client_assertion(&self) -> String {
        let registration = &self.service.registration;
        let now = self.service.clock.unix();
        unsigned_jwt(&json!({
            "aud": registration.token_url(),
            "iss": registration.client,
            "sub": registration.client,
            "nbf": now,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
        }))
    }

    /// Returns a token of a workload's identity provider, such as AKS or GitHub Actions.
    ///
    /// The application authenticates with it if it has a matching
    /// [`federated_credential`](crate::FakeTokenEndpointBuilder::federated_credential). It is valid for ten minutes and
    /// not signed. A `WorkloadIdentityCredential` reads it from a file.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth_testing::FakeTokenEndpoint;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> std::io::Result<()> {
    /// let (issuer, subject) = ("https://issuer.example", "system:serviceaccount:records:worker");
    /// let endpoint = FakeTokenEndpoint::builder().federated_credential(issuer, subject).start().await;
    /// let file = std::env::temp_dir().join(format!("federated-token-{}", std::process::id()));
    /// std::fs::write(&file, endpoint.federated_token(issuer, subject))?;
    /// # std::fs::remove_file(file)?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn federated_token(&self, issuer: &str, subject: &str) -> String {
        let now = self.service.clock.unix();
        unsigned_jwt(&json!({
            "aud": EXCHANGE_AUDIENCE,
            "iss": issuer,
            "sub": subject,
            "nbf": now,
            "iat": now,
            "exp": now + ASSERTION_LIFETIME,
        }))
    }

    /// Returns the token that a user got for the application, for an on-behalf-of request.
    ///
    /// It is the token that the front end of the application sends to it. It has the lifetime of the endpoint's other
    /// tokens and the audience `api://{client_id}`.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth_testing::FakeTokenEndpoint;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let endpoint = FakeTokenEndpoint::start().await;
    /// let certificate = reqwest::Certificate::from_pem(endpoint.certificate_pem().as_bytes())?;
    /// let http = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build()?;
    ///
    /// let body = url::form_urlencoded::Serializer::new(String::new())
    ///     .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")
    ///     .append_pair("requested_token_use", "on_behalf_of")
    ///     .append_pair("assertion", &endpoint.user_assertion())
    ///     .append_pair("client_id", endpoint.client_id())
    ///     .append_pair("client_secret", endpoint.client_secret())
    ///     .append_pair("scope", "https://dicom.healthcareapis.azure.com/.default")
    ///     .finish();
    /// let request = http.post(endpoint.token_url()).header("content-type", "application/x-www-form-urlencoded");
    /// assert_eq!(request.body(body).send().await?.status(), 200);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn user_assertion(&self) -> String {
        let registration = &self.service.registration;
        let now = self.service.clock.unix();
        let token = NewToken {
            audience: &registration.app_id_uri(),
            tenant: &registration.tenant,
            app: FRONT_END,
            user_scopes: Some("access_as_user"),
            roles: &[],
            issued_at: now,
            expires_on: self.service.expiry(now),
        };
        token.issue()
    }

    /// Responds to the next token requests with the error that has this AADSTS code.
    ///
    /// The code determines the status, `error` and the text. The endpoint knows about 70 codes; for any other code the
    /// status is 400 and `error` is `invalid_request`. If errors are injected several times, the requests get them in
    /// this order. 90033 has the status 503, after which `azure_identity` retries the request.
    ///
    /// # Examples
    ///
    /// ```
    /// # use azure_core::{cloud::CustomConfiguration, http::{ClientOptions, Transport}};
    /// # use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
    /// use azure_healthcare_auth::{ErrorKind, FhirAudience, HealthcareClient};
    /// use azure_healthcare_auth_testing::FakeTokenEndpoint;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let endpoint = FakeTokenEndpoint::start().await;
    /// # let certificate = reqwest::Certificate::from_pem(endpoint.certificate_pem().as_bytes())?;
    /// # let http = reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).build()?;
    /// # let mut cloud = CustomConfiguration::default();
    /// # cloud.authority_host = endpoint.authority_host().into();
    /// # let client_options = ClientOptions {
    /// #     cloud: Some(std::sync::Arc::new(cloud.into())),
    /// #     transport: Some(Transport::new(std::sync::Arc::new(http))),
    /// #     ..ClientOptions::default()
    /// # };
    /// # let credential = ClientSecretCredential::new(
    /// #     endpoint.tenant_id(),
    /// #     endpoint.client_id().to_owned(),
    /// #     endpoint.client_secret().to_owned().into(),
    /// #     Some(ClientSecretCredentialOptions { client_options }),
    /// # )?;
    /// let fhir = HealthcareClient::new(FhirAudience::workspace("contoso", "records").build()?, credential);
    ///
    /// // The secret of the application has expired.
    /// endpoint.inject_error(1, 7_000_222);
    /// let error = fhir.get("Patient").send().await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Credential);
    /// assert!(error.to_string().contains("AADSTS7000222"));
    /// assert_eq!(endpoint.requests()[0].error_code(), Some(7_000_222));
    /// # Ok(()) }
    /// ```
    pub fn inject_error(&self, requests: usize, code: u32) {
        self.service.state().errors.add(requests, InjectedError::Code(code));
    }

    /// Responds to the next token requests with this status, an HTML page and, if it is given, `Retry-After`.
    ///
    /// Use it for 429, and for a 5xx of the servers in front of Entra. The header has whole seconds, rounded up.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth_testing::FakeTokenEndpoint;
    /// use http::StatusCode;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let endpoint = FakeTokenEndpoint::start().await;
    /// endpoint.inject_status(1, StatusCode::TOO_MANY_REQUESTS, Some(Duration::from_secs(1)));
    /// // The endpoint works again, also if nothing was requested.
    /// endpoint.clear_errors();
    /// endpoint.clear_requests();
    /// assert!(endpoint.requests().is_empty());
    /// # }
    /// ```
    pub fn inject_status(&self, requests: usize, status: StatusCode, retry_after: Option<Duration>) {
        self.service.state().errors.add(requests, InjectedError::Status(status, retry_after));
    }

    /// Removes all injected errors that no request has used up.
    pub fn clear_errors(&self) {
        self.service.state().errors.clear();
    }

    /// Returns the `POST` requests for tokens that were received so far, in the order in which they were handled.
    ///
    /// The list grows until [`clear_requests`](Self::clear_requests) is called.
    #[must_use]
    pub fn requests(&self) -> Vec<ReceivedTokenRequest> {
        self.service.state().requests.clone()
    }

    /// Forgets the requests that were received so far.
    pub fn clear_requests(&self) {
        self.service.state().requests.clear();
    }
}

/// The lifetime of the assertions that a client sends, in seconds.
const ASSERTION_LIFETIME: u64 = 600;

/// Shows the base URL, the tenant and the client id, but neither the secret nor the requests.
impl fmt::Debug for FakeTokenEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeTokenEndpoint")
            .field("authority_host", &self.authority_host.as_str())
            .field("tenant_id", &self.tenant_id())
            .field("client_id", &self.client_id())
            .finish_non_exhaustive()
    }
}
