//! Runs one test of this program again, in a subprocess.

use std::{
    any::type_name_of_val,
    io,
    process::{Command, Output},
};

/// Runs `test` in a subprocess with a command that starts this program, and returns its output.
///
/// # Panics
///
/// Panics unless exactly one test ran and passed, because the test harness also succeeds if it finds no test.
pub(crate) fn run_test(command: Command, test: impl Fn()) -> io::Result<Output> {
    let path = type_name_of_val(&test);
    let (_crate, name) = path.split_once("::").unwrap();
    run_test_by_name(command, name)
}

fn run_test_by_name(mut command: Command, name: &str) -> io::Result<Output> {
    let output = command.args(["--exact", name, "--nocapture"]).output()?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && stdout.contains("\ntest result: ok. 1 passed; 0 failed; 0 ignored;"),
        "not exactly one test passed as {name}: {stdout} {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output)
}

#[test]
#[should_panic(expected = "not exactly one test passed as rerun::no_such_test")]
fn rerun_of_unknown_test_panics() {
    let program = Command::new(std::env::current_exe().unwrap());
    drop(run_test_by_name(program, "rerun::no_such_test"));
}
