//! Tests of the adapters: the contract that all of them share, and what is specific to each stack.

mod azure_core;
#[cfg(all(feature = "client", feature = "reqwest-middleware", feature = "tower"))]
mod contract;
mod reqwest_middleware;
mod tower;
