//! This crate's credentials, by themselves and under a client, where they give a token and where what they ask says
//! too much. Those of the environment are in [`super::environment`].

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use azure_core::{
    credentials::{AccessToken, TokenCredential},
    time::OffsetDateTime,
};
use azure_healthcare_auth::{
    ErrorKind, HealthcareClient,
    credentials::{
        AzurePowerShellCredential, ChainedTokenCredential, CredentialUnavailableError, ProcessExecutor,
        StaticTokenCredential, from_fn,
    },
};
use azure_identity::Executor;

use super::{
    canary::{SECRET, TOKEN},
    providers::Provider,
    tool::TempDir,
    wire::{fhir, service},
    witness::{displayed, failed, met, shown, told},
};

pub(crate) async fn drive() {
    fixed().await;
    closures().await;
    chains().await;
    tools().await;
}

/// Uses a credential by itself and under a client.
async fn used(credential: Arc<dyn TokenCredential>) -> Option<ErrorKind> {
    shown(&*credential);
    if let Err(error) = credential.get_token(&["https://contoso.example/.default"], None).await {
        told(&error);
    }
    under_a_client(credential).await
}

async fn under_a_client(credential: Arc<dyn TokenCredential>) -> Option<ErrorKind> {
    let server = service().await;
    let client = HealthcareClient::new(fhir(&server), credential);
    let outcome = client.get("Patient/canaryid").query("name", "canaryname").send().await;
    shown(&client);
    outcome.err().map(|error| failed(&error))
}

async fn fixed() {
    let later = SystemTime::now() + Duration::from_secs(3_600);
    for token in [
        StaticTokenCredential::new(&TOKEN),
        StaticTokenCredential::with_expiry(&format!("Bearer {}", *TOKEN), later),
    ] {
        let token = token.unwrap();
        shown(&token);
        assert_eq!(used(Arc::new(token)).await, None);
    }
    for unusable in ["canarytoken", "canarytoken canarytoken", "canarytoken\n\u{e9}"] {
        assert_eq!(failed(&StaticTokenCredential::new(unusable).unwrap_err()), ErrorKind::Credential);
    }
    let ended = StaticTokenCredential::with_expiry(&TOKEN, SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(used(Arc::new(ended)).await, Some(ErrorKind::Credential));
}

async fn closures() {
    met("from_fn");
    let gives = from_fn(|request| async move {
        shown(&request);
        Ok(AccessToken::new(TOKEN.clone(), OffsetDateTime::now_utc() + Duration::from_secs(3_600)))
    });
    assert_eq!(used(gives).await, None);
    // By itself it fails with the closure's own error, which no token cache has looked at.
    let tells =
        from_fn(|_| async { Err(format!("the broker said: token={} secret={SECRET}", *TOKEN).into()) });
    assert_eq!(under_a_client(tells).await, Some(ErrorKind::Credential));
    let panics = from_fn(|_| async { std::panic::resume_unwind(Box::new(TOKEN.clone())) });
    assert_eq!(under_a_client(panics).await, Some(ErrorKind::Credential));
}

async fn chains() {
    let absent = CredentialUnavailableError::new("no broker runs here");
    shown(&absent);
    displayed(&absent);
    told(&absent);
    for last in [Provider::Gives, Provider::Tells] {
        let absent = absent.clone();
        let absent = from_fn(move |_| {
            let absent = absent.clone();
            async move { Err(absent.into()) }
        });
        let chain = ChainedTokenCredential::new().with("a broker", absent).with("a provider", Arc::new(last));
        shown(&chain);
        let chain = Arc::new(chain);
        let failure = used(chain.clone()).await;
        assert_eq!(failure.is_none(), matches!(last, Provider::Gives));
        shown(&*chain);
    }
}

async fn tools() {
    let ended = "2100-01-01T00:00:00Z";
    for (says, status) in [
        (format!("azure_healthcare_auth: {{\"token\":\"{}\",\"expires_on\":\"{ended}\"}}", *TOKEN), 0),
        (TOKEN.clone(), 1),
        (format!("secret={SECRET}"), 1),
        (format!("azure_healthcare_auth: {{\"token\":\"{}\",\"expires_on\":null}}", *TOKEN), 0),
        (format!("azure_healthcare_auth: {{\"message\":\"{}\"}}", *TOKEN), 0),
    ] {
        let folder = TempDir::new();
        let answer = format!("#!/bin/sh\necho '{says}'; echo '{says}' >&2; exit {status}\n");
        fs::write(folder.join("pwsh"), answer).unwrap();
        fs::set_permissions(folder.join("pwsh"), fs::Permissions::from_mode(0o755)).unwrap();
        let credential = AzurePowerShellCredential::new().with_program(folder.join("pwsh"));
        shown(&credential);
        if let Err(error) = credential.get_token(&["https://contoso.example/.default"], None).await {
            told(&error);
        }
        used(Arc::new(credential)).await;
    }
    let executor = ProcessExecutor::new();
    shown(&executor);
    // The output is the caller's.
    executor.run(OsStr::new("echo"), &[OsStr::new(&*TOKEN), OsStr::new(SECRET)]).await.unwrap();
}
