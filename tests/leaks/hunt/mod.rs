//! The hunt: goes every public way through the crate with canaries, and looks for them in all that is printed. Two
//! programs go on it: that beside this folder, and `tests/others_at_their_loudest`.

mod adapters;
mod canary;
mod credentials;
mod environment;
pub(crate) mod exceptions;
mod interface;
mod providers;
mod refusals;
mod requests;
mod tls;
#[path = "../../tools/support/mod.rs"]
mod tool;
mod transport;
#[path = "../../it/wire/mod.rs"]
mod wire;
mod witness;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use exceptions::Exception;

/// Fails if a canary is printed by who is not one of the exceptions, if an exception no longer holds, or if one of
/// `speak` is not heard at all.
pub(crate) async fn everything(exceptions: &[&[Exception]], speak: &[&str]) {
    witness::listen();
    witness::enter("the environment");
    if environment::called().await {
        return;
    }
    environment::drive().await;
    witness::enter("requests");
    requests::drive().await;
    witness::enter("refusals");
    refusals::drive().await;
    witness::enter("credentials");
    credentials::drive().await;
    witness::enter("adapters");
    adapters::drive().await;
    witness::enter("transport");
    transport::drive().await;
    drop(std::panic::take_hook());

    let (prints, met) = witness::take();
    let missed: Vec<_> = interface::public_names().into_iter().filter(|name| !met.contains(name)).collect();
    assert!(missed.is_empty(), "the hunt did not come by {missed:?}");
    // The witness was not deaf.
    let events = interface::events();
    for (by, text) in [
        ("DEBUG reqwest::connect", "starting new connection"),
        ("TRACE h2", ""),
        ("DEBUG typespec_client_core", ""),
        ("azure_identity", ""),
        ("a panic", witness::PANIC),
    ]
    .into_iter()
    .chain(speak.iter().map(|by| (*by, "")))
    .chain(events.iter().map(|event| (" azure_healthcare_auth", &**event)))
    {
        let heard = prints.iter().any(|print| print.by.contains(by) && print.text.contains(text));
        assert!(heard, "{by} was not heard to say {text:?}");
    }
    exceptions::judge(&prints, exceptions);
}

/// What a future gives when it is polled once, outside any runtime.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
