//! Why an endpoint cannot start, and why one connection failed.

use std::io;
use std::net::SocketAddr;

use quinn::{ConnectionError, VarInt};
use wire::frame::FrameError;

/// Why an endpoint could not be started. Nothing runs after it.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The UDP socket could not be opened or bound.
    #[error("open UDP socket on {addr}")]
    Socket {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The TLS library refused the key or the settings.
    #[error("configure TLS")]
    Tls(#[from] rustls::Error),
    /// The TLS settings lack what QUIC needs.
    #[error("configure TLS for QUIC")]
    Quic(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
    /// The configuration contradicts itself.
    #[error("configuration of links: {0}")]
    Config(&'static str),
    /// The system's random source failed.
    #[error("read the system's random source")]
    Random,
}

/// Numbers that tell the other side why its connection was closed; the text goes with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum CloseCode {
    /// An orderly end: close of a session or stop of the process.
    Done = 1,
    /// Another connection with the same peer is kept instead.
    Superseded = 2,
    /// The hello does not fit (network, node, version, contents).
    Hello = 3,
    /// Bytes that are not a valid frame, or a frame that has no place here.
    Protocol = 4,
    /// The key is not, or no longer, pinned.
    Key = 5,
    /// The limit on sessions is reached.
    Busy = 6,
}

impl CloseCode {
    /// Closes the connection with this code and a text for the other side's log.
    pub(crate) fn close(self, connection: &quinn::Connection, reason: &str) {
        // The reason must fit one packet together with the rest of the close frame.
        let text = &reason.as_bytes()[..reason.len().min(512)];
        connection.close(VarInt::from_u32(self as u32), text);
    }

    fn is(self, code: VarInt) -> bool {
        u64::from(code) == self as u64
    }
}

/// Why an attempt to connect, or an established connection, ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}", describe(.0))]
    Connection(#[from] ConnectionError),
    #[error("dial: {0}")]
    Dial(#[from] quinn::ConnectError),
    #[error("no answer within {} ms", .0.as_millis())]
    Timeout(std::time::Duration),
    #[error("another connection with this peer is kept")]
    Superseded,
    #[error("{0}")]
    Hello(String),
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("frame kind {0} has no place here")]
    Kind(u8),
    #[error("stream was cut inside a frame")]
    Cut,
    #[error("stream ended before the first frame")]
    Ended,
    #[error("stream failed: {0}")]
    Stream(String),
    #[error("key is not pinned")]
    Key,
    #[error("the limit on sessions is reached")]
    Busy,
}

impl Failure {
    /// The code that tells the other side, for failures that are its doing.
    pub(crate) fn code(&self) -> CloseCode {
        match self {
            Failure::Superseded => CloseCode::Superseded,
            Failure::Hello(_) => CloseCode::Hello,
            Failure::Frame(_) | Failure::Kind(_) | Failure::Cut | Failure::Ended => {
                CloseCode::Protocol
            }
            Failure::Key => CloseCode::Key,
            Failure::Busy => CloseCode::Busy,
            Failure::Connection(_) | Failure::Dial(_) | Failure::Timeout(_) => CloseCode::Done,
            Failure::Stream(_) => CloseCode::Done,
        }
    }

    /// Whether the other side, or we, merely preferred another connection.
    pub(crate) fn is_superseded(&self) -> bool {
        match self {
            Failure::Superseded => true,
            Failure::Connection(error) => is_superseded(error),
            _ => false,
        }
    }
}

/// Whether the other side closed this connection in favour of another one.
pub(crate) fn is_superseded(error: &ConnectionError) -> bool {
    matches!(error, ConnectionError::ApplicationClosed(close)
        if CloseCode::Superseded.is(close.error_code))
}

/// The end of a connection in the operator's words.
pub(crate) fn describe(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            format!("closed by the other side: {}", String::from_utf8_lossy(&close.reason))
        }
        // 0x100 + a TLS alert: the handshake was refused by the other side.
        ConnectionError::ConnectionClosed(close) => match u64::from(close.error_code) {
            code @ 0x100..=0x1ff => {
                format!(
                    "refused by the other side (TLS alert {}): is our key pinned?",
                    code - 0x100
                )
            }
            _ => format!("closed by the other side: {close}"),
        },
        ConnectionError::TransportError(error) => match u64::from(error.code) {
            0x100..=0x1ff => format!("the other side's key was refused: {error}"),
            _ => format!("protocol violation: {error}"),
        },
        ConnectionError::Reset => "the other side has restarted".to_owned(),
        ConnectionError::TimedOut => "no sign of life from the other side".to_owned(),
        ConnectionError::LocallyClosed => "closed by us".to_owned(),
        other => other.to_string(),
    }
}
