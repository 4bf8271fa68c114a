use std::{sync::Arc, time::Duration};

use google_cloud_auth::credentials::{CacheableResource, Credentials, mds};
use http::{Extensions, HeaderMap};

use crate::{
    peer::{Peer, text},
    world::World,
};

/// The credentials of a machine in its cloud.
#[derive(Clone)]
pub struct GoogleCloudAuth(Credentials);

impl Peer for GoogleCloudAuth {
    const NAME: &str = "google-cloud-auth";
    const LIFE_OF_A_DUE_TOKEN: Duration = Duration::from_secs(242);
    const TIME_UNTIL_DUE: Duration = Duration::ZERO;
    const REFRESHES_BY_ITSELF: bool = true;
    type Request = ();
    type Authorized = HeaderMap;

    fn new(world: &Arc<World>) -> Self {
        let builder = mds::Builder::default().with_endpoint(world.url());
        // Otherwise it asks for the quota project and the universe too.
        Self(builder.with_universe_domain("googleapis.com").build().expect("credentials"))
    }

    fn request() {}

    async fn authorize(&self, (): &mut ()) -> Result<HeaderMap, String> {
        match self.0.headers(Extensions::new()).await.map_err(text)? {
            CacheableResource::New { data, .. } => Ok(data),
            CacheableResource::NotModified => unreachable!("nothing was said to be known"),
        }
    }
}
