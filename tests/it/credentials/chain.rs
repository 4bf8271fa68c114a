//! A chain goes on from a credential that is not there, stops at one that was refused, and stays with the first that
//! gave a token.

#[cfg(unix)]
use std::os::unix::process::ExitStatusExt;
#[cfg(windows)]
use std::os::windows::process::ExitStatusExt;
use std::{
    ffi::OsStr,
    io,
    process::{ExitStatus, Output},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::support::{HOUR, fhir};
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

const SCOPE: &str = "https://contoso-records.fhir.azurehealthcareapis.com/.default";

/// What a member does when it is asked.
#[derive(Clone, Copy, Debug)]
enum Does {
    Gives,
    /// Says by [`CredentialUnavailableError`] that it is not there.
    IsAbsent,
    /// Is Azure CLI in which nobody is signed in, asked by `azure_identity`.
    NeedsLogin,
    IsRefused,
    /// Is one of another's, whose refusal reads like that of Azure CLI.
    SaysLogin,
    Breaks,
}

use Does::{Breaks, Gives, IsAbsent, IsRefused, NeedsLogin, SaysLogin};

#[derive(Debug)]
struct LoggedOut;

#[async_trait::async_trait]
impl Executor for LoggedOut {
    async fn run(&self, _: &OsStr, _: &[&OsStr]) -> io::Result<Output> {
        let stderr = b"ERROR: Please run 'az login' to setup account.".to_vec();
        // On Unix a code of 1, on Windows another that is no success.
        Ok(Output { status: ExitStatus::from_raw(256), stdout: Vec::new(), stderr })
    }
}

fn logged_out() -> Arc<AzureCliCredential> {
    let executor = Some(Arc::new(LoggedOut) as _);
    AzureCliCredential::new(Some(AzureCliCredentialOptions { executor, ..Default::default() })).unwrap()
}

/// A member whose name is its token, and that writes down each call.
fn member(name: &'static str, does: Does, asked: &Arc<Mutex<Vec<&'static str>>>) -> Arc<dyn TokenCredential> {
    let asked = asked.clone();
    from_fn(move |_| {
        asked.lock().unwrap().push(name);
        async move {
            match does {
                Gives => Ok(AccessToken::new(name, OffsetDateTime::now_utc() + HOUR)),
                IsAbsent => Err(CredentialUnavailableError::new("no broker runs here").into()),
                NeedsLogin => Ok(logged_out().get_token(&[SCOPE], None).await?),
                IsRefused => Err("AADSTS7000215: Invalid client secret provided.".into()),
                SaysLogin => Err("the broker refuses: run `az login` as somebody who may".into()),
                Breaks => Err(Error::with_message(ErrorKind::Io, "connection reset").into()),
            }
        }
    })
}

const NAMES: [&str; 3] = ["first", "second", "third"];

fn chain(does: &[Does]) -> (Arc<ChainedTokenCredential>, Arc<Mutex<Vec<&'static str>>>) {
    let asked = Arc::default();
    let members = does.iter().zip(NAMES);
    let chain = members.fold(ChainedTokenCredential::new(), |chain, (does, name)| {
        chain.with(name, member(name, *does, &asked))
    });
    (Arc::new(chain), asked)
}

#[tokio::test]
async fn it_goes_on_from_what_is_not_there_and_stops_at_a_refusal() {
    // What the members do, whom the chain asks, and who answers.
    let rows: &[(&[Does], &[&str], Option<&str>)] = &[
        (&[Gives, Gives], &["first"], Some("first")),
        (&[IsAbsent, Gives], &["first", "second"], Some("second")),
        (&[NeedsLogin, IsAbsent, Gives], &["first", "second", "third"], Some("third")),
        (&[IsRefused, Gives], &["first"], None),
        (&[IsAbsent, IsRefused, Gives], &["first", "second"], None),
        (&[SaysLogin, Gives], &["first"], None),
        (&[Breaks, Gives], &["first"], None),
        (&[IsAbsent, NeedsLogin], &["first", "second"], None),
        (&[], &[], None),
    ];
    for (does, whom, who) in rows {
        let (chain, asked) = chain(does);
        let token = chain.get_token(&[SCOPE], None).await;
        assert_eq!(token.ok().as_ref().map(|token| token.token.secret()), *who, "{does:?}");
        assert_eq!(chain.selected(), *who, "{does:?}");
        assert_eq!(*asked.lock().unwrap(), *whom, "{does:?}");
    }
}

#[tokio::test]
async fn the_first_that_worked_is_asked_from_then_on_a_forced_refresh_too() {
    let (chain, asked) = chain(&[IsAbsent, Gives, Gives]);
    let auth = Authenticator::new(fhir(), chain);
    let value = auth.authorization().await.unwrap();
    auth.for_audience(FhirAudience::account("contoso").build().unwrap()).authorization().await.unwrap();
    auth.refresh_rejected(&value).await.unwrap();
    assert_eq!(*asked.lock().unwrap(), ["first", "second", "second", "second"]);
}

#[tokio::test]
async fn a_member_that_fails_after_it_worked_is_not_passed_over() {
    let calls = AtomicUsize::new(0);
    let fickle = from_fn(move |_| {
        let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            match first {
                true => Ok(AccessToken::new("first", OffsetDateTime::now_utc() + HOUR)),
                false => Err(CredentialUnavailableError::new("signed out").into()),
            }
        }
    });
    let asked = Arc::default();
    let chain =
        ChainedTokenCredential::new().with("first", fickle).with("second", member("second", Gives, &asked));
    chain.get_token(&[SCOPE], None).await.unwrap();
    let error = chain.get_token(&[SCOPE], None).await.unwrap_err();
    assert!(error.to_string().contains("first: signed out"), "{error}");
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_error_tells_what_each_said() {
    let text = |does: &'static [Does]| async move {
        let error = Authenticator::new(fhir(), chain(does).0).authorization().await.unwrap_err();
        (error.to_string(), error.is_transient())
    };
    let (absent, transient) = text(&[IsAbsent, NeedsLogin]).await;
    for part in [
        "no credential of the chain is available",
        "first: no broker runs here",
        "second: ERROR: Please run 'az login'",
    ] {
        assert!(absent.contains(part), "{absent}");
    }
    assert!(!transient);
    let (refused, transient) = text(&[IsAbsent, IsRefused, Gives]).await;
    for part in ["first: no broker runs here", "second: AADSTS7000215"] {
        assert!(refused.contains(part), "{refused}");
    }
    assert!(!refused.contains("third") && !transient);
    assert!(text(&[Breaks]).await.1, "what may pass by itself is told to be so");
    assert!(text(&[]).await.0.contains("credential chain is empty"));
}

