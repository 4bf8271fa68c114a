//! Measures a cached hit of each crate. The crates take turns, so that changing load on the machine affects all of them.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, task::JoinSet};

use crate::{
    issuer::{Behavior, Issuer, LONG},
    peer::Peer,
};

const ROUNDS: usize = 31;
const HITS_PER_ROUND: u32 = 64_000;
const TASKS: u32 = 64;

/// A peer whose cache contains a token.
pub struct Warm<'a> {
    pub name: &'static str,
    one_task: Box<dyn Fn() -> Duration + 'a>,
    tasks: Box<dyn Fn() -> Duration + 'a>,
}

pub fn warm<P: Peer>(runtime: &Runtime) -> Warm<'_> {
    let peer = runtime.block_on(async {
        let behavior = Behavior { lifetime: Some(LONG), duration: Duration::ZERO };
        let peer = P::new(&Issuer::start(behavior).await.expect("a loopback port is available"));
        peer.authorize(&mut P::request()).await.expect("the issuer returns a token");
        peer
    });
    let shared = peer.clone();
    Warm {
        name: P::NAME,
        one_task: Box::new(move || time_hits(runtime, &peer, 1)),
        tasks: Box::new(move || time_hits(runtime, &shared, TASKS)),
    }
}

/// Returns the time of all hits, divided among `tasks` tasks.
fn time_hits<P: Peer>(runtime: &Runtime, peer: &P, tasks: u32) -> Duration {
    runtime.block_on(async {
        let mut running = JoinSet::new();
        let start = Instant::now();
        for _ in 0..tasks {
            let peer = peer.clone();
            running.spawn(async move {
                let mut request = P::request();
                for _ in 0..HITS_PER_ROUND / tasks {
                    let authorized = peer.authorize(&mut request).await;
                    black_box(authorized.is_ok());
                    black_box(authorized.ok());
                }
            });
        }
        running.join_all().await;
        start.elapsed()
    })
}

/// Returns the median nanoseconds per hit of each peer, with one task and with 64.
pub fn measure(warm: &[Warm<'_>]) -> Vec<[f64; 2]> {
    let mut times = vec![[(); 2].map(|()| Vec::with_capacity(ROUNDS)); warm.len()];
    for _ in 0..ROUNDS {
        for (peer, [one, many]) in warm.iter().zip(&mut times) {
            one.push((peer.one_task)());
            many.push((peer.tasks)());
        }
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[ROUNDS / 2].as_secs_f64() * 1e9 / f64::from(HITS_PER_ROUND)
    };
    times.into_iter().map(|times| times.map(median)).collect()
}
