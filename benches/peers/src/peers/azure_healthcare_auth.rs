use std::{sync::Arc, time::Duration};

use azure_healthcare_auth::{Authenticator, FhirAudience};
use http::HeaderValue;

use crate::{
    issuer::Issuer,
    peer::{Peer, to_string},
};

#[derive(Clone)]
pub struct AzureHealthcareAuth(Authenticator<FhirAudience>);

impl Peer for AzureHealthcareAuth {
    const NAME: &str = "azure_healthcare_auth";
    // A token this short is refreshed after half its lifetime, and used for another quarter of it.
    const LIFETIME_OF_DUE_TOKEN: Duration = Duration::from_secs(12);
    const TIME_UNTIL_DUE: Duration = Duration::from_millis(6_500);
    type Request = ();
    type Authorized = HeaderValue;

    fn new(issuer: &Arc<Issuer>) -> Self {
        let audience = FhirAudience::workspace("contoso", "records").build().expect("the names are valid");
        Self(Authenticator::new(audience, issuer.clone()))
    }

    fn request() {}

    async fn authorize(&self, (): &mut ()) -> Result<HeaderValue, String> {
        self.0.authorization().await.map_err(to_string)
    }

    async fn send(&self, issuer: &Issuer) -> Option<Result<(), String>> {
        Some(self.send_request(issuer).await)
    }
}

impl AzureHealthcareAuth {
    async fn send_request(&self, issuer: &Issuer) -> Result<(), String> {
        let first = self.0.authorization().await.map_err(to_string)?;
        if issuer.serve(first.to_str().map_err(to_string)?).await {
            return Ok(());
        }
        let second = self.0.refresh_rejected(&first).await.map_err(to_string)?.ok_or("401")?;
        if issuer.serve(second.to_str().map_err(to_string)?).await {
            Ok(())
        } else {
            Err("401 twice".to_owned())
        }
    }
}
