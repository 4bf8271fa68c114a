//! [`Scripted`]: a credential that follows a script and counts.

use std::{
    fmt,
    future::pending,
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};
use azure_healthcare_auth::credentials::ForceRefresh;
use tokio::sync::watch;

use super::{Clock, soon};

/// One call, as the script sees it.
pub(crate) struct Call {
    /// From 1 on.
    pub(crate) number: usize,
    pub(crate) forced: bool,
    pub(crate) scope: String,
}

pub(crate) enum Answer {
    /// A token and the second since 1970 in which it ends.
    Token(String, i64),
    /// A token that lives so long from when it is given.
    Lives(String, Duration),
    Error,
    Panic,
    Never,
}

/// A token that lives so long.
pub(crate) fn lives(token: impl Into<String>, life: Duration) -> Answer {
    Answer::Lives(token.into(), life)
}

pub(crate) struct Scripted {
    pub(crate) clock: Clock,
    script: Box<dyn Fn(&Call) -> Answer + Send + Sync>,
    begun: watch::Sender<usize>,
    held: watch::Sender<bool>,
    forced: AtomicUsize,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Scripted {
    pub(crate) fn new(script: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            clock: Clock::new(),
            script: Box::new(script),
            begun: watch::Sender::new(0),
            held: watch::Sender::new(false),
            forced: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        })
    }

    /// Holds all calls open from now on.
    pub(crate) fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Lets all calls end.
    pub(crate) fn release(&self) {
        self.held.send_replace(false);
    }

    /// Waits until so many calls have begun since the beginning.
    pub(crate) async fn called(&self, calls: usize) {
        let mut begun = self.begun.subscribe();
        soon("a call", begun.wait_for(|begun| *begun >= calls)).await.unwrap();
    }

    pub(crate) fn calls(&self) -> usize {
        *self.begun.borrow()
    }

    /// How many calls carried the mark of a forced one.
    pub(crate) fn forced_calls(&self) -> usize {
        self.forced.load(Ordering::SeqCst)
    }

    /// How many calls are under way: begun, and neither ended nor given up.
    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

/// A call under way, until it is dropped: a call that is given up has ended too.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl TokenCredential for Scripted {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let at_once = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        let _under_way = UnderWay(&self.under_way);
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        let forced = ForceRefresh::is_in(options.as_ref());
        self.forced.fetch_add(usize::from(forced), Ordering::SeqCst);
        let mut number = 0;
        self.begun.send_modify(|begun| {
            *begun += 1;
            number = *begun;
        });
        let answer = (self.script)(&Call { number, forced, scope: scopes.concat() });
        self.held.subscribe().wait_for(|held| !held).await.unwrap();
        let (token, end) = match answer {
            Answer::Token(token, end) => (token, end),
            Answer::Lives(token, life) => {
                let end = self.clock.now() + life;
                let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
                (token, i64::try_from(end).unwrap())
            }
            Answer::Error => {
                return Err(azure_core::Error::with_message(ErrorKind::Credential, "run `az login`"));
            }
            // Without the hook, which would print.
            Answer::Panic => resume_unwind(Box::new("the script wants it")),
            Answer::Never => pending().await,
        };
        Ok(AccessToken::new(token, OffsetDateTime::from_unix_timestamp(end).unwrap()))
    }
}
