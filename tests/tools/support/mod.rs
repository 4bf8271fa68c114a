//! Helpers for tests that start processes: a temporary directory, fake tools and a reader for named pipes.

// Each test program uses only some of these helpers.
#![allow(dead_code)]

use std::{
    env, fs,
    io::{BufRead, BufReader},
    ops::Deref,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{self, Command},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{self, Receiver},
    },
    thread,
    time::Duration,
};

/// A temporary directory that is deleted on drop.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("tool-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Creates a fake command-line tool that runs `body` as an `sh` script. In it, `$here` is this directory.
    ///
    /// The tool writes its arguments to `<name>.arguments` and its working directory to `<name>.directory`.
    pub(crate) fn fake_tool(&self, name: &str, body: &str) -> PathBuf {
        fs::write(self.join(format!("{name}.sh")), body).unwrap();
        // A link, because running an executable that was just written can fail with "text file busy".
        let path = self.join(name);
        symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/fake_tool"), &path).unwrap();
        path
    }

    /// Creates a named pipe, which [`PipeReader`] can read.
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}

impl Deref for TempDir {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Reads the lines of a named pipe until no process has it open for writing.
#[derive(Clone)]
pub(crate) struct PipeReader(Arc<Mutex<Receiver<Option<String>>>>);

impl PipeReader {
    pub(crate) fn open(pipe: PathBuf) -> Self {
        let (sender, receiver) = mpsc::channel();
        // A thread, because opening the pipe blocks until a process opens it for writing.
        thread::spawn(move || {
            for line in BufReader::new(fs::File::open(pipe).unwrap()).lines() {
                let _ = sender.send(Some(line.unwrap()));
            }
            let _ = sender.send(None);
        });
        Self(Arc::new(Mutex::new(receiver)))
    }

    /// Returns the next line, or `None` after the last writer has closed the pipe.
    ///
    /// A paused Tokio clock does not advance while this waits.
    pub(crate) async fn next_line(&self) -> Option<String> {
        let receiver = self.0.clone();
        let receive = move || receiver.lock().unwrap().recv_timeout(Duration::from_secs(30));
        tokio::task::spawn_blocking(receive).await.unwrap().expect("a process keeps the pipe open")
    }
}
