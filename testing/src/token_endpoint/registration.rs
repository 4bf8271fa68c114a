//! [`Registration`]: the application that the token endpoint knows.

/// The tenant, the application and the credentials that the application may use.
#[derive(Clone)]
pub(super) struct Registration {
    /// The base URL of the endpoint without a final slash, such as `https://localhost:1234`.
    pub(super) authority: String,
    pub(super) tenant: String,
    pub(super) client: String,
    pub(super) secret: String,
    pub(super) federated: Vec<Federated>,
}

/// A federated credential: the identity of a workload at another identity provider.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Federated {
    pub(super) issuer: String,
    pub(super) subject: String,
}

impl Registration {
    /// Returns the URL of the token endpoint.
    pub(super) fn token_url(&self) -> String {
        format!("{}/{}/oauth2/v2.0/token", self.authority, self.tenant)
    }

    /// Returns the issuer of the tenant in version 2 of the endpoint.
    pub(super) fn issuer(&self) -> String {
        format!("{}/{}/v2.0", self.authority, self.tenant)
    }

    /// Returns the identifier URI of the application, which is the audience of the tokens that users get for it.
    pub(super) fn app_id_uri(&self) -> String {
        format!("api://{}", self.client)
    }
}
