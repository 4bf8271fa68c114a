//! `ProcessExecutor` runs command-line tools and kills them when the call is dropped.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use std::{env, process::Command};
use std::{
    ffi::OsStr,
    fs,
    io::{self, Write},
    path::PathBuf,
    pin::pin,
    process::Output,
    task::{Context, Poll, Waker},
    time::Duration,
};

use azure_healthcare_auth::credentials::ProcessExecutor;
use azure_identity::Executor;
use tokio::time::timeout;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use crate::rerun::run_test;
use crate::support::{PipeReader, TempDir};

/// Runs a script in the same way as `azure_identity` runs `az`.
///
/// The paths are the arguments `$1`, `$2` and so on of the script.
async fn run_script(script: &'static str, paths: Vec<PathBuf>) -> io::Result<Output> {
    let mut arguments = ["-c", script, "sh"].map(OsStr::new).to_vec();
    arguments.extend(paths.iter().map(|path| path.as_os_str()));
    ProcessExecutor::new().run(OsStr::new("/bin/sh"), &arguments).await
}

async fn run_script_with_timeout(script: &'static str, paths: Vec<PathBuf>) -> io::Result<Output> {
    timeout(Duration::from_secs(30), run_script(script, paths)).await.expect("the tool hangs")
}

/// A script that starts a second process. Both hang with the pipe open.
const TWO_HANGING_PROCESSES: &str =
    r#"hang() { exec 3>"$1"; echo ready >&3; exec sleep 60; }; hang "$1" & hang "$1""#;

#[tokio::test]
async fn output_contains_stdout_stderr_and_status() {
    let script = "read line || echo no input; echo out; echo err >&2; exit 3";
    let output = run_script_with_timeout(script, Vec::new()).await.unwrap();
    assert_eq!(output.stdout, b"no input\nout\n");
    assert_eq!(output.stderr, b"err\n");
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn missing_tool_is_an_error() {
    let error = ProcessExecutor::new().run(OsStr::new("/nowhere/az"), &[]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn dropping_the_call_kills_all_its_processes() {
    let dir = TempDir::new();
    let pipe = dir.pipe("open");
    let reader = PipeReader::open(pipe.clone());
    let call = tokio::spawn(run_script(TWO_HANGING_PROCESSES, vec![pipe]));
    for _ in 0..2 {
        assert_eq!(reader.next_line().await.as_deref(), Some("ready"));
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(reader.next_line().await, None);
}

#[tokio::test]
async fn background_process_survives_tool_that_exited() {
    let dir = TempDir::new();
    let (pipe, resume) = (dir.pipe("open"), dir.pipe("resume"));
    let reader = PipeReader::open(pipe.clone());
    let script = r#"(exec 3>"$1"; read line <"$2"; echo alive >&3) >/dev/null 2>&1 &"#;
    run_script_with_timeout(script, vec![pipe, resume.clone()]).await.unwrap();
    // Opening only for writing would block until the process reads.
    let mut writer = fs::OpenOptions::new().read(true).write(true).open(resume).unwrap();
    writer.write_all(b"\n").unwrap();
    assert_eq!(reader.next_line().await.as_deref(), Some("alive"));
}

/// The first process of a container also adopts the background processes of a tool.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn call_does_not_wait_for_adopted_background_process() {
    /// The variable with the pipe that the background process reads, set only in the subprocess.
    const PIPE: &str = "TEST_PIPE";
    if let Some(pipe) = env::var_os(PIPE) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let script = r#"(read line <"$1") >/dev/null 2>&1 & echo token"#;
        let call = run_script(script, vec![pipe.into()]);
        let output = runtime.block_on(async { timeout(Duration::from_secs(10), call).await });
        // Dropping the runtime would wait for a task that waits for the background process.
        runtime.shutdown_background();
        let output = output.expect("the call waits for the background process").unwrap();
        assert_eq!(output.stdout, b"token\n");
        return;
    }
    let dir = TempDir::new();
    let pipe = dir.pipe("resume");
    // The background process reads until this is closed, also if the test fails. Opening only for writing would block.
    let _writer = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
    // Calls `prctl(PR_SET_CHILD_SUBREAPER, 1)`, whose effect persists across `exec`. Rust needs `unsafe` for it.
    let prctl = if cfg!(target_arch = "x86_64") { 157 } else { 167 };
    let mut command = Command::new("perl");
    command
        .arg("-e")
        .arg(format!("syscall({prctl}, 36, 1, 0, 0, 0) == 0 or die $!; exec @ARGV"))
        .arg(env::current_exe().unwrap())
        .env(PIPE, &pipe);
    match run_test(command, call_does_not_wait_for_adopted_background_process) {
        Ok(_) => {}
        // Debian and Ubuntu always include Perl.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: perl is not installed");
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn output_is_limited_to_one_mebibyte_per_stream() {
    // Neither stream fits into a pipe's buffer, so both must be read at the same time.
    for script in [
        "head -c 1048576 /dev/zero; head -c 1048576 /dev/zero >&2",
        "head -c 1048576 /dev/zero >&2; head -c 1048576 /dev/zero",
    ] {
        let output = run_script_with_timeout(script, Vec::new()).await.unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (1_048_576, 1_048_576));
    }
    for script in ["exec head -c 1048577 /dev/zero", "exec head -c 1048577 /dev/zero >&2", "exec yes"] {
        let error = run_script_with_timeout(script, Vec::new()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}

#[test]
fn call_outside_of_tokio_runtime_is_an_error() {
    let call = pin!(run_script("true", Vec::new()));
    let Poll::Ready(Err(error)) = call.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("the call started a process");
    };
    assert!(error.to_string().contains("Tokio"), "{error}");
}
