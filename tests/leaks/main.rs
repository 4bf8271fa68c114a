//! Hunts for canaries (a token, a secret, an assertion, an id in a path, a name in a query, a header, a body, a
//! diagnostic text) in all that is printed by itself: `Debug`, `Display`, sources of errors, events and spans at every
//! level of every crate, panic messages, the output of a process.

#![cfg(all(
    unix,
    feature = "client-certificate",
    feature = "client",
    feature = "identity",
    feature = "reqwest-middleware",
    feature = "tower"
))]

mod hunt;

#[tokio::test]
async fn on_any_way_through_the_crate() {
    hunt::everything(&[hunt::exceptions::ALWAYS], &[]).await;
}
