//! Gets tokens from a custom source, such as an organization's token broker or vault.
//!
//! ```text
//! cargo run --example custom_credential
//! ```
//!
//! The fake server's credential takes the broker's place, so that no Azure account is needed and nothing leaves this machine.

use azure_core::credentials::{AccessToken, TokenCredential};
use azure_healthcare_auth::{
    Authenticator, HealthcareClient, Result,
    credentials::{TokenRequest, from_fn},
};
use azure_healthcare_auth_testing::FakeServer;
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let fake_server = FakeServer::start().await;
    let broker = fake_server.credential();

    // The closure takes a token request and returns a token with its expiry. Return any error with `?`.
    let credential = from_fn(move |request: TokenRequest| {
        let broker = broker.clone();
        async move {
            eprintln!("requesting a token for {} from the broker", request.resource());
            if request.force_refresh() {
                eprintln!(
                    "the service rejected the last token: do not return a token from the broker's cache"
                );
            }
            let token = broker.get_token(&[request.scope()], None).await?;
            Ok(AccessToken::new(token.token, token.expires_on))
        }
    });

    // Concurrent requests share one call of the closure. It is called again before the token expires.
    let client = HealthcareClient::from(Authenticator::new(fake_server.fhir(), credential));
    for _ in 0..3 {
        let bundle: Value = client.get("Patient").send().await?.json()?;
        println!("{} patients on this page", bundle["entry"].as_array().map_or(0, Vec::len));
    }
    Ok(())
}
