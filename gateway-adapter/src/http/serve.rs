//! Connections: accepted up to a limit, without delay for small answers, closed in order at the
//! end.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::Api;
use crate::limits::HTTP_CONNECTIONS_MAX;

/// Serves until the gateway stops, then lets requests in work finish.
pub(crate) async fn serve(listener: TcpListener, api: Api) {
    let listener = Limited { listener, room: Arc::new(Semaphore::new(HTTP_CONNECTIONS_MAX)) };
    let shared = api.0.clone();
    let served = axum::serve(listener, api.router())
        .with_graceful_shutdown(async move { shared.stopping().await });
    if let Err(error) = served.await {
        tracing::error!(%error, "serve HTTP");
    }
}

/// A listener that waits while too many connections are open.
struct Limited {
    listener: TcpListener,
    room: Arc<Semaphore>,
}

impl axum::serve::Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let permit =
            self.room.clone().acquire_owned().await.expect("the semaphore is never closed");
        // The inner listener sleeps and tries again when the system is out of descriptors.
        let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
        // An answer is one small write; without this it could wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        (Connection { stream, _permit: permit }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

struct Connection {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