#[tokio::test]
async fn what_many_members_say_stays_short_and_holds_no_secret() {
    let secret = "abc8Q~canary0123456789canary0123456789AB";
    let chain = (0..8).fold(ChainedTokenCredential::new(), |chain, _| {
        let text = format!("client_secret={secret} {} the end; run az login", "word ".repeat(200));
        let absent = CredentialUnavailableError::new(text);
        chain.with("member", from_fn(move |_| std::future::ready(Err(absent.clone().into()))))
    });
    let error = chain.get_token(&[SCOPE], None).await.unwrap_err();
    let shown = format!("{error} {error:?} {chain:?}");
    assert!(!shown.contains("canary"), "{shown}");
    let told = Authenticator::new(fhir(), Arc::new(chain)).authorization().await.unwrap_err().to_string();
    assert_eq!(told.matches("member: client_secret=[redacted]").count(), 8, "{told}");
    assert_eq!(told.matches("run az login").count(), 8, "{told}");
    assert!(told.len() < 1_000, "{}", told.len());
}

#[tokio::test]
async fn what_one_of_many_members_says_is_told_whole() {
    let text = format!("AADSTS700213: No matching federated identity: {}the end", "word ".repeat(80));
    let (said, asked) = (text.clone(), Arc::default());
    let refused = from_fn(move |_| std::future::ready(Err(said.clone().into())));
    let chain = NAMES.iter().fold(ChainedTokenCredential::new().with("refused", refused), |chain, name| {
        chain.with(*name, member(name, Gives, &asked))
    });
    let told = Authenticator::new(fhir(), Arc::new(chain)).authorization().await.unwrap_err().to_string();
    assert!(told.contains(&format!("refused: {text}")), "{told}");
}

#[tokio::test]
async fn a_chain_that_has_nothing_is_passed_over_in_another() {
    let (inner, _) = chain(&[IsAbsent, NeedsLogin]);
    let asked = Arc::default();
    let outer =
        ChainedTokenCredential::new().with("tools", inner).with("last", member("last", Gives, &asked));
    assert_eq!(outer.get_token(&[SCOPE], None).await.unwrap().token.secret(), "last");
}

#[tokio::test]
async fn a_chain_that_stopped_is_not_passed_over_in_another() {
    for does in [[NeedsLogin, Breaks], [NeedsLogin, IsRefused], [IsAbsent, SaysLogin]] {
        let (inner, _) = chain(&does);
        let asked = Arc::default();
        let outer =
            ChainedTokenCredential::new().with("tools", inner).with("last", member("last", Gives, &asked));
        let error = outer.get_token(&[SCOPE], None).await.unwrap_err();
        assert!(error.to_string().starts_with("tools: first: "), "{does:?}: {error}");
        assert!(asked.lock().unwrap().is_empty(), "{does:?}");
    }
}
