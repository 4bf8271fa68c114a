//! What a thousand tasks that ask at once bring down on what issues the tokens, and what they feel of it.

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
    peer::Peer,
    world::{LONG, Mood, World},
};

const TASKS: usize = 1_000;
const QUICK: Duration = Duration::from_millis(6);
const SLOW: Duration = Duration::from_millis(500);
/// A task that has no answer by then is counted as without one.
const PATIENCE: Duration = Duration::from_secs(15);
/// Who waited this long waited for a call, and not for a lock or a turn of the scheduler.
const WAITED: Duration = Duration::from_millis(250);

/// `None`: the crate does not offer it.
pub struct Storm(Option<Outcome>);

struct Outcome {
    calls: usize,
    p50: Duration,
    p99: Duration,
    waited: usize,
    failed: usize,
    unanswered: usize,
}

impl fmt::Display for Storm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Outcome { calls, p50, p99, waited, failed, unanswered }) = &self.0 else {
            return f.write_str("– (has no answer to a refusal) | – | – | – | –");
        };
        let [p50, p99] = [*p50, *p99].map(in_words);
        write!(f, "{calls} | {p50} | {p99} | {waited} | {failed}")?;
        match unanswered {
            0 => Ok(()),
            unanswered => write!(f, ", and {unanswered} without answer after {} s", PATIENCE.as_secs()),
        }
    }
}

fn in_words(time: Duration) -> String {
    match time.as_secs_f64() {
        short if short < 1e-3 => format!("{:.1} µs", short * 1e6),
        long => format!("{:.0} ms", long * 1e3),
    }
}

/// No token yet, and no call brings one.
pub async fn cold<P: Peer>() -> Storm {
    let world = World::start(Mood { gives: None, takes: QUICK }).await.expect("a loopback port");
    all_ask(&world, &P::new(&world), 0).await
}

/// The token is valid and due; what it would be refreshed with fails.
pub async fn refresh_fails<P: Peer>() -> Storm {
    refresh::<P>(Mood { gives: None, takes: QUICK }).await
}

/// The token is valid and due; its refresh takes half a second.
pub async fn refresh_is_slow<P: Peer>() -> Storm {
    refresh::<P>(Mood { gives: Some(LONG), takes: SLOW }).await
}

async fn refresh<P: Peer>(mood: Mood) -> Storm {
    let due = Mood { gives: Some(P::LIFE_OF_A_DUE_TOKEN), takes: QUICK };
    let world = World::start(due).await.expect("a loopback port");
    let peer = P::new(&world);
    peer.authorize(&mut P::request()).await.expect("a token");
    let before = world.calls();
    sleep(P::TIME_UNTIL_DUE).await;
    world.set_mood(mood);
    while P::REFRESHES_BY_ITSELF && world.calls() == before {
        sleep(Duration::from_millis(1)).await;
    }
    all_ask(&world, &peer, before).await
}

/// The service refuses the token from now on; there is another.
pub async fn revoked<P: Peer>() -> Storm {
    let world = World::start(Mood { gives: Some(LONG), takes: QUICK }).await.expect("a loopback port");
    let peer = P::new(&world);
    world.revoke(&format!("Bearer {:e>1600}", 0));
    peer.authorize(&mut P::request()).await.expect("a token");
    let before = world.calls();
    let shared = world.clone();
    storm(&world, before, move |_| {
        let (peer, world) = (peer.clone(), shared.clone());
        async move { peer.send(&world).await }
    })
    .await
}

async fn all_ask<P: Peer>(world: &World, peer: &P, before: usize) -> Storm {
    storm(world, before, |_| {
        let peer = peer.clone();
        async move { Some(peer.authorize(&mut P::request()).await.map(drop)) }
    })
    .await
}

/// Runs a thousand of these, each on a task of its own, all from the same moment on.
async fn storm<F, Fut>(world: &World, before: usize, task: F) -> Storm
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
            let outcome = timeout(PATIENCE, task).await;
            (start.elapsed(), outcome)
        });
    }
    let felt = running.join_all().await;
    // A call in the background may have been begun by the last of them.
    sleep(QUICK).await;
    let mut times: Vec<_> = felt.iter().map(|(time, _)| *time).collect();
    times.sort_unstable();
    let count = |what: fn(&Felt) -> bool| felt.iter().filter(|(_, outcome)| what(outcome)).count();
    if count(|outcome| matches!(outcome, Ok(None))) > 0 {
        return Storm(None);
    }
    Storm(Some(Outcome {
        calls: world.calls() - before,
        p50: times[TASKS / 2],
        p99: times[TASKS * 99 / 100],
        waited: times.iter().filter(|time| **time >= WAITED).count(),
        failed: count(|outcome| matches!(outcome, Ok(Some(Err(_))))),
        unanswered: count(Result::is_err),
    }))
}

type Felt = Result<Option<Result<(), String>>, tokio::time::error::Elapsed>;
