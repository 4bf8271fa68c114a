//! A provider of one's own: tokens from whatever an organization has, a broker or a vault.
//!
//! ```text
//! cargo run --example custom_provider
//! ```
//!
//! Here the stand-in's issuer speaks for it, and nothing leaves this machine.

use azure_core::credentials::{AccessToken, TokenCredential};
use azure_healthcare_auth::{
    Authenticator, HealthcareClient, Result,
    credentials::{TokenRequest, from_fn},
    testing::FakeServer,
};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let fake_server = FakeServer::start().await;
    let broker = fake_server.credential();

    // What is asked for goes in; a token and its end come out, or any error by `?`.
    let provider = from_fn(move |request: TokenRequest| {
        let broker = broker.clone();
        async move {
            eprintln!("the broker is asked for a token for {}", request.resource());
            if request.force_refresh() {
                eprintln!("the service refused the last one: one that the broker kept will not do");
            }
            let answer = broker.get_token(&[request.scope()], None).await?;
            Ok(AccessToken::new(answer.token, answer.expires_on))
        }
    });

    // It is called once for all who need a token at the same time, and again before that token ends.
    let client = HealthcareClient::from(Authenticator::new(fake_server.fhir(), provider));
    for _ in 0..3 {
        let bundle: Value = client.get("Patient").send().await?.json()?;
        println!("{} patients on this page", bundle["entry"].as_array().map_or(0, Vec::len));
    }
    Ok(())
}
