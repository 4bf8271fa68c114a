//! The listeners and the thread of a fake server.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread,
    time::Duration,
};

use tokio::{net::TcpStream, runtime::Builder, sync::oneshot, time::sleep};

/// The time before another attempt to accept a connection, for example if there are too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// Listens on a free port of `127.0.0.1`.
///
/// The operating system queues connections until the listener is [run](run).
pub(crate) fn listen() -> io::Result<TcpListener> {
    bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
}

/// Listens on this address.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Waits for the next connection.
pub(crate) async fn accept(listener: &tokio::net::TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => sleep(ACCEPT_RETRY).await,
        }
    }
}

/// Runs `accept` for each listener on one thread until the returned sender is dropped.
///
/// The thread has its own runtime, because a test's runtime may be shut down, blocked or have its clock paused.
pub(crate) fn run<S, F>(
    name: &str,
    services: Vec<(TcpListener, S)>,
    accept: impl Fn(tokio::net::TcpListener, S) -> F,
) -> io::Result<oneshot::Sender<()>>
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    for (listener, service) in services {
        let _guard = runtime.enter();
        runtime.spawn(accept(tokio::net::TcpListener::from_std(listener)?, service));
    }
    let (stop, stopped) = oneshot::channel::<()>();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        // The receiver completes with an error when the sender is dropped.
        let _ = runtime.block_on(stopped);
    })?;
    Ok(stop)
}
