//! [`ScriptedCredential`]: a credential that does what a test has written down for it.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use azure_core::{
    Error,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    time::OffsetDateTime,
};

use super::credential::MAX_TIME;
use crate::{clock::Clock, credentials::ForceRefresh};

/// A credential that follows a script, and tells what it was asked.
///
/// Each call takes one step; the last step is repeated for all calls after it. A delay belongs to the step behind it,
/// and is waited for by Tokio's clock: where a test pauses that, it costs no time.
///
/// `Debug` shows the number of calls, and no token.
///
/// ```
/// use azure_healthcare_auth::{Authenticator, FhirAudience, testing::ScriptedCredential};
/// use std::{sync::Arc, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let hour = Duration::from_secs(60 * 60);
/// let script = ScriptedCredential::new().token("first", hour).delay(Duration::from_millis(5)).token("second", hour);
/// let credential = Arc::new(script);
/// let auth = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, credential.clone());
///
/// let refused = auth.authorization().await?;
/// assert_eq!(refused, "Bearer first");
/// // What a client does when the service has answered 401:
/// assert_eq!(auth.refresh_rejected(&refused).await?.unwrap(), "Bearer second");
/// assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
/// assert_eq!(credential.scopes(), ["https://contoso-records.fhir.azurehealthcareapis.com/.default"; 2]);
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct ScriptedCredential {
    steps: Vec<Step>,
    /// Of the step that is written next.
    delay: Duration,
    clock: Clock,
    asked: Mutex<Vec<Asked>>,
}

#[derive(Clone)]
struct Step {
    delay: Duration,
    outcome: Outcome,
}

#[derive(Clone)]
enum Outcome {
    Token(String, Duration),
    Error(String),
}

/// What a call was for.
struct Asked {
    scope: String,
    forced: bool,
}

impl ScriptedCredential {
    /// A credential with nothing in its script: every call is an error that says so.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A step that gives this token, which ends so long after it was given.
    #[must_use]
    pub fn token(self, token: impl Into<String>, life: Duration) -> Self {
        self.step(Outcome::Token(token.into(), life))
    }

    /// A step that fails with [`ErrorKind::Credential`] and this message.
    #[must_use]
    pub fn error(self, message: impl Into<String>) -> Self {
        self.step(Outcome::Error(message.into()))
    }

    /// Lets the next step of the script begin so much later. Two delays before one step are added up.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = self.delay.saturating_add(delay);
        self
    }

    /// Takes the time from which tokens live from `now`. Default: this machine's.
    ///
    /// For a test that lets tokens end, or a failure pass: give the same one to
    /// [`AuthenticatorBuilder::clock`](crate::AuthenticatorBuilder::clock).
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, FhirAudience, testing::ScriptedCredential};
    /// use std::{sync::{Arc, atomic::{AtomicU64, Ordering}}, time::{Duration, SystemTime}};
    ///
    /// static SECONDS: AtomicU64 = AtomicU64::new(0);
    /// fn now() -> SystemTime {
    ///     SystemTime::UNIX_EPOCH + Duration::from_secs(SECONDS.load(Ordering::Relaxed))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_healthcare_auth::Result<()> {
    /// let script = ScriptedCredential::new().error("Please run 'az login'").token("t", Duration::from_secs(60 * 60));
    /// let credential = Arc::new(script.with_clock(now));
    /// let records = FhirAudience::workspace("contoso", "records").build()?;
    /// let auth = Authenticator::builder(records, credential.clone()).clock(now).build();
    ///
    /// // Whoever asks while the credential rests is told the same.
    /// for _ in 0..100 {
    ///     let error = auth.authorization().await.unwrap_err();
    ///     assert!(error.to_string().contains("Please run 'az login'"));
    /// }
    /// assert_eq!(credential.calls(), 1);
    ///
    /// SECONDS.store(10, Ordering::Relaxed);
    /// assert_eq!(auth.authorization().await?, "Bearer t");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_clock(mut self, now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Clock::of(now);
        self
    }

    fn step(mut self, outcome: Outcome) -> Self {
        self.steps.push(Step { delay: std::mem::take(&mut self.delay), outcome });
        self
    }

    /// How often it was called, also by who did not wait for the end. Never panics.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.asked().len()
    }

    /// The scopes that it was asked for, one for each call; of several in one call, all with a space between. Never
    /// panics.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        self.asked().iter().map(|asked| asked.scope.clone()).collect()
    }

    /// How many calls carried [`ForceRefresh`]: they were made because a service refused a token. Never panics.
    #[must_use]
    pub fn forced_calls(&self) -> usize {
        self.asked().iter().filter(|asked| asked.forced).count()
    }

    fn asked(&self) -> MutexGuard<'_, Vec<Asked>> {
        // Every change is one push, so a panic elsewhere leaves nothing half done.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a call down and gives its step.
    fn next(&self, asked: Asked) -> Option<Step> {
        let mut calls = self.asked();
        let step = self.steps.get(calls.len()).or(self.steps.last()).cloned();
        calls.push(asked);
        step
    }
}

