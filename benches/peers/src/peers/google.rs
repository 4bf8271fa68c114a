use std::{sync::Arc, time::Duration};

use google_cloud_auth::credentials::{CacheableResource, Credentials, mds};
use http::{Extensions, HeaderMap};

use crate::{
    issuer::Issuer,
    peer::{Peer, to_string},
};

/// The credentials of a virtual machine, from the metadata service.
#[derive(Clone)]
pub struct GoogleCloudAuth(Credentials);

impl Peer for GoogleCloudAuth {
    const NAME: &str = "google-cloud-auth";
    const LIFETIME_OF_DUE_TOKEN: Duration = Duration::from_secs(242);
    const TIME_UNTIL_DUE: Duration = Duration::ZERO;
    const REFRESHES_IN_BACKGROUND: bool = true;
    type Request = ();
    type Authorized = HeaderMap;

    fn new(issuer: &Arc<Issuer>) -> Self {
        let builder = mds::Builder::default().with_endpoint(issuer.url());
        // Avoids additional requests for the universe domain.
        Self(builder.with_universe_domain("googleapis.com").build().expect("the configuration is valid"))
    }

    fn request() {}

    async fn authorize(&self, (): &mut ()) -> Result<HeaderMap, String> {
        match self.0.headers(Extensions::new()).await.map_err(to_string)? {
            CacheableResource::New { data, .. } => Ok(data),
            CacheableResource::NotModified => unreachable!("no entity tag was passed"),
        }
    }
}
