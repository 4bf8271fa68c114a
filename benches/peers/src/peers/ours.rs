use std::{sync::Arc, time::Duration};

use azure_healthcare_auth::{Authenticator, FhirAudience};
use http::HeaderValue;

use crate::{
    peer::{Peer, text},
    world::World,
};

#[derive(Clone)]
pub struct Ours(Authenticator<FhirAudience>);

impl Peer for Ours {
    const NAME: &str = "azure_healthcare_auth";
    // A token this short is refreshed from half of its life on, and served for a quarter more.
    const LIFE_OF_A_DUE_TOKEN: Duration = Duration::from_secs(12);
    const TIME_UNTIL_DUE: Duration = Duration::from_millis(6_500);
    type Request = ();
    type Authorized = HeaderValue;

    fn new(world: &Arc<World>) -> Self {
        let audience = FhirAudience::workspace("contoso", "records").build().expect("an audience");
        Self(Authenticator::new(audience, world.clone()))
    }

    fn request() {}

    async fn authorize(&self, (): &mut ()) -> Result<HeaderValue, String> {
        self.0.authorization().await.map_err(text)
    }

    async fn send(&self, world: &World) -> Option<Result<(), String>> {
        Some(self.sent(world).await)
    }
}

impl Ours {
    async fn sent(&self, world: &World) -> Result<(), String> {
        let first = self.0.authorization().await.map_err(text)?;
        if world.serve(first.to_str().map_err(text)?).await {
            return Ok(());
        }
        let second = self.0.refresh_rejected(&first).await.map_err(text)?.ok_or("401")?;
        if world.serve(second.to_str().map_err(text)?).await { Ok(()) } else { Err("401 twice".to_owned()) }
    }
}
