//! Sockets, transport settings and the accept loop that all endpoints share.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    Connection, Endpoint, EndpointConfig, IdleTimeout, TokioRuntime, TransportConfig, VarInt,
};
use ring::rand::{SecureRandom, SystemRandom};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::error::Failure;
use crate::limits::*;
use crate::{LinkError, LinkKey};

/// ALPN name of the connections between nodes.
pub(crate) const PEER_ALPN: &[u8] = b"corridor-peer/1";
/// ALPN name of the connections from gateways and tools.
pub(crate) const CLIENT_ALPN: &[u8] = b"corridor-client/1";

/// Transport settings between nodes.
pub(crate) fn peer_transport() -> Arc<TransportConfig> {
    transport(PEER_STREAM_WINDOW_BYTES, PEER_WINDOW_BYTES, PEER_IDLE_TIME_MAX, 4)
}

/// Transport settings at the endpoint for gateways and tools.
pub(crate) fn session_transport() -> Arc<TransportConfig> {
    transport(CLIENT_STREAM_WINDOW_BYTES, CLIENT_WINDOW_BYTES, CLIENT_IDLE_TIME_MAX, 1)
}

/// Transport settings of a gateway or tool, which only ever opens streams itself.
pub(crate) fn client_transport() -> Arc<TransportConfig> {
    transport(CLIENT_STREAM_WINDOW_BYTES, CLIENT_WINDOW_BYTES, FAIL_OVER_IDLE_TIME, 0)
}

fn transport(
    stream_window: u32,
    window: u32,
    idle: Duration,
    streams: u32,
) -> Arc<TransportConfig> {
    let mut config = TransportConfig::default();
    let idle = IdleTimeout::try_from(idle).expect("idle times are seconds, far below the maximum");
    config
        .stream_receive_window(VarInt::from_u32(stream_window))
        .receive_window(VarInt::from_u32(window))
        .send_window(u64::from(window))
        .max_concurrent_bidi_streams(VarInt::from_u32(streams))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE_INTERVAL))
        .initial_rtt(INITIAL_RTT)
        // Datagrams are not used, so none may be sent to us.
        .datagram_receive_buffer_size(None);
    Arc::new(config)
}

/// An endpoint that is dialled (and may dial), bound to `listen`.
pub(crate) fn listening(
    listen: SocketAddr,
    key: &LinkKey,
    purpose: &str,
    tls: Arc<QuicServerConfig>,
    transport: Arc<TransportConfig>,
) -> Result<Endpoint, LinkError> {
    let mut server = quinn::ServerConfig::with_crypto(tls);
    server
        .transport_config(transport)
        .migration(false)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES_EACH)
        .incoming_buffer_size_total(INCOMING_BUFFER_BYTES);
    let config = EndpointConfig::new(Arc::new(key.reset_key(purpose)));
    open(listen, config, Some(server))
}

/// An endpoint that only dials, on any port of the address family of `towards`.
pub(crate) fn dialling(towards: SocketAddr) -> Result<Endpoint, LinkError> {
    let any: SocketAddr = match towards {
        SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
        SocketAddr::V6(_) => ([0u16; 8], 0).into(),
    };
    open(any, EndpointConfig::default(), None)
}

fn open(
    addr: SocketAddr,
    config: EndpointConfig,
    server: Option<quinn::ServerConfig>,
) -> Result<Endpoint, LinkError> {
    let socket = bind(addr).map_err(|source| LinkError::Socket { addr, source })?;
    Endpoint::new(config, server, socket.into(), Arc::new(TokioRuntime))
        .map_err(|source| LinkError::Socket { addr, source })
}

fn bind(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    // The system caps these at its own maximum; a smaller buffer costs speed, not correctness.
    for result in [
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES),
        socket.set_send_buffer_size(SOCKET_BUFFER_BYTES),
    ] {
        if let Err(error) = result {
            tracing::debug!(%addr, %error, "socket buffer not enlarged");
        }
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// Settings for one dialled server.
pub(crate) fn dial_config(
    tls: Arc<QuicClientConfig>,
    transport: Arc<TransportConfig>,
) -> quinn::ClientConfig {
    let mut config = quinn::ClientConfig::new(tls);
    config.transport_config(transport);
    config
}

/// Accepts connections until `stop`, running `serve` for each completed handshake.
///
/// Under load an address has to prove itself first (a retry), and beyond the limit of handshakes
/// attempts are refused, so that a flood of first packets costs little. A place counts as taken
/// until `serve` drops the permit it was given.
pub(crate) async fn accept_loop<F, S>(endpoint: Endpoint, mut stop: Stop, serve: S)
where
    S: Fn(Connection, OwnedSemaphorePermit) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let serve = Arc::new(serve);
    let mut tasks = JoinSet::new();
    loop {
        let incoming = tokio::select! {
            () = stop.stopped() => break,
            Some(_) = tasks.join_next() => continue,
            incoming = endpoint.accept() => match incoming {
                Some(incoming) => incoming,
                None => break,
            },
        };
        let under_way = HANDSHAKES_MAX - places.available_permits();
        if under_way >= HANDSHAKES_BEFORE_RETRY && incoming.may_retry() {
            let _ = incoming.retry();
            continue;
        }
        let Ok(permit) = places.clone().try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let serve = serve.clone();
        tasks.spawn(async move {
            let remote = incoming.remote_address();
            let handshake = async { Ok(incoming.accept()?.await?) };
            match within(HANDSHAKE_TIME_MAX, handshake).await {
                Ok(connection) => serve(connection, permit).await,
                Err(error) => tracing::debug!(%remote, %error, "handshake failed"),
            }
        });
    }
    // What is being served sees `stop` itself and says goodbye; whatever does not is dropped.
    let finish = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(FLUSH_TIME_MAX * 2, finish).await;
}

/// Runs `work` with a deadline.
pub(crate) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Failure::Timeout(limit)))
}

/// Tells every task of an endpoint to stop: on request, or when the owner is gone.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The switch (true means stop; dropping it too) and what the tasks watch.
    pub(crate) fn new() -> (watch::Sender<bool>, Stop) {
        let (sender, receiver) = watch::channel(false);
        (sender, Stop(receiver))
    }

    /// Returns once it is time to stop.
    pub(crate) async fn stopped(&mut self) {
        // An error means that the owner is gone.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// A random number from the system.
pub(crate) fn random_u64() -> Result<u64, LinkError> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).map_err(|_| LinkError::Random)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Growing waits between attempts, each shortened by chance so that nobody keeps in step.
#[derive(Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Starts again with the smallest wait.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait: 50 ms doubling up to 1 s, of which the last half is random.
    pub(crate) fn next(&mut self) -> Duration {
        let full = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        let half = full / 2;
        // Without chance the full wait is as good: only the spreading is lost.
        let part = random_u64().map_or(u64::MAX, |random| random) % (half.as_micros() as u64 + 1);
        half + Duration::from_micros(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_its_maximum_and_starts_again() {
        let mut backoff = Backoff::default();
        for _ in 0..40 {
            let wait = backoff.next();
            assert!(wait >= BACKOFF_FIRST / 2 && wait <= BACKOFF_MAX);
        }
        assert!(backoff.next() >= BACKOFF_MAX / 2);
        backoff.reset();
        assert!(backoff.next() <= BACKOFF_FIRST);
    }
}
