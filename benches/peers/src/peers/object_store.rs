use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use object_store::{
    RetryConfig,
    azure::{AzureCredential, AzureCredentialProvider, MicrosoftAzureBuilder},
};

use crate::{
    peer::{Peer, bearer, text},
    world::World,
};

/// The managed identity of its Azure store.
#[derive(Clone)]
pub struct ObjectStore(AzureCredentialProvider);

impl Peer for ObjectStore {
    const NAME: &str = "object_store";
    const LIFE_OF_A_DUE_TOKEN: Duration = Duration::from_secs(200);
    // After a fetch it leaves even a token that is due alone for a tenth of a second.
    const TIME_UNTIL_DUE: Duration = Duration::from_millis(150);
    type Request = ();
    type Authorized = HeaderValue;

    fn new(world: &Arc<World>) -> Self {
        let store = MicrosoftAzureBuilder::new()
            .with_account("contoso")
            .with_container_name("records")
            .with_msi_endpoint(world.url())
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
            .build()
            .expect("a store");
        Self(store.credentials().clone())
    }

    fn request() {}

    async fn authorize(&self, (): &mut ()) -> Result<HeaderValue, String> {
        match &*self.0.get_credential().await.map_err(text)? {
            AzureCredential::BearerToken(token) => bearer(token),
            _ => unreachable!("a managed identity has tokens"),
        }
    }
}
