//! Tests that start processes. They have their own program, because a forked child briefly holds the open files and
//! sockets of all other tests.

#![cfg(all(unix, feature = "identity"))]

mod certificates;
mod environment;
mod powershell;
mod process;
mod rerun;
mod support;
#[path = "../it/wire/mod.rs"]
mod wire;
