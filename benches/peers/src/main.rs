//! Compares this crate with similar crates in the benchmarks `authorize` and `storm`.
//!
//! All crates run in one process with the same runtime and the same number of hits. Each is configured as its
//! documentation describes.
//!
//! ```sh
//! RUST_BACKTRACE=0 cargo run --release --locked
//! ```

mod hit;
mod issuer;
mod peer;
mod peers;
mod storm;

use tokio::runtime::Runtime;

use self::{
    hit::Warm,
    peer::Peer,
    peers::{Aws, AzureCore, AzureHealthcareAuth, GcpAuth, GoogleCloudAuth, ObjectStore},
};

fn print_hits(warm: &[Warm<'_>]) {
    println!(
        "| cached hit | one task | relative to this crate | 64 tasks | relative to this crate |\n|---|---|---|---|---|"
    );
    let times = hit::measure(warm);
    let [our_one, our_many] = times[0];
    for (Warm { name, .. }, [one, many]) in warm.iter().zip(&times) {
        println!("| {name} | {one:.0} ns | {:.1} | {many:.0} ns | {:.1} |", one / our_one, many / our_many);
    }
}

fn print_storms<P: Peer>(runtime: &Runtime) {
    let storms = [
        ("no token, the fetch fails after 6 ms", runtime.block_on(storm::no_token::<P>())),
        ("valid token, the refresh fails after 6 ms", runtime.block_on(storm::refresh_fails::<P>())),
        ("valid token, the refresh takes 500 ms", runtime.block_on(storm::refresh_is_slow::<P>())),
        ("rejected token, the issuer returns a new one", runtime.block_on(storm::revoked::<P>())),
    ];
    for (scenario, storm) in storms {
        println!("| {scenario} | {} | {storm} |", P::NAME);
    }
}

fn main() {
    // `google-cloud-auth` requires a provider, although no connection here uses TLS.
    rustls::crypto::ring::default_provider().install_default().expect("no other provider is installed");
    let runtime = Runtime::new().expect("the runtime starts");

    print_hits(&[
        hit::warm::<AzureHealthcareAuth>(&runtime),
        hit::warm::<AzureCore>(&runtime),
        hit::warm::<ObjectStore>(&runtime),
        hit::warm::<GcpAuth>(&runtime),
        hit::warm::<GoogleCloudAuth>(&runtime),
        hit::warm::<Aws>(&runtime),
    ]);

    println!("\n| 1,000 tasks | crate | calls | p50 | p99 | waited at least 250 ms | errors |");
    println!("|---|---|---|---|---|---|---|");
    print_storms::<AzureHealthcareAuth>(&runtime);
    print_storms::<AzureCore>(&runtime);
    print_storms::<ObjectStore>(&runtime);
    print_storms::<GcpAuth>(&runtime);
    print_storms::<GoogleCloudAuth>(&runtime);
    print_storms::<Aws>(&runtime);
}
