//! [`ProcessExecutor`]: runs command-line tools and kills those that are canceled, with their child processes.

use std::{
    ffi::OsStr,
    io,
    process::{Output, Stdio},
    time::Duration,
};

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_identity::Executor;
use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    runtime::Handle,
    time::timeout,
};

/// The limit, in bytes, for the standard output of a tool and for its standard error. A token has a few thousand bytes.
const MAX_OUTPUT: u64 = 1024 * 1024;

/// An executor for the tools of `azure_identity`'s credentials that kills a tool if the call is canceled.
///
/// `az` is a script that starts Python. If a call is canceled, for example because of a timeout, the default executor
/// of `azure_identity` leaves both processes running. This executor kills them.
///
/// Each tool runs in its own process group (on Windows, in a job object), with empty standard input and with the
/// environment and working directory of this process. If the future is dropped before the tool has exited, the whole
/// group is killed. A process that has left the group, such as a daemon, is not killed. Background processes of a tool
/// that has exited continue to run. A Ctrl-C in the terminal does not reach the tool.
///
/// The behavior on Windows has not been tested there.
///
/// # Errors
///
/// Returns an error if the tool cannot be started, if it writes more than 1 MiB to its standard output or standard
/// error (the tool is then killed), or if no Tokio runtime is running.
///
/// # Panics
///
/// Tokio panics if its runtime was built without I/O.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ProcessExecutor;

impl ProcessExecutor {
    /// Creates an executor.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Executor for ProcessExecutor {
    async fn run(&self, program: &OsStr, args: &[&OsStr]) -> io::Result<Output> {
        let mut command = Command::new(program);
        command.args(args);
        output(command).await
    }
}

/// Runs `command` as described for [`ProcessExecutor`] and returns its output.
pub(super) async fn output(mut command: Command) -> io::Result<Output> {
    // Checked first, because Tokio panics without a runtime.
    Handle::try_current().map_err(io::Error::other)?;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut command = CommandWrap::from(command);
    #[cfg(unix)]
    command.wrap(process_wrap::tokio::ProcessGroup::leader());
    #[cfg(windows)]
    command.wrap(process_wrap::tokio::JobObject);
    let mut group = ProcessGroup { leader: command.spawn()?, exited: false };

    // The output is read before the leader is waited for, because the id of the group may be reused after that.
    let (stdout, stderr) = (group.leader.stdout().take(), group.leader.stderr().take());
    let (stdout, stderr) = tokio::try_join!(read(stdout), read(stderr))?;
    // Waits for the leader only. If this process adopts orphans, as the first process of a container does, waiting for
    // the group would also wait for the background processes that the tool started.
    let status = group.leader.inner_mut().wait().await?;
    group.exited = true;
    Ok(Output { status, stdout, stderr })
}

/// Runs `call`, which starts a tool, for at most `limit`. A timeout is a transient error and kills the tool.
pub(super) async fn in_time<T>(
    tool: &str,
    limit: Duration,
    call: impl Future<Output = T>,
) -> azure_core::Result<T> {
    // Checked first, because Tokio's timer panics without a runtime.
    Handle::try_current().map_err(|error| {
        let message = format!("failed to run {tool}: {error}");
        Error::with_error(ErrorKind::Credential, error, message)
    })?;
    timeout(limit, call).await.map_err(|_| {
        let message = format!("{tool} did not exit within {} s and was killed", limit.as_secs_f64());
        // The source makes the error transient.
        let source = Error::from(io::Error::from(io::ErrorKind::TimedOut));
        Error::with_error(ErrorKind::Credential, source, message)
    })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let read = pipe.take(MAX_OUTPUT + 1).read_to_end(&mut bytes).await?;
        if read as u64 > MAX_OUTPUT {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the tool wrote more than 1 MiB"));
        }
    }
    Ok(bytes)
}

/// Kills the group when it is dropped, unless the leader has exited.
struct ProcessGroup {
    leader: Box<dyn ChildWrapper>,
    exited: bool,
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if !self.exited {
            // Fails only if no process is left.
            let _ = self.leader.start_kill();
        }
    }
}
