//! The token cache under a scheduler that tries many orders of what happens at once.
//!
//! What is checked are the files of `src/token` as they stand. Where they name the standard library, `tokio` and
//! `arc_swap` they find this crate, which has the same names: time, tasks, locks and swaps in its own keeping, the
//! rest passed on. Each operation on a lock or a swap, and each wait, is a point at which another task may go on.
//!
//! ```sh
//! cargo run --release --locked -- 20000
//! ```
//!
//! The number is that of the orders tried for each scenario and each way to choose them. An order in which a promise
//! is broken ends the run, and is printed in a form that `shuttle::replay` takes.

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
    let tries = env::args().nth(1).map_or(1_000, |tries| tries.parse().expect("a number of tries"));
    for (promise, scenario) in scenarios::ALL {
        println!("{promise}");
        shuttle::check_random(scenario, tries);
        // Few changes of turn, at the worst places: finds what a fair draw rarely meets.
        shuttle::check_pct(scenario, tries, 3);
    }
    println!("{} scenarios, {} orders", scenarios::ALL.len(), scenarios::ALL.len() * tries * 2);
}
