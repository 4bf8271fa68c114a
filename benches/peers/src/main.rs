//! The work of `benches/authorize.rs` and `benches/storm.rs`, done by other crates beside this one: in one process and
//! one run, each as its documentation sets it up, with warm caches, the same runtime and the same number of hits.
//!
//! ```sh
//! RUST_BACKTRACE=0 cargo run --release --locked
//! ```

mod hit;
mod peer;
mod peers;
mod storm;
mod world;

use hit::Warm;
use peer::Peer;
use peers::{Aws, AzureCore, GcpAuth, GoogleCloudAuth, ObjectStore, Ours};
use tokio::runtime::Runtime;

fn hits(warm: &[Warm<'_>]) {
    println!("| a cached hit | one task | to ours | 64 tasks | to ours |\n|---|---|---|---|---|");
    let times = hit::measure(warm);
    let [ours, ours_of_many] = times[0];
    for (Warm { name, .. }, [one, many]) in warm.iter().zip(&times) {
        println!("| {name} | {one:.0} ns | {:.1} | {many:.0} ns | {:.1} |", one / ours, many / ours_of_many);
    }
}

fn storms<P: Peer>(runtime: &Runtime) {
    let storms = [
        ("no token, calls fail after 6 ms", runtime.block_on(storm::cold::<P>())),
        ("valid token, its refresh fails after 6 ms", runtime.block_on(storm::refresh_fails::<P>())),
        ("valid token, its refresh takes 500 ms", runtime.block_on(storm::refresh_is_slow::<P>())),
        ("revoked token, there is a new one", runtime.block_on(storm::revoked::<P>())),
    ];
    for (what, storm) in storms {
        println!("| {what} | {} | {storm} |", P::NAME);
    }
}

fn main() {
    // Only one of the crates asks for it, and none needs it on loopback.
    rustls::crypto::ring::default_provider().install_default().expect("the first");
    let runtime = Runtime::new().expect("a runtime");

    hits(&[
        hit::warm::<Ours>(&runtime),
        hit::warm::<AzureCore>(&runtime),
        hit::warm::<ObjectStore>(&runtime),
        hit::warm::<GcpAuth>(&runtime),
        hit::warm::<GoogleCloudAuth>(&runtime),
        hit::warm::<Aws>(&runtime),
    ]);

    println!("\n| 1,000 tasks | crate | calls | p50 | p99 | waited 250 ms or more | errors |");
    println!("|---|---|---|---|---|---|---|");
    storms::<Ours>(&runtime);
    storms::<AzureCore>(&runtime);
    storms::<ObjectStore>(&runtime);
    storms::<GcpAuth>(&runtime);
    storms::<GoogleCloudAuth>(&runtime);
    storms::<Aws>(&runtime);
}
