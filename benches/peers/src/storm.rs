//! Measures how many calls to the token issuer 1,000 concurrent tasks cause, and how long the tasks wait.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::Barrier,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    issuer::{Behavior, Issuer, LONG},
    peer::Peer,
};

const TASKS: usize = 1_000;
const QUICK: Duration = Duration::from_millis(6);
const SLOW: Duration = Duration::from_millis(500);
/// The time after which a task counts as timed out.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The waiting time from which a task must have waited for a call, rather than for a lock or the scheduler.
const WAITED: Duration = Duration::from_millis(250);

/// The result of a storm, or `None` if the crate does not support the scenario.
pub struct Storm(Option<Outcome>);

struct Outcome {
    calls: usize,
    p50: Duration,
    p99: Duration,
    waited: usize,
    failed: usize,
    timed_out: usize,
}

impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Outcome { calls, p50, p99, waited, failed, timed_out }) = &self.0 else {
            return f.write_str("– (does not replay after a 401) | – | – | – | –");
        };
        let [p50, p99] = [*p50, *p99].map(format_duration);
        write!(f, "{calls} | {p50} | {p99} | {waited} | {failed}")?;
        match timed_out {
            0 => Ok(()),
            timed_out => write!(f, ", and {timed_out} timed out after {} s", TIMEOUT.as_secs()),
        }
    }
}

fn format_duration(time: Duration) -> String {
    match time.as_secs_f64() {
        short if short < 1e-3 => format!("{:.1} µs", short * 1e6),
        long => format!("{:.0} ms", long * 1e3),
    }
}

/// No token is cached, and every call fails.
pub async fn no_token<P: Peer>() -> Storm {
    let issuer = Issuer::start(Behavior { lifetime: None, duration: QUICK })
        .await
        .expect("a loopback port is available");
    request_tokens(&issuer, &P::new(&issuer), 0).await
}

/// The cached token is valid and due for a refresh, and the refresh fails.
pub async fn refresh_fails<P: Peer>() -> Storm {
    refresh::<P>(Behavior { lifetime: None, duration: QUICK }).await
}

/// The cached token is valid and due for a refresh, and the refresh takes 500 ms.
pub async fn refresh_is_slow<P: Peer>() -> Storm {
    refresh::<P>(Behavior { lifetime: Some(LONG), duration: SLOW }).await
}

async fn refresh<P: Peer>(behavior: Behavior) -> Storm {
    let due = Behavior { lifetime: Some(P::LIFETIME_OF_DUE_TOKEN), duration: QUICK };
    let issuer = Issuer::start(due).await.expect("a loopback port is available");
    let peer = P::new(&issuer);
    peer.authorize(&mut P::request()).await.expect("the issuer returns a token");
    let before = issuer.calls();
    sleep(P::TIME_UNTIL_DUE).await;
    issuer.set_behavior(behavior);
    while P::REFRESHES_IN_BACKGROUND && issuer.calls() == before {
        sleep(Duration::from_millis(1)).await;
    }
    request_tokens(&issuer, &peer, before).await
}

/// The service rejects the cached token, and the issuer returns a new one.
pub async fn revoked<P: Peer>() -> Storm {
    let issuer = Issuer::start(Behavior { lifetime: Some(LONG), duration: QUICK })
        .await
        .expect("a loopback port is available");
    let peer = P::new(&issuer);
    issuer.revoke(&format!("Bearer {:e>1600}", 0));
    peer.authorize(&mut P::request()).await.expect("the issuer returns a token");
    let before = issuer.calls();
    let shared = issuer.clone();
    storm(&issuer, before, move |_| {
        let (peer, issuer) = (peer.clone(), shared.clone());
        async move { peer.send(&issuer).await }
    })
    .await
}

async fn request_tokens<P: Peer>(issuer: &Issuer, peer: &P, before: usize) -> Storm {
    storm(issuer, before, |_| {
        let peer = peer.clone();
        async move { Some(peer.authorize(&mut P::request()).await.map(drop)) }
    })
    .await
}

/// Runs 1,000 copies of `task`, each on its own tokio task. All of them start at the same time.
async fn storm<F, Fut>(issuer: &Issuer, before: usize, task: F) -> Storm
where
    F: Fn(usize) -> Fut,
    Fut: Future<Output = Option<Result<(), String>>> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(TASKS));
    let mut running = JoinSet::new();
    for number in 0..TASKS {
        let (barrier, task) = (barrier.clone(), task(number));
        running.spawn(async move {
            barrier.wait().await;
            let start = Instant::now();
            let outcome = timeout(TIMEOUT, task).await;
            (start.elapsed(), outcome)
        });
    }
    let results = running.join_all().await;
    // Waits for a background call that the last task may have started.
    sleep(QUICK).await;
    let mut times: Vec<_> = results.iter().map(|(time, _)| *time).collect();
    times.sort_unstable();
    let count =
        |predicate: fn(&TaskResult) -> bool| results.iter().filter(|(_, outcome)| predicate(outcome)).count();
    if count(|outcome| matches!(outcome, Ok(None))) > 0 {
        return Storm(None);
    }
    Storm(Some(Outcome {
        calls: issuer.calls() - before,
        p50: times[TASKS / 2],
        p99: times[TASKS * 99 / 100],
        waited: times.iter().filter(|time| **time >= WAITED).count(),
        failed: count(|outcome| matches!(outcome, Ok(Some(Err(_))))),
        timed_out: count(Result::is_err),
    }))
}

type TaskResult = Result<Option<Result<(), String>>, tokio::time::error::Elapsed>;
