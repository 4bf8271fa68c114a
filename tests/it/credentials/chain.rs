//! Tests of `ChainedTokenCredential`.

#[cfg(unix)]
use std::os::unix::process::ExitStatusExt;
#[cfg(windows)]
use std::os::windows::process::ExitStatusExt;
use std::{
    ffi::OsStr,
    future::ready,
    io,
    process::{ExitStatus, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use azure_core::{
    credentials::{AccessToken, TokenCredential},
    error::{Error, ErrorKind},
    time::OffsetDateTime,
};
use azure_healthcare_auth::{
    Authenticator, FhirAudience,
    credentials::{ChainedTokenCredential, CredentialUnavailableError, from_fn},
};
use azure_identity::{AzureCliCredential, AzureCliCredentialOptions, Executor};

use crate::support::{HOUR, fhir};

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";
const NAMES: [&str; 3] = ["first", "second", "third"];

/// The result of a member's `get_token`.
#[derive(Clone, Copy, Debug)]
enum Behavior {
    Token,
    /// A `CredentialUnavailableError`.
    Unavailable,
    /// The error of `AzureCliCredential` if no user is signed in.
    CliLoggedOut,
    /// A rejection by Entra.
    Rejected,
    /// The error of another crate's credential that mentions `az login`.
    MentionsAzLogin,
    ConnectionReset,
}

use Behavior::{CliLoggedOut, ConnectionReset, MentionsAzLogin, Rejected, Token, Unavailable};

/// The names of the members that were called, in order.
type Calls = Arc<Mutex<Vec<&'static str>>>;

/// Runs `az` as if no user is signed in.
#[derive(Debug)]
struct LoggedOut;

#[async_trait::async_trait]
impl Executor for LoggedOut {
    async fn run(&self, _: &OsStr, _: &[&OsStr]) -> io::Result<Output> {
        let stderr = b"ERROR: Please run 'az login' to setup account.".to_vec();
        // Exit code 1 on Unix and 256 on Windows: a failure on both.
        Ok(Output { status: ExitStatus::from_raw(256), stdout: Vec::new(), stderr })
    }
}

fn logged_out_cli() -> Arc<AzureCliCredential> {
    let executor = Some(Arc::new(LoggedOut) as _);
    AzureCliCredential::new(Some(AzureCliCredentialOptions { executor, ..Default::default() })).unwrap()
}

/// A member that records its calls and whose token is its name.
fn member(name: &'static str, behavior: Behavior, calls: &Calls) -> Arc<dyn TokenCredential> {
    let calls = calls.clone();
    from_fn(move |_| {
        calls.lock().unwrap().push(name);
        async move {
            match behavior {
                Token => Ok(AccessToken::new(name, OffsetDateTime::now_utc() + HOUR)),
                Unavailable => Err(CredentialUnavailableError::new("no broker is running").into()),
                CliLoggedOut => Ok(logged_out_cli().get_token(&[SCOPE], None).await?),
                Rejected => Err("AADSTS7000215: Invalid client secret provided.".into()),
                MentionsAzLogin => Err("the broker denied access: run `az login` as another user".into()),
                ConnectionReset => Err(Error::with_message(ErrorKind::Io, "connection reset").into()),
            }
        }
    })
}

fn chain(behaviors: &[Behavior]) -> (Arc<ChainedTokenCredential>, Calls) {
    let calls = Calls::default();
    let members = behaviors.iter().zip(NAMES);
    let chain = members.fold(ChainedTokenCredential::new(), |chain, (behavior, name)| {
        chain.with(name, member(name, *behavior, &calls))
    });
    (Arc::new(chain), calls)
}

/// Returns the message of the authenticator's error for `credential`.
async fn error_message(credential: Arc<dyn TokenCredential>) -> String {
    Authenticator::new(fhir(), credential).authorization().await.unwrap_err().to_string()
}

#[tokio::test]
async fn chain_skips_unavailable_members_and_stops_at_any_other_error() {
    let cases: &[(&[Behavior], &[&str], Option<&str>)] = &[
        (&[Token, Token], &["first"], Some("first")),
        (&[Unavailable, Token], &["first", "second"], Some("second")),
        (&[CliLoggedOut, Unavailable, Token], &["first", "second", "third"], Some("third")),
        (&[Rejected, Token], &["first"], None),
        (&[Unavailable, Rejected, Token], &["first", "second"], None),
        (&[MentionsAzLogin, Token], &["first"], None),
        (&[ConnectionReset, Token], &["first"], None),
        (&[Unavailable, CliLoggedOut], &["first", "second"], None),
        (&[], &[], None),
    ];
    for (behaviors, called, selected) in cases {
        let (chain, calls) = chain(behaviors);
        let token = chain.get_token(&[SCOPE], None).await;
        assert_eq!(token.ok().as_ref().map(|token| token.token.secret()), *selected, "{behaviors:?}");
        assert_eq!(chain.selected(), *selected, "{behaviors:?}");
        assert_eq!(*calls.lock().unwrap(), *called, "{behaviors:?}");
    }
}

#[tokio::test]
async fn selected_member_is_used_for_other_scopes_and_forced_refreshes() {
    let (chain, calls) = chain(&[Unavailable, Token, Token]);
    let auth = Authenticator::new(fhir(), chain);
    let authorization = auth.authorization().await.unwrap();
    auth.for_audience(FhirAudience::account("contoso").build().unwrap()).authorization().await.unwrap();
    auth.refresh_rejected(&authorization).await.unwrap();
    assert_eq!(*calls.lock().unwrap(), ["first", "second", "second", "second"]);
}

#[tokio::test]
async fn selected_member_is_not_skipped_if_it_becomes_unavailable() {
    let call_count = AtomicUsize::new(0);
    let signs_out = from_fn(move |_| {
        ready(match call_count.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(AccessToken::new("first", OffsetDateTime::now_utc() + HOUR)),
            _ => Err(CredentialUnavailableError::new("signed out").into()),
        })
    });
    let calls = Calls::default();
    let chain = ChainedTokenCredential::new()
        .with("first", signs_out)
        .with("second", member("second", Token, &calls));
    chain.get_token(&[SCOPE], None).await.unwrap();
    let error = chain.get_token(&[SCOPE], None).await.unwrap_err();
    assert!(error.to_string().contains("first: signed out"), "{error}");
    assert!(calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn error_lists_the_message_of_each_member_that_was_tried() {
    let fail = |behaviors: &'static [Behavior]| async move {
        let error = Authenticator::new(fhir(), chain(behaviors).0).authorization().await.unwrap_err();
        (error.to_string(), error.is_transient())
    };
    let (message, transient) = fail(&[Unavailable, CliLoggedOut]).await;
    for part in [
        "no credential of the chain is available",
        "first: no broker is running",
        "second: ERROR: Please run 'az login'",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!transient);
    let (message, transient) = fail(&[Unavailable, Rejected, Token]).await;
    for part in ["first: no broker is running", "second: AADSTS7000215"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains("third") && !transient);
    let (_, transient) = fail(&[ConnectionReset]).await;
    assert!(transient, "a failed connection is transient");
    assert!(fail(&[]).await.0.contains("credential chain is empty"));
}

#[tokio::test]
async fn error_of_many_members_is_short_and_redacted() {
    let secret = "abc8Q~canary0123456789canary0123456789AB";
    let chain = (0..8).fold(ChainedTokenCredential::new(), |chain, _| {
        let message = format!("client_secret={secret} {} the end; run az login", "word ".repeat(200));
        let unavailable = CredentialUnavailableError::new(message);
        chain.with("member", from_fn(move |_| ready(Err(unavailable.clone().into()))))
    });
    let error = chain.get_token(&[SCOPE], None).await.unwrap_err();
    let shown = format!("{error} {error:?} {chain:?}");
    assert!(!shown.contains("canary"), "{shown}");
    let message = error_message(Arc::new(chain)).await;
    assert_eq!(message.matches("member: client_secret=[redacted]").count(), 8, "{message}");
    assert_eq!(message.matches("run az login").count(), 8, "{message}");
    assert!(message.len() < 1_000, "{}", message.len());
}

#[tokio::test]
async fn error_of_one_member_is_not_truncated() {
    let text = format!("AADSTS700213: No matching federated identity: {}the end", "word ".repeat(80));
    let (error, calls) = (text.clone(), Calls::default());
    let rejected = from_fn(move |_| ready(Err(error.clone().into())));
    let chain = NAMES.iter().fold(ChainedTokenCredential::new().with("rejected", rejected), |chain, name| {
        chain.with(*name, member(name, Token, &calls))
    });
    let message = error_message(Arc::new(chain)).await;
    assert!(message.contains(&format!("rejected: {text}")), "{message}");
}

#[tokio::test]
async fn nested_chain_without_available_members_is_skipped() {
    let (inner, _) = chain(&[Unavailable, CliLoggedOut]);
    let calls = Calls::default();
    let outer =
        ChainedTokenCredential::new().with("tools", inner).with("last", member("last", Token, &calls));
    assert_eq!(outer.get_token(&[SCOPE], None).await.unwrap().token.secret(), "last");
}

#[tokio::test]
async fn nested_chain_that_stopped_is_not_skipped() {
    for behaviors in
        [[CliLoggedOut, ConnectionReset], [CliLoggedOut, Rejected], [Unavailable, MentionsAzLogin]]
    {
        let (inner, _) = chain(&behaviors);
        let calls = Calls::default();
        let outer =
            ChainedTokenCredential::new().with("tools", inner).with("last", member("last", Token, &calls));
        let error = outer.get_token(&[SCOPE], None).await.unwrap_err();
        assert!(error.to_string().starts_with("tools: first: "), "{behaviors:?}: {error}");
        assert!(calls.lock().unwrap().is_empty(), "{behaviors:?}");
    }
}
