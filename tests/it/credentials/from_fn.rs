//! A closure is told what the token is for, is called no more often than needed, and its error is told without secrets.

use std::{
    io,
    sync::{Arc, Mutex},
};

use crate::support::{HOUR, bearer, fhir};
use azure_core::{
    credentials::AccessToken,
    error::{Error, ErrorKind},
    time::OffsetDateTime,
};
use azure_healthcare_auth::{
    Audience, Authenticator,
    credentials::{ChainedTokenCredential, CredentialUnavailableError, TokenRequest, from_fn},
};

#[tokio::test]
async fn it_is_told_what_the_token_is_for_and_whether_the_last_was_refused() {
    let calls: Arc<Mutex<Vec<TokenRequest>>> = Arc::default();
    let written = calls.clone();
    let auth = Authenticator::new(
        fhir(),
        from_fn(move |request| {
            let mut calls = written.lock().unwrap();
            calls.push(request);
            let token = format!("token-{}", calls.len());
            async move { Ok(AccessToken::new(token, OffsetDateTime::now_utc() + HOUR)) }
        }),
    );
    for _ in 0..3 {
        assert_eq!(auth.authorization().await.unwrap(), bearer("token-1"));
    }
    assert_eq!(auth.refresh_rejected(&bearer("token-1")).await.unwrap(), Some(bearer("token-2")));
    let calls = calls.lock().unwrap();
    let seen: Vec<_> =
        calls.iter().map(|call| (call.scope(), call.resource(), call.force_refresh())).collect();
    let (scope, resource) = (auth.audience().scope(), auth.audience().resource());
    assert_eq!(seen, [(scope, resource, false), (scope, resource, true)]);
}

#[tokio::test]
async fn any_error_is_told_without_what_looks_like_a_secret() {
    #[derive(Debug)]
    enum Fails {
        Words,
        Io,
        Azure,
        Unavailable,
    }
    // How it fails, what is told of it, and whether it may pass by itself.
    for (fails, told, transient) in [
        (Fails::Words, "the broker said: key=[redacted]", false),
        (Fails::Io, "No such file or directory", false),
        (Fails::Azure, "connection reset", true),
        (Fails::Unavailable, "start it by `brokerd`", false),
    ] {
        let fails = Arc::new(fails);
        let get = {
            let fails = fails.clone();
            move |_: TokenRequest| {
                let fails = fails.clone();
                async move {
                    match *fails {
                        Fails::Words => Err("the broker said: key=abc8Q~canary0123456789canary0123456789AB")?,
                        Fails::Io => drop(std::fs::read("/nowhere/token")?),
                        Fails::Azure => Err(Error::with_message(ErrorKind::Io, "connection reset"))?,
                        Fails::Unavailable => Err(CredentialUnavailableError::new("start it by `brokerd`"))?,
                    }
                    Ok(AccessToken::new("never", OffsetDateTime::now_utc() + HOUR))
                }
            }
        };
        let error = Authenticator::new(fhir(), from_fn(get)).authorization().await.unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(told) && !shown.contains("canary"), "{fails:?}: {shown}");
        assert_eq!(error.is_transient(), transient, "{fails:?}");
    }
}

#[tokio::test]
async fn a_connection_that_broke_may_pass_and_a_file_that_is_not_there_does_not() {
    #[derive(Debug, thiserror::Error)]
    #[error("the broker cannot be asked")]
    struct Broker(#[source] io::Error);

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
        let bare = from_fn(move |_| std::future::ready(Err(io::Error::from(kind).into())));
        let inside = from_fn(move |_| std::future::ready(Err(Broker(kind.into()).into())));
        for credential in [bare.clone(), inside, Arc::new(ChainedTokenCredential::new().with("broker", bare))]
        {
            let error = Authenticator::new(fhir(), credential).authorization().await.unwrap_err();
            assert_eq!(error.is_transient(), transient, "{kind:?}: {error}");
        }
    }
}

#[tokio::test]
async fn nothing_of_a_closure_is_shown() {
    let token = "canary".to_owned();
    let credential =
        from_fn(move |_| std::future::ready(Ok(AccessToken::new(token.clone(), OffsetDateTime::now_utc()))));
    assert_eq!(format!("{credential:?}"), "FromFn");
}
