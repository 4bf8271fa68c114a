//! Tests that start processes. They have a program of their own, because a test that writes an executable while another
//! test forks can fail with "text file busy".

#![cfg(all(unix, feature = "identity"))]

mod environment;
mod folder;
mod powershell;
mod process;
#[path = "../it/wire/mod.rs"]
mod wire;
