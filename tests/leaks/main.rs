//! A program of its own, because it installs a global `tracing` subscriber, logger and panic hook.
//!
//! Searches all output of the crate for marker values, which represent secrets and patient data. The markers are in
//! tokens, secrets, assertions, ids in paths, names in queries, headers, bodies and diagnostics. The output consists of
//! `Debug` and `Display` text, the sources of errors, the events and spans of all crates at all levels, panic messages,
//! and the output of subprocesses.

#![cfg(all(
    unix,
    feature = "client-certificate",
    feature = "client",
    feature = "identity",
    feature = "reqwest-middleware",
    feature = "tower"
))]

mod scan;

#[tokio::test]
async fn output_contains_no_secrets_or_patient_data() {
    scan::run(&[scan::allowed::DEFAULT], &[]).await;
}
