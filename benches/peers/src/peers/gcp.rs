use std::{sync::Arc, time::Duration};

use gcp_auth::{CustomServiceAccount, TokenProvider};
use http::HeaderValue;
use rsa::{RsaPrivateKey, pkcs8::EncodePrivateKey, rand_core::OsRng};

use crate::{
    issuer::Issuer,
    peer::{Peer, bearer, to_string},
};

/// A service account, the only credential of this crate whose token endpoint can be changed.
#[derive(Clone)]
pub struct GcpAuth(Arc<CustomServiceAccount>);

impl Peer for GcpAuth {
    const NAME: &str = "gcp_auth";
    const LIFETIME_OF_DUE_TOKEN: Duration = Duration::from_secs(18);
    const TIME_UNTIL_DUE: Duration = Duration::ZERO;
    type Request = ();
    type Authorized = HeaderValue;

    fn new(issuer: &Arc<Issuer>) -> Self {
        let key = RsaPrivateKey::new(&mut OsRng, 2048).expect("the key is generated");
        let account = serde_json::json!({
            "client_email": "records@contoso.example",
            "private_key": *key.to_pkcs8_pem(Default::default()).expect("the key is encoded"),
            "token_uri": issuer.url(),
        });
        Self(Arc::new(CustomServiceAccount::from_json(&account.to_string()).expect("the account is valid")))
    }

    fn request() {}

    async fn authorize(&self, (): &mut ()) -> Result<HeaderValue, String> {
        bearer(self.0.token(&["records"]).await.map_err(to_string)?.as_str())
    }
}