#[async_trait::async_trait]
impl TokenCredential for ScriptedCredential {
    async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let forced = ForceRefresh::is_in(options.as_ref());
        let failure = |message| Error::with_message(ErrorKind::Credential, message);
        let Some(step) = self.next(Asked { scope: scopes.join(" "), forced }) else {
            return Err(failure("the script of this credential has no step".to_owned()));
        };
        if !step.delay.is_zero() {
            tokio::time::sleep(step.delay).await;
        }
        match step.outcome {
            Outcome::Token(token, life) => Ok(AccessToken::new(token, end(self.clock.now(), life))),
            Outcome::Error(message) => Err(failure(message)),
        }
    }
}

/// When a token ends that lives from `now` on, at the latest with the year 9999.
fn end(now: SystemTime, life: Duration) -> OffsetDateTime {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let end = since.saturating_add(life).min(Duration::from_secs(MAX_TIME)).as_nanos();
    let end = i128::try_from(end).ok().and_then(|end| OffsetDateTime::from_unix_timestamp_nanos(end).ok());
    end.unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

impl fmt::Debug for ScriptedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedCredential").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use azure_core::http::{ClientMethodOptions, Context};
    use tokio::time::Instant;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    async fn ask(credential: &ScriptedCredential) -> Result<String, String> {
        match credential.get_token(&["scope"], None).await {
            Ok(token) => Ok(token.token.secret().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn each_call_takes_a_step_and_the_last_one_is_repeated() {
        let credential =
            ScriptedCredential::new().error("Please run 'az login'").token("a", HOUR).token("b", HOUR);
        assert!(ask(&credential).await.unwrap_err().contains("Please run 'az login'"));
        for expected in ["a", "b", "b"] {
            assert_eq!(ask(&credential).await.unwrap(), expected);
        }
        assert_eq!(credential.calls(), 4);
        assert!(ask(&ScriptedCredential::new()).await.unwrap_err().contains("no step"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_is_the_next_steps_alone_and_by_the_clock_of_the_runtime() {
        let credential = ScriptedCredential::new().delay(HOUR).delay(HOUR).error("").token("a", HOUR);
        let begun = Instant::now();
        ask(&credential).await.unwrap_err();
        assert_eq!(begun.elapsed(), 2 * HOUR);
        ask(&credential).await.unwrap();
        assert_eq!(begun.elapsed(), 2 * HOUR);
    }

    #[tokio::test]
    async fn a_token_lives_from_the_moment_it_is_given() {
        let clock = SystemTime::UNIX_EPOCH + HOUR;
        let credential =
            ScriptedCredential::new().token("a", HOUR).token("b", Duration::MAX).with_clock(move || clock);
        let ends = async || credential.get_token(&["s"], None).await.unwrap().expires_on;
        assert_eq!(ends().await.unix_timestamp(), 7_200);
        assert_eq!(ends().await.year(), 9_999);
    }

    #[tokio::test]
    async fn who_asks_what_is_written_down_and_no_token_is_shown() {
        let credential = ScriptedCredential::new().token("hidden", HOUR);
        let context = Context::new().with_value(ForceRefresh);
        let forced = TokenRequestOptions { method_options: ClientMethodOptions { context } };
        credential.get_token(&["one", "two"], Some(forced)).await.unwrap();
        credential.get_token(&["three"], None).await.unwrap();
        assert_eq!(
            (credential.scopes(), credential.forced_calls()),
            (vec!["one two".into(), "three".into()], 1)
        );
        assert_eq!(ScriptedCredential::new().forced_calls(), 0);
        assert_eq!(format!("{credential:?}"), "ScriptedCredential { calls: 2, .. }");
    }
}
