//! What a cached hit costs each crate, measured in turns so that all see the same machine.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, task::JoinSet};

use crate::{
    peer::Peer,
    world::{LONG, Mood, World},
};

const ROUNDS: usize = 31;
const HITS_A_ROUND: u32 = 64_000;
const TASKS: u32 = 64;

/// A crate with a token in its cache.
pub struct Warm<'a> {
    pub name: &'static str,
    one_task: Box<dyn Fn() -> Duration + 'a>,
    tasks: Box<dyn Fn() -> Duration + 'a>,
}

pub fn warm<P: Peer>(runtime: &Runtime) -> Warm<'_> {
    let peer = runtime.block_on(async {
        let mood = Mood { gives: Some(LONG), takes: Duration::ZERO };
        let peer = P::new(&World::start(mood).await.expect("a loopback port"));
        peer.authorize(&mut P::request()).await.expect("a token");
        peer
    });
    let same = peer.clone();
    Warm {
        name: P::NAME,
        one_task: Box::new(move || timed(runtime, &peer, 1)),
        tasks: Box::new(move || timed(runtime, &same, TASKS)),
    }
}

/// The time for all hits, made by that many tasks.
fn timed<P: Peer>(runtime: &Runtime, peer: &P, tasks: u32) -> Duration {
    runtime.block_on(async {
        let mut running = JoinSet::new();
        let start = Instant::now();
        for _ in 0..tasks {
            let peer = peer.clone();
            running.spawn(async move {
                let mut request = P::request();
                for _ in 0..HITS_A_ROUND / tasks {
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

/// Nanoseconds a hit: by one task, and by 64.
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
        times[ROUNDS / 2].as_secs_f64() * 1e9 / f64::from(HITS_A_ROUND)
    };
    times.into_iter().map(|times| times.map(median)).collect()
}
