//! [`serve`]: the HTTPS server of the token endpoint.

use std::{
    io,
    net::{Ipv6Addr, SocketAddr, TcpListener},
    sync::Arc,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::sync::oneshot;
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::loopback;

/// Listens on a free port of `localhost` and returns the listeners and the port.
///
/// `localhost` can be `127.0.0.1` or `::1`, so this listens on the same port of both, unless `::1` is not available.
pub(super) fn listen() -> io::Result<(Vec<TcpListener>, u16)> {
    let listener = loopback::listen()?;
    let port = listener.local_addr()?.port();
    let other = loopback::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    Ok(([Ok(listener), other].into_iter().flatten().collect(), port))
}

/// Serves the router on its own thread until the returned sender is dropped.
pub(super) fn serve(
    listeners: Vec<TcpListener>,
    config: &Arc<ServerConfig>,
    router: &Router,
) -> io::Result<oneshot::Sender<()>> {
    let service = || (TlsAcceptor::from(config.clone()), router.clone());
    let services = listeners.into_iter().map(|listener| (listener, service())).collect();
    loopback::run("fake-token-endpoint", services, |listener, (acceptor, router)| {
        accept(listener, acceptor, router)
    })
}

async fn accept(listener: tokio::net::TcpListener, acceptor: TlsAcceptor, router: Router) {
    loop {
        let stream = loopback::accept(&listener).await;
        let (acceptor, service) = (acceptor.clone(), TowerToHyperService::new(router.clone()));
        tokio::spawn(async move {
            // A client that does not trust the certificate closes the connection.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            // The client sees a connection error too.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
