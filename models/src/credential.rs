//! A credential that watches how it is called.

use real_std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use azure_core::{
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};
use shuttle::{
    future::yield_now,
    rand::{Rng, thread_rng},
};

use crate::{
    clock::Clock,
    sync::Arc,
    time::{Duration, SystemTime},
    token::{DEFAULT_TIMEOUT, Source},
};

const LIFE: Duration = Duration::from_secs(3600);

/// How the calls of a scenario end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Gives,
    Fails,
    Hangs,
    Any,
}

/// Remembers when two calls for a scope, or more than two in all, were under way.
#[derive(Debug)]
pub(crate) struct Credential {
    pub(crate) clock: Clock,
    mood: Mutex<Mood>,
    calls: AtomicUsize,
    under_way: Mutex<HashMap<String, usize>>,
    most_for_a_scope: AtomicUsize,
    most_in_all: AtomicUsize,
}

impl Credential {
    pub(crate) fn new(mood: Mood) -> (Arc<Self>, Source) {
        let clock = Clock::default();
        let credential = Arc::new(Self {
            clock: clock.clone(),
            mood: Mutex::new(mood),
            calls: AtomicUsize::new(0),
            under_way: Mutex::default(),
            most_for_a_scope: AtomicUsize::new(0),
            most_in_all: AtomicUsize::new(0),
        });
        let source = Source::new(credential.clone(), DEFAULT_TIMEOUT, clock);
        (credential, source)
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.mood.lock().expect("no panic") = mood;
    }

    /// How many calls there were. Ends the scenario if too many were under way at once: a panic in the call itself
    /// would only be an error to who waits.
    pub(crate) fn calls(&self) -> usize {
        assert!(self.most_for_a_scope.load(Ordering::SeqCst) <= 1, "two calls for a scope");
        assert!(self.most_in_all.load(Ordering::SeqCst) <= 2, "more than two calls at once");
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait::async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let _call = Call::begin(self, scopes[0]);
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let mood = *self.mood.lock().expect("no panic");
        for _ in 0..thread_rng().gen_range(0..3) {
            yield_now().await;
        }
        match mood {
            Mood::Hangs => futures_util::future::pending().await,
            Mood::Any if thread_rng().r#gen() => {}
            Mood::Fails | Mood::Any => {
                return Err(azure_core::Error::with_message(ErrorKind::Credential, "no answer"));
            }
            Mood::Gives => {}
        }
        let ends = self.clock.now() + LIFE;
        let ends = ends.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
        let ends = OffsetDateTime::from_unix_timestamp(ends as i64).expect("before the year 9999");
        Ok(AccessToken::new(format!("{number}"), ends))
    }
}

/// A call that is under way, until it ends or is dropped.
struct Call<'a> {
    credential: &'a Credential,
    scope: String,
}

impl<'a> Call<'a> {
    fn begin(credential: &'a Credential, scope: &str) -> Self {
        let mut under_way = credential.under_way.lock().expect("no panic");
        *under_way.entry(scope.to_owned()).or_default() += 1;
        credential.most_for_a_scope.fetch_max(under_way[scope], Ordering::SeqCst);
        credential.most_in_all.fetch_max(under_way.values().sum(), Ordering::SeqCst);
        Self { credential, scope: scope.to_owned() }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let mut under_way = self.credential.under_way.lock().expect("no panic");
        *under_way.entry(self.scope.clone()).or_default() -= 1;
    }
}
