//! The scan: uses the whole public interface with marker values and searches all output for them.
//!
//! Two programs run it: `tests/leaks` and `tests/leaks_verbose_dependencies`.

mod adapters;
pub(crate) mod allowed;
mod capture;
mod credentials;
mod environment;
mod fake_server;
mod interface;
mod marker;
mod requests;
mod test_credential;
mod tls;
mod token_endpoint;
#[path = "../../tools/support/mod.rs"]
mod tools_support;
mod transport;
#[path = "../../it/wire/mod.rs"]
mod wire;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use allowed::AllowedMarkers;

/// Runs all sections of the scan.
///
/// Fails if the output contains a marker that is not allowed, if an allowed marker does not occur, if a public item or an
/// event was not covered, or if one of `expected_sources` logged nothing.
pub(crate) async fn run(allowed: &[&[AllowedMarkers]], expected_sources: &[&str]) {
    capture::install();
    capture::start_section("the environment");
    if environment::run_in_subprocess().await {
        return;
    }
    environment::run().await;
    capture::start_section("requests");
    requests::run().await;
    capture::start_section("the fake server");
    fake_server::run().await;
    capture::start_section("the fake token endpoint");
    token_endpoint::run().await;
    capture::start_section("credentials");
    credentials::run().await;
    capture::start_section("adapters");
    adapters::run().await;
    capture::start_section("transport");
    transport::run().await;
    drop(std::panic::take_hook());

    let (outputs, covered) = capture::take();
    let missed: Vec<_> =
        interface::public_names().into_iter().filter(|name| !covered.contains(name)).collect();
    assert!(missed.is_empty(), "the scan did not cover {missed:?}");
    // Check that every source produced output, because otherwise a broken capture would pass.
    let events = interface::events();
    for (source, text) in [
        ("DEBUG reqwest::connect", "starting new connection"),
        ("TRACE h2", ""),
        ("DEBUG typespec_client_core", ""),
        ("azure_identity", ""),
        ("a panic", capture::PANIC),
    ]
    .into_iter()
    .chain(expected_sources.iter().map(|source| (*source, "")))
    .chain(events.iter().map(|event| (" azure_healthcare_auth", &**event)))
    {
        let captured =
            outputs.iter().any(|output| output.source.contains(source) && output.text.contains(text));
        assert!(captured, "no output of {source} contains {text:?}");
    }
    allowed::check_output(&outputs, allowed);
}

/// Polls a future once, outside any runtime, and returns its output if it is ready.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
