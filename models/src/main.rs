//! Model checks of the token cache: a scheduler runs each scenario with many interleavings of its tasks.
//!
//! The checks compile the unmodified files of `src/token`. Their imports from the standard library, `tokio` and
//! `arc_swap` resolve to this crate. It substitutes time, tasks, locks and `ArcSwapOption` with types that the
//! scheduler controls, and re-exports everything else. The scheduler can switch tasks at each operation on a lock or a
//! swap, and at each `await`.
//!
//! ```sh
//! cargo run --release --locked -- 20000
//! ```
//!
//! The argument is the number of interleavings for each scenario and each scheduling strategy. An interleaving that
//! violates a property ends the run, and is printed in a form that `shuttle::replay` accepts.

extern crate self as arc_swap;
extern crate self as std;
extern crate self as tokio;
extern crate std as real_std;

mod credential;
mod scenarios;
mod shims;
#[path = "../../src/token/mod.rs"]
#[allow(dead_code)]
mod token;

pub(crate) use real_std::*;
pub(crate) use shims::{Error, ErrorKind, Result, clock, runtime, swap::ArcSwapOption, sync, time};

fn main() {
    let iterations = env::args().nth(1).map_or(1_000, |count| count.parse().expect("a number of iterations"));
    for (property, scenario) in scenarios::ALL {
        println!("{property}");
        shuttle::check_random(scenario, iterations);
        // Few task switches, at adverse points: finds interleavings that random scheduling rarely produces.
        shuttle::check_pct(scenario, iterations, 3);
    }
    println!("{} scenarios, {} interleavings", scenarios::ALL.len(), scenarios::ALL.len() * iterations * 2);
}
