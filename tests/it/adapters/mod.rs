mod azure_core;
#[cfg(all(feature = "client", feature = "reqwest-middleware", feature = "tower"))]
mod contract;
mod reqwest_middleware;
mod tower;
