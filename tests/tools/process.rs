//! `ProcessExecutor` runs the tools of `azure_identity`'s credentials, and leaves none behind.

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use std::{env, process::Command};
use std::{
    ffi::OsStr,
    fs,
    io::{self, Write},
    pin::pin,
    process::Output,
    task::{Context, Poll, Waker},
    time::Duration,
};

use crate::folder::{Folder, Held};
use azure_healthcare_auth::credentials::ProcessExecutor;
use azure_identity::Executor;
use tokio::time::timeout;

/// As `azure_identity` runs `az`.
async fn shell(script: String) -> io::Result<Output> {
    ProcessExecutor::new().run(OsStr::new("/bin/sh"), &[OsStr::new("-c"), OsStr::new(&script)]).await
}

/// The same, of a tool that may not hang.
async fn ends(script: String) -> io::Result<Output> {
    timeout(Duration::from_secs(30), shell(script)).await.expect("the tool hangs")
}

/// A tool and a process that it started, each of which holds the pipe.
fn two_that_hang(pipe: &str) -> String {
    let holds = format!("exec 3>'{pipe}'; echo ready >&3; exec sleep 60");
    format!("({holds}) & {holds}")
}

#[tokio::test]
async fn its_answer_is_all_that_it_wrote_and_its_status() {
    let output = ends("read line || echo no input; echo out; echo err >&2; exit 3".to_owned()).await.unwrap();
    assert_eq!(output.stdout, b"no input\nout\n");
    assert_eq!(output.stderr, b"err\n");
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn a_tool_that_is_not_there_is_an_error() {
    let error = ProcessExecutor::new().run(OsStr::new("/nowhere/az"), &[]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn when_the_call_is_dropped_so_are_all_that_it_started() {
    let folder = Folder::new();
    let pipe = folder.pipe("held");
    let held = Held::by_writers_of(pipe.clone());
    let call = tokio::spawn(shell(two_that_hang(pipe.to_str().unwrap())));
    for _ in 0..2 {
        assert_eq!(held.next().await.as_deref(), Some("ready"));
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert_eq!(held.next().await, None);
}

#[tokio::test]
async fn a_tool_that_has_ended_leaves_what_it_put_into_the_background() {
    let folder = Folder::new();
    let (pipe, go_on) = (folder.pipe("held"), folder.pipe("go_on"));
    let held = Held::by_writers_of(pipe.clone());
    let background = format!("exec 3>'{}'; read line <'{}'; echo alive >&3", pipe.display(), go_on.display());
    ends(format!("({background}) >/dev/null 2>&1 &")).await.unwrap();
    fs::OpenOptions::new().write(true).open(go_on).unwrap().write_all(b"\n").unwrap();
    assert_eq!(held.next().await.as_deref(), Some("alive"));
}

/// As the first process of a container is: what a tool leaves in the background becomes a child of this program.
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn a_program_that_orphans_fall_to_does_not_wait_for_them() {
    /// The pipe that the background waits for, in the process that orphans fall to.
    const GO_ON: &str = "ORPHANS_FALL_TO_THIS_PROCESS";
    if let Ok(pipe) = env::var(GO_ON) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let script = format!("(read line <'{pipe}') >/dev/null 2>&1 & echo token");
        let output = runtime.block_on(async { timeout(Duration::from_secs(10), shell(script)).await });
        println!("OUTCOME {}", output.is_ok_and(|output| output.unwrap().stdout == b"token\n"));
        // A runtime that is dropped waits for what waits.
        std::process::exit(0);
    }
    let folder = Folder::new();
    let go_on = folder.pipe("go_on");
    // `prctl(PR_SET_CHILD_SUBREAPER, 1)`, which outlives `exec`. Rust calls it by `unsafe` alone.
    let prctl = if cfg!(target_arch = "x86_64") { 157 } else { 167 };
    let output = Command::new("perl")
        .arg("-e")
        .arg(format!("syscall({prctl}, 36, 1, 0, 0, 0) == 0 or die $!; exec @ARGV"))
        .arg(env::current_exe().unwrap())
        .args(["--exact", "process::a_program_that_orphans_fall_to_does_not_wait_for_them", "--nocapture"])
        .env(GO_ON, &go_on)
        .output();
    if output.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        // Debian and Ubuntu always have it.
        eprintln!("not tested: there is no perl here");
        return;
    }
    let output = output.unwrap();
    // Also for reading, by which it is opened where nobody waits any more.
    fs::OpenOptions::new().read(true).write(true).open(go_on).unwrap().write_all(b"\n").unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("running 1 test\n"), "{stdout}");
    assert!(stdout.contains("OUTCOME true"), "{stdout} {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn much_may_be_written_and_no_more() {
    let mebibyte = "head -c 1048576 /dev/zero";
    // To either, in either order, neither of which fits a pipe.
    for script in [format!("{mebibyte}; {mebibyte} >&2"), format!("{mebibyte} >&2; {mebibyte}")] {
        let output = ends(script).await.unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (1_048_576, 1_048_576));
    }
    for script in ["exec head -c 1048577 /dev/zero", "exec head -c 1048577 /dev/zero >&2", "exec yes"] {
        let error = ends(script.to_owned()).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}

#[test]
fn without_a_runtime_it_is_an_error() {
    let call = pin!(shell("true".to_owned()));
    let Poll::Ready(Err(error)) = call.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("a tool was started");
    };
    assert!(error.to_string().contains("Tokio"), "{error}");
}
