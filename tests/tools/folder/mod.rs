//! What the tests of tools share: a folder of a test's own, and a pipe that tells when the last process that holds it
//! is gone.

// Each test file is a program of its own and uses a part of this.
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

/// A folder that ends with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("tool-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// With a stand-in for PowerShell in it, `pwsh`, which runs `answer`, in the language of `sh`. There, this folder
    /// is `$here`.
    pub(crate) fn of_a_power_shell(answer: &str) -> Self {
        let folder = Self::new();
        fs::write(folder.join("answer"), answer).unwrap();
        // A link, for a program that is written while another thread starts one may be busy.
        let fake_server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/powershell/pwsh");
        symlink(fake_server, folder.join("pwsh")).unwrap();
        folder
    }

    /// A named pipe in it: see [`Held`].
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What is written to a named pipe, and when the last process that has it open for writing is gone.
#[derive(Clone)]
pub(crate) struct Held(Arc<Mutex<Receiver<Option<String>>>>);

impl Held {
    pub(crate) fn by_writers_of(pipe: PathBuf) -> Self {
        let (send, receive) = mpsc::channel();
        // A process that is never started, or never ends, holds up no more than this thread.
        thread::spawn(move || {
            for line in BufReader::new(fs::File::open(pipe).unwrap()).lines() {
                let _ = send.send(Some(line.unwrap()));
            }
            let _ = send.send(None);
        });
        Self(Arc::new(Mutex::new(receive)))
    }

    /// The next line, or `None` when nobody holds it any more. While it waits, a clock of Tokio's that is paused
    /// stands still.
    pub(crate) async fn next(&self) -> Option<String> {
        let receive = self.0.clone();
        let next = move || receive.lock().unwrap().recv_timeout(Duration::from_secs(30));
        tokio::task::spawn_blocking(next).await.unwrap().expect("a process still holds the pipe")
    }
}
