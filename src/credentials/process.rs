//! [`ProcessExecutor`]: runs a tool, and ends it with all that it started when its answer is no longer wanted.

use std::{
    ffi::OsStr,
    io,
    process::{Output, Stdio},
    time::Duration,
};

use azure_core::error::{Error, ErrorKind};
use azure_identity::Executor;
use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    runtime::Handle,
    time::timeout,
};

/// The bytes that a tool may write to its output, and as many to its error output. A token has a few thousand.
const LIMIT: u64 = 1024 * 1024;

/// Runs the tools of `azure_identity`'s credentials, and ends those whose answer nobody waits for any more.
///
/// `az` is a script that starts Python. `azure_identity`'s own executor leaves both running when a call is given up:
/// when its time is over, say, or the service shuts down. This one leaves neither:
///
/// ```
/// use std::sync::Arc;
/// use azure_healthcare_auth::credentials::ProcessExecutor;
/// use azure_identity::{AzureCliCredential, AzureCliCredentialOptions};
///
/// # fn credential() -> azure_healthcare_auth::Result<()> {
/// let credential = AzureCliCredential::new(Some(AzureCliCredentialOptions {
///     executor: Some(Arc::new(ProcessExecutor::new())),
///     ..Default::default()
/// }))?;
/// # Ok(()) }
/// # assert!(credential().is_ok());
/// ```
///
/// A tool runs in a process group of its own (on Windows, a job object), with nothing to read, and with this program's
/// environment and working folder. Where the future is dropped before the tool has ended, the whole group is killed.
/// A process that has left the group, as a daemon does, is not found; what a tool that came to its end has left in the
/// background goes on. A Ctrl-C typed at a terminal does not reach the tool.
///
/// What it does on Windows has not been run there.
///
/// # Errors
///
/// The tool cannot be started, or it writes more than 1 MiB to its output or its error output: it is ended then. Also
/// outside a Tokio runtime; in one that was built without I/O, Tokio panics.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ProcessExecutor;

impl ProcessExecutor {
    /// As described above.
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait::async_trait]
impl Executor for ProcessExecutor {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let mut command = Command::new(program);
        command.args(args);
        output(command).await
    }
}

/// Runs `command` as [`ProcessExecutor`] does.
pub(super) async fn output(mut command: Command) -> io::Result<Output> {
    // Without a runtime, Tokio panics.
    Handle::try_current().map_err(io::Error::other)?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut command = CommandWrap::from(command);
    #[cfg(unix)]
    command.wrap(process_wrap::tokio::ProcessGroup::leader());
    #[cfg(windows)]
    command.wrap(process_wrap::tokio::JobObject);
    let mut group = Group { leader: command.spawn()?, ended: false };

    // Not before both are at their end is the leader waited for: until then its id is the group's, and nobody else's.
    let (stdout, stderr) = (group.leader.stdout().take(), group.leader.stderr().take());
    let (stdout, stderr) = tokio::try_join!(read(stdout), read(stderr))?;
    // And it alone: where orphans fall to this program, as to the first of a container, the group would be waited for
    // until all that the tool has left in the background is at its end.
    let status = group.leader.inner_mut().wait().await?;
    group.ended = true;
    Ok(Output { status, stdout, stderr })
}

/// What the call gives that has started the tool, or an error that may pass: the tool is ended where it takes too long.
pub(super) async fn in_time<T>(
    tool: &str,
    limit: Duration,
    call: impl Future<Output = T>,
) -> azure_core::Result<T> {
    // Without a runtime, Tokio's clock panics.
    Handle::try_current().map_err(|error| {
        let why = format!("{tool} cannot be run: {error}");
        Error::with_error(ErrorKind::Credential, error, why)
    })?;
    timeout(limit, call).await.map_err(|_| {
        let why = format!("{tool} was ended: it gave no answer within {} s", limit.as_secs_f64());
        // It may be faster the next time.
        Error::with_error(ErrorKind::Credential, Error::from(io::Error::from(io::ErrorKind::TimedOut)), why)
    })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let read = pipe.take(LIMIT + 1).read_to_end(&mut bytes).await?;
        if read as u64 > LIMIT {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the tool writes more than 1 MiB"));
        }
    }
    Ok(bytes)
}

struct Group {
    leader: Box<dyn ChildWrapper>,
    ended: bool,
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            // It can only fail where there is nothing left to end.
            let _ = self.leader.start_kill();
        }
    }
}
