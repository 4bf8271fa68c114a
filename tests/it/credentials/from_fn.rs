//! Tests of `from_fn`.

use std::{
    future::ready,
    io,
    sync::{Arc, Mutex},
};

use azure_core::{
    credentials::AccessToken,
    error::{Error, ErrorKind},
    time::OffsetDateTime,
};
use azure_healthcare_auth::{
    Authenticator,
    credentials::{ChainedTokenCredential, CredentialUnavailableError, TokenRequest, from_fn},
};

use crate::support::{HOUR, bearer, fhir};

#[tokio::test]
async fn closure_receives_scope_resource_and_forced_refresh() {
    let requests: Arc<Mutex<Vec<TokenRequest>>> = Arc::default();
    let recorded = requests.clone();
    let auth = Authenticator::new(
        fhir(),
        from_fn(move |request| {
            let mut requests = recorded.lock().unwrap();
            requests.push(request);
            let token = format!("token-{}", requests.len());
            ready(Ok(AccessToken::new(token, OffsetDateTime::now_utc() + HOUR)))
        }),
    );
    for _ in 0..3 {
        assert_eq!(auth.authorization().await.unwrap(), bearer("token-1"));
    }
    assert_eq!(auth.refresh_rejected(&bearer("token-1")).await.unwrap(), Some(bearer("token-2")));
    let requests = requests.lock().unwrap();
    let received: Vec<_> = requests
        .iter()
        .map(|request| (request.scope(), request.resource(), request.force_refresh()))
        .collect();
    let (scope, resource) = (auth.audience().scope(), auth.audience().resource());
    assert_eq!(received, [(scope, resource, false), (scope, resource, true)]);
}

#[tokio::test]
async fn error_message_is_kept_and_redacted() {
    #[derive(Clone, Copy, Debug)]
    enum Failure {
        Text,
        Io,
        Azure,
        Unavailable,
    }
    for (failure, message, transient) in [
        (Failure::Text, "the broker failed: key=[redacted]", false),
        (Failure::Io, "the token file is missing", false),
        (Failure::Azure, "connection reset", true),
        (Failure::Unavailable, "start it with `brokerd`", false),
    ] {
        let get_token = move |_: TokenRequest| async move {
            match failure {
                Failure::Text => Err("the broker failed: key=abc8Q~canary0123456789canary0123456789AB")?,
                Failure::Io => Err(io::Error::new(io::ErrorKind::NotFound, "the token file is missing"))?,
                Failure::Azure => Err(Error::with_message(ErrorKind::Io, "connection reset"))?,
                Failure::Unavailable => Err(CredentialUnavailableError::new("start it with `brokerd`"))?,
            }
            Ok(AccessToken::new("unused", OffsetDateTime::now_utc() + HOUR))
        };
        let error = Authenticator::new(fhir(), from_fn(get_token)).authorization().await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(message) && !shown.contains("canary"), "{failure:?}: {shown}");
        assert_eq!(error.is_transient(), transient, "{failure:?}");
    }
}

#[tokio::test]
async fn only_io_errors_of_broken_connections_are_transient() {
    #[derive(Debug, thiserror::Error)]
    #[error("the request to the broker failed")]
    struct BrokerError(#[source] io::Error);

    for (kind, transient) in [
        (io::ErrorKind::ConnectionRefused, true),
        (io::ErrorKind::ConnectionReset, true),
        (io::ErrorKind::ConnectionAborted, true),
        (io::ErrorKind::HostUnreachable, true),
        (io::ErrorKind::NetworkUnreachable, true),
        (io::ErrorKind::NetworkDown, true),
        (io::ErrorKind::BrokenPipe, true),
        (io::ErrorKind::TimedOut, true),
        (io::ErrorKind::UnexpectedEof, true),
        (io::ErrorKind::NotFound, false),
        (io::ErrorKind::PermissionDenied, false),
        (io::ErrorKind::InvalidData, false),
        (io::ErrorKind::Other, false),
    ] {
        let direct = from_fn(move |_| ready(Err(io::Error::from(kind).into())));
        let as_source = from_fn(move |_| ready(Err(BrokerError(kind.into()).into())));
        let in_chain = Arc::new(ChainedTokenCredential::new().with("broker", direct.clone()));
        for credential in [direct, as_source, in_chain] {
            let error = Authenticator::new(fhir(), credential).authorization().await.unwrap_err();
            assert_eq!(error.is_transient(), transient, "{kind:?}: {error}");
        }
    }
}

#[tokio::test]
async fn debug_does_not_contain_captured_values() {
    let token = "canary".to_owned();
    let credential = from_fn(move |_| ready(Ok(AccessToken::new(token.clone(), OffsetDateTime::now_utc()))));
    assert_eq!(format!("{credential:?}"), "FromFn");
}
