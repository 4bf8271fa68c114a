//! [`ScriptedCredential`]: a credential that follows a script.

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

use azure_healthcare_auth::credentials::ForceRefresh;

use crate::clock::{Clock, MAX_TIME};

/// A credential that returns scripted tokens and errors, and records its calls.
///
/// Each call uses one step of the script. All later calls use the last step. A delay
/// applies to the step after it and uses Tokio's clock, so it takes no time in a test that has paused the clock.
///
/// The `Debug` output shows the number of calls, but no token.
///
/// # Examples
///
/// ```
/// use azure_healthcare_auth::{Authenticator, FhirAudience};
/// use azure_healthcare_auth_testing::ScriptedCredential;
/// use std::{sync::Arc, time::Duration};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> azure_healthcare_auth::Result<()> {
/// let hour = Duration::from_secs(60 * 60);
/// let script = ScriptedCredential::new().token("first", hour).delay(Duration::from_millis(5)).token("second", hour);
/// let credential = Arc::new(script);
/// let auth = Authenticator::new(FhirAudience::workspace("contoso", "records").build()?, credential.clone());
///
/// let rejected = auth.authorization().await?;
/// assert_eq!(rejected, "Bearer first");
/// // Clients do this after a response with status 401.
/// assert_eq!(auth.refresh_rejected(&rejected).await?.unwrap(), "Bearer second");
/// assert_eq!((credential.calls(), credential.forced_calls()), (2, 1));
/// assert_eq!(credential.scopes(), ["https://contoso-records.fhir.azurehealthcareapis.com/.default"; 2]);
/// # Ok(()) }
/// ```
#[derive(Default)]
pub struct ScriptedCredential {
    steps: Vec<Step>,
    /// The delay of the step that is added next.
    delay: Duration,
    clock: Clock,
    calls: Mutex<Vec<Call>>,
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

/// A recorded call.
struct Call {
    scope: String,
    forced: bool,
}

impl ScriptedCredential {
    /// Creates a credential with an empty script, for which every call is an error.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a step that returns this token, which expires `lifetime` after the call.
    #[must_use]
    pub fn token(self, token: impl Into<String>, lifetime: Duration) -> Self {
        self.step(Outcome::Token(token.into(), lifetime))
    }

    /// Adds a step that fails with [`ErrorKind::Credential`] and this message.
    #[must_use]
    pub fn error(self, message: impl Into<String>) -> Self {
        self.step(Outcome::Error(message.into()))
    }

    /// Delays the next step of the script. Several delays before a step add up.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = self.delay.saturating_add(delay);
        self
    }

    /// Sets the clock from which token lifetimes are measured (default: the system clock).
    ///
    /// Use it in a test in which tokens expire or a backoff passes. Give the same clock to
    /// [`AuthenticatorBuilder::clock`](azure_healthcare_auth::AuthenticatorBuilder::clock).
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_healthcare_auth::{Authenticator, FhirAudience};
    /// use azure_healthcare_auth_testing::ScriptedCredential;
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
    /// // During the backoff, every call gets the same error.
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

