use std::{sync::Arc, time::Duration};

use gcp_auth::{CustomServiceAccount, TokenProvider};
use http::HeaderValue;
use rsa::{RsaPrivateKey, pkcs8::EncodePrivateKey, rand_core::OsRng};

use crate::{
    peer::{Peer, bearer, text},
    world::World,
};

/// A service account, the one kind of credential that can be sent to another address.
#[derive(Clone)]
pub struct GcpAuth(Arc<CustomServiceAccount>);

impl Peer for GcpAuth {
    const NAME: &str = "gcp_auth";
    const LIFE_OF_A_DUE_TOKEN: Duration = Duration::from_secs(18);
    const TIME_UNTIL_DUE: Duration = Duration::ZERO;
    type Request = ();
    type Authorized = HeaderValue;

    fn new(world: &Arc<World>) -> Self {
        let key = RsaPrivateKey::new(&mut OsRng, 2048).expect("a key");
        let account = serde_json::json!({
            "client_email": "records@contoso.example",
            "private_key": *key.to_pkcs8_pem(Default::default()).expect("PEM"),
            "token_uri": world.url(),
        });
        Self(Arc::new(CustomServiceAccount::from_json(&account.to_string()).expect("an account")))
    }

    fn request() {}

    async fn authorize(&self, (): &mut ()) -> Result<HeaderValue, String> {
        bearer(self.0.token(&["records"]).await.map_err(text)?.as_str())
    }
}
