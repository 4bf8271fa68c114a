use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use object_store::{
    RetryConfig,
    azure::{AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder},
};

use crate::{
    issuer::Issuer,
    peer::{Peer, bearer, to_string},
};

/// The managed identity credential of the Azure store.
#[derive(Clone)]
pub struct ObjectStore(AzureCredentialProvider);

impl Peer for ObjectStore {
    const NAME: &str = "object_store";
    const LIFETIME_OF_DUE_TOKEN: Duration = Duration::from_secs(200);
    // The cache does not refresh a token within 100 ms of the last fetch.
    const TIME_UNTIL_DUE: Duration = Duration::from_millis(150);
    type Request = ();
    type Authorized = HeaderValue;

    fn new(issuer: &Arc<Issuer>) -> Self {
        let store = MicrosoftAzureBuilder::new()
            .with_account("contoso")
            .with_container_name("records")
            .with_msi_endpoint(issuer.url())
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .build()
            .expect("the configuration is valid");
        Self(store.credentials().clone())
    }

    fn request() {}

    async fn authorize(&self, (): &mut ()) -> Result<HeaderValue, String> {
        match &*self.0.get_credential().await.map_err(to_string)? {
            AzureCredential::BearerToken(token) => bearer(token),
            _ => unreachable!("a managed identity returns bearer tokens"),
        }
    }
}
