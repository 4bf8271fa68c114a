//! Runs tests without the variables of this process that `azure_identity` reads for a managed identity.

use std::{any::type_name_of_val, env, process::Command};

const VARIABLES: &[&str] = &[
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
];

/// Runs `test`, which calls this, in a subprocess without these variables and returns `true`. Returns `false` if none of
/// them is set.
///
/// # Panics
///
/// Panics unless exactly one test ran and passed, because the test harness also succeeds if it finds no test.
pub(super) fn rerun_without_managed_identity(test: impl Fn()) -> bool {
    if VARIABLES.iter().all(|name| env::var_os(name).is_none()) {
        return false;
    }
    let (_crate, name) = type_name_of_val(&test).split_once("::").unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    for name in VARIABLES {
        command.env_remove(name);
    }
    let output = command.args(["--exact", name, "--nocapture"]).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("\ntest result: ok. 1 passed; 0 failed; 0 ignored;"),
        "not exactly one test passed as {name}: {stdout} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    true
}
