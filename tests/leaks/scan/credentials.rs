//! The credentials of this crate, alone and with a client. They return a token, or fail with secrets in the output of
//! what they call. The credentials of the environment are in [`super::environment`].

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
    capture::{capture_chain, capture_debug, capture_display, capture_error, cover},
    marker::{SECRET, TOKEN},
    test_credential::TestCredential,
    tools_support::TempDir,
    wire::{fhir, service},
};

pub(crate) async fn run() {
    static_tokens().await;
    closures().await;
    chains().await;
    tools().await;
}

/// Uses a credential alone and with a client.
async fn use_credential(credential: Arc<dyn TokenCredential>) -> Option<ErrorKind> {
    capture_debug(&*credential);
    if let Err(error) = credential.get_token(&["https://contoso.example/.default"], None).await {
        capture_chain(&error);
    }
    use_with_client(credential).await
}

async fn use_with_client(credential: Arc<dyn TokenCredential>) -> Option<ErrorKind> {
    let server = service().await;
    let client = HealthcareClient::new(fhir(&server), credential);
    let outcome = client.get("Patient/canaryid").query("name", "canaryname").send().await;
    capture_debug(&client);
    outcome.err().map(|error| capture_error(&error))
}

async fn static_tokens() {
    let expires_on = SystemTime::now() + Duration::from_secs(3_600);
    for token in [
        StaticTokenCredential::new(&TOKEN),
        StaticTokenCredential::with_expiry(&format!("Bearer {}", *TOKEN), expires_on),
    ] {
        let token = token.unwrap();
        capture_debug(&token);
        assert_eq!(use_credential(Arc::new(token)).await, None);
    }
    for unusable in ["canarytoken", "canarytoken canarytoken", "canarytoken\n\u{e9}"] {
        assert_eq!(capture_error(&StaticTokenCredential::new(unusable).unwrap_err()), ErrorKind::Credential);
    }
    let expired = StaticTokenCredential::with_expiry(&TOKEN, SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(use_credential(Arc::new(expired)).await, Some(ErrorKind::Credential));
}

async fn closures() {
    cover("from_fn");
    let succeeds = from_fn(|request| async move {
        capture_debug(&request);
        Ok(AccessToken::new(TOKEN.clone(), OffsetDateTime::now_utc() + Duration::from_secs(3_600)))
    });
    assert_eq!(use_credential(succeeds).await, None);
    // Alone, it fails with the closure's own error, which only the token cache redacts.
    let fails =
        from_fn(|_| async { Err(format!("the broker failed: token={} secret={SECRET}", *TOKEN).into()) });
    assert_eq!(use_with_client(fails).await, Some(ErrorKind::Credential));
    let panics = from_fn(|_| async { std::panic::resume_unwind(Box::new(TOKEN.clone())) });
    assert_eq!(use_with_client(panics).await, Some(ErrorKind::Credential));
}

async fn chains() {
    let unavailable = CredentialUnavailableError::new("no broker is running");
    capture_debug(&unavailable);
    capture_display(&unavailable);
    capture_chain(&unavailable);
    for last in [TestCredential::Valid, TestCredential::FailsWithSecrets] {
        let unavailable = unavailable.clone();
        let absent = from_fn(move |_| {
            let unavailable = unavailable.clone();
            async move { Err(unavailable.into()) }
        });
        let chain =
            ChainedTokenCredential::new().with("a broker", absent).with("a test credential", Arc::new(last));
        capture_debug(&chain);
        let chain = Arc::new(chain);
        let failure = use_credential(chain.clone()).await;
        assert_eq!(failure.is_none(), matches!(last, TestCredential::Valid));
        capture_debug(&*chain);
    }
}

async fn tools() {
    let expires_on = "2100-01-01T00:00:00Z";
    for (output, status) in [
        (format!("azure_healthcare_auth: {{\"token\":\"{}\",\"expires_on\":\"{expires_on}\"}}", *TOKEN), 0),
        (TOKEN.clone(), 1),
        (format!("secret={SECRET}"), 1),
        (format!("azure_healthcare_auth: {{\"token\":\"{}\",\"expires_on\":null}}", *TOKEN), 0),
        (format!("azure_healthcare_auth: {{\"message\":\"{}\"}}", *TOKEN), 0),
    ] {
        let folder = TempDir::new();
        let script = format!("#!/bin/sh\necho '{output}'; echo '{output}' >&2; exit {status}\n");
        fs::write(folder.join("pwsh"), script).unwrap();
        fs::set_permissions(folder.join("pwsh"), fs::Permissions::from_mode(0o755)).unwrap();
        let credential = AzurePowerShellCredential::new().with_program(folder.join("pwsh"));
        capture_debug(&credential);
        if let Err(error) = credential.get_token(&["https://contoso.example/.default"], None).await {
            capture_chain(&error);
        }
        use_credential(Arc::new(credential)).await;
    }
    let executor = ProcessExecutor::new();
    capture_debug(&executor);
    // The output belongs to the caller, so it is not captured.
    executor.run(OsStr::new("echo"), &[OsStr::new(&*TOKEN), OsStr::new(SECRET)]).await.unwrap();
}