    /// Returns the number of calls, including those whose future was dropped before it completed.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lock().len()
    }

    /// Returns the requested scopes, one string for each call. Several scopes of one call are joined with spaces.
    #[must_use]
    pub fn scopes(&self) -> Vec<String> {
        self.lock().iter().map(|call| call.scope.clone()).collect()
    }

    /// Returns the number of calls with [`ForceRefresh`], which are made because a service rejected a token.
    #[must_use]
    pub fn forced_calls(&self) -> usize {
        self.lock().iter().filter(|call| call.forced).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Call>> {
        // A panic in another thread cannot leave the list inconsistent, because every change is one push.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a call and returns its step.
    fn next_step(&self, call: Call) -> Option<Step> {
        let mut calls = self.lock();
        let step = self.steps.get(calls.len()).or(self.steps.last()).cloned();
        calls.push(call);
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
        let Some(step) = self.next_step(Call { scope: scopes.join(" "), forced }) else {
            return Err(failure("the script of this credential is empty".to_owned()));
        };
        if !step.delay.is_zero() {
            tokio::time::sleep(step.delay).await;
        }
        match step.outcome {
            Outcome::Token(token, lifetime) => {
                Ok(AccessToken::new(token, expiry(self.clock.now(), lifetime)))
            }
            Outcome::Error(message) => Err(failure(message)),
        }
    }
}

/// Returns the expiry of a token that is issued at `now`, at most the end of the year 9999.
fn expiry(now: SystemTime, lifetime: Duration) -> OffsetDateTime {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let expiry = since.saturating_add(lifetime).min(Duration::from_secs(MAX_TIME)).as_nanos();
    let expiry = i128::try_from(expiry).ok();
    let expiry = expiry.and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok());
    expiry.unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

impl fmt::Debug for ScriptedCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedCredential").field("calls", &self.calls()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use azure_healthcare_auth::{Authenticator, FhirAudience};
    use tokio::time::Instant;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    async fn get_token(credential: &ScriptedCredential) -> Result<String, String> {
        match credential.get_token(&["scope"], None).await {
            Ok(token) => Ok(token.token.secret().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn each_call_uses_one_step_and_the_last_step_applies_to_all_later_calls() {
        let credential =
            ScriptedCredential::new().error("Please run 'az login'").token("a", HOUR).token("b", HOUR);
        assert!(get_token(&credential).await.unwrap_err().contains("Please run 'az login'"));
        for expected in ["a", "b", "b"] {
            assert_eq!(get_token(&credential).await.unwrap(), expected);
        }
        assert_eq!(credential.calls(), 4);
        assert!(get_token(&ScriptedCredential::new()).await.unwrap_err().contains("is empty"));
    }

    #[tokio::test(start_paused = true)]
    async fn delay_applies_to_the_next_step_only_and_uses_the_clock_of_tokio() {
        let credential = ScriptedCredential::new().delay(HOUR).delay(HOUR).error("").token("a", HOUR);
        let start = Instant::now();
        get_token(&credential).await.unwrap_err();
        assert_eq!(start.elapsed(), 2 * HOUR);
        get_token(&credential).await.unwrap();
        assert_eq!(start.elapsed(), 2 * HOUR);
    }

    #[tokio::test]
    async fn token_lifetime_starts_at_the_call() {
        let clock = SystemTime::UNIX_EPOCH + HOUR;
        let credential =
            ScriptedCredential::new().token("a", HOUR).token("b", Duration::MAX).with_clock(move || clock);
        let expires_on = async || credential.get_token(&["s"], None).await.unwrap().expires_on;
        assert_eq!(expires_on().await.unix_timestamp(), 7_200);
        assert_eq!(expires_on().await.year(), 9_999);
    }

    #[tokio::test]
    async fn calls_are_recorded_and_debug_output_shows_no_token() {
        let credential = Arc::new(ScriptedCredential::new().token("hidden", HOUR));
        credential.get_token(&["one", "two"], None).await.unwrap();
        let audience: FhirAudience = "https://contoso-records.fhir.azurehealthcareapis.com".parse().unwrap();
        let auth = Authenticator::new(audience, credential.clone());
        let rejected = auth.authorization().await.unwrap();
        assert_eq!(credential.forced_calls(), 0);
        assert_eq!(auth.refresh_rejected(&rejected).await.unwrap(), None);
        let scope = "https://contoso-records.fhir.azurehealthcareapis.com/.default";
        assert_eq!(
            (credential.scopes(), credential.forced_calls()),
            (vec!["one two", scope, scope].into_iter().map(str::to_owned).collect(), 1)
        );
        assert_eq!(ScriptedCredential::new().forced_calls(), 0);
        assert_eq!(format!("{credential:?}"), "ScriptedCredential { calls: 3, .. }");
    }
}
