//! One stream each way: the loops that turn bytes into frames and frames into bytes.
//!
//! The reader stops reading while its receiver is busy, so that flow control slows the other
//! side down. The writer takes whatever is queued and writes it at once: a lone frame does not
//! wait, and frames that have piled up share one write.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use quinn::{Connection, RecvStream, SendStream};
use tokio::io::AsyncReadExt;
use wire::frame::{self, Frame, FrameDecoder};

use crate::OutFrame;
use crate::error::{Failure, describe};
use crate::limits::{COPY_BYTES_MAX, FLUSH_TIME_MAX, RESERVED_KIND_FIRST, WRITE_BATCH_BYTES};
use crate::queue::Queue;

/// The reading half of a stream.
pub(crate) struct FrameReader {
    stream: RecvStream,
    decoder: FrameDecoder,
    connection: Connection,
}

impl FrameReader {
    /// Reads frames of at most `limit` bytes.
    pub(crate) fn new(stream: RecvStream, connection: &Connection, limit: usize) -> FrameReader {
        FrameReader { stream, decoder: FrameDecoder::new(limit), connection: connection.clone() }
    }

    /// Changes the limit in bytes for the frames to come.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.decoder.set_limit(limit);
    }

    /// The next frame of any kind; `None` at an orderly end of the stream.
    ///
    /// Cancelling loses nothing: what was read stays in the decoder.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, Failure> {
        loop {
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(Some(frame));
            }
            match self.stream.read_buf(self.decoder.read_buffer()).await {
                Ok(0) if self.decoder.pending_bytes() == 0 => return Ok(None),
                Ok(0) => return Err(Failure::Cut),
                Ok(_) => {}
                // The connection knows better than the stream why it ended.
                Err(error) => {
                    return Err(match self.connection.close_reason() {
                        Some(reason) => Failure::Connection(reason),
                        None => Failure::Stream(error.to_string()),
                    });
                }
            }
        }
    }

    /// Why the connection is over.
    pub(crate) fn end_of_connection(&self) -> Failure {
        self.connection.close_reason().map_or(Failure::Ended, Failure::Connection)
    }

    /// Resolves when the connection is over.
    pub(crate) async fn closed(&self) {
        self.connection.closed().await;
    }

    /// After an orderly end of the stream: why the other side closes the connection, if it says so
    /// within the time for an orderly close.
    pub(crate) async fn close_reason(&self) -> String {
        match tokio::time::timeout(FLUSH_TIME_MAX, self.connection.closed()).await {
            Ok(reason) => describe(&reason),
            Err(_) => "stream was finished by the other side".to_owned(),
        }
    }

    /// The next frame of a caller's kind; `None` at an orderly end of the stream.
    pub(crate) async fn next_message(&mut self) -> Result<Option<Frame>, Failure> {
        match self.next().await? {
            Some(frame) if frame.kind >= RESERVED_KIND_FIRST => Err(Failure::Kind(frame.kind)),
            frame => Ok(frame),
        }
    }
}

/// Writes what is queued until the queue is closed and drained, then finishes the stream and
/// waits (for a limited time) until the other side has received everything.
///
/// `sent_bytes` grows by the size of each written frame.
pub(crate) async fn write_queue(
    mut stream: SendStream,
    queue: &Queue,
    frame_bytes_max: usize,
    sent_bytes: &AtomicU64,
) -> Result<(), Failure> {
    let mut batch = Vec::new();
    let mut chunks = Vec::new();
    while queue.pop_batch(&mut batch, WRITE_BATCH_BYTES).await {
        assemble(&batch, frame_bytes_max, &mut chunks)?;
        batch.clear();
        let bytes: usize = chunks.iter().map(Bytes::len).sum();
        write_chunks(&mut stream, &mut chunks).await?;
        sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    if stream.finish().is_ok() {
        // Beyond this time the rest is given up: the other side has stopped reading.
        let _ = tokio::time::timeout(FLUSH_TIME_MAX, stream.stopped()).await;
    }
    Ok(())
}

/// Writes one frame of this crate's own kinds.
pub(crate) async fn write_frame(
    stream: &mut SendStream,
    frame: OutFrame,
    frame_bytes_max: usize,
) -> Result<(), Failure> {
    let mut chunks = Vec::new();
    assemble(&[frame], frame_bytes_max, &mut chunks)?;
    write_chunks(stream, &mut chunks).await
}

async fn write_chunks(stream: &mut SendStream, chunks: &mut [Bytes]) -> Result<(), Failure> {
    stream.write_all_chunks(chunks).await.map_err(|error| match error {
        quinn::WriteError::ConnectionLost(reason) => Failure::Connection(reason),
        other => Failure::Stream(other.to_string()),
    })
}

/// Lays the frames out as chunks: headers and small parts are copied together, large parts are
/// passed on as they are.
fn assemble(
    frames: &[OutFrame],
    frame_bytes_max: usize,
    chunks: &mut Vec<Bytes>,
) -> Result<(), Failure> {
    chunks.clear();
    let mut copied = BytesMut::new();
    for frame in frames {
        let parts = frame.payload.parts();
        let header = frame::header(frame.kind, frame.version, parts, frame_bytes_max)?;
        copied.extend_from_slice(&header);
        for part in parts {
            if part.len() <= COPY_BYTES_MAX {
                copied.extend_from_slice(part);
            } else {
                chunks.push(copied.split().freeze());
                chunks.push(part.clone());
            }
        }
    }
    if !copied.is_empty() {
        chunks.push(copied.freeze());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn chunks_concatenate_to_the_encoded_frames() {
        let large = Bytes::from(vec![7; COPY_BYTES_MAX + 1]);
        let frames = [
            OutFrame::new(1, 1, Bytes::from_static(b"small")),
            OutFrame::new(2, 1, vec![Bytes::from_static(b"head"), large.clone(), Bytes::new()]),
            OutFrame::new(3, 2, Bytes::new()),
        ];
        let mut chunks = Vec::new();
        assemble(&frames, 1 << 20, &mut chunks).unwrap();
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[1].as_ptr(), large.as_ptr(), "large parts are not copied");
        let mut expected = Vec::new();
        frame::encode_into(&mut expected, 1, 1, b"small").unwrap();
        frame::encode_into(&mut expected, 2, 1, &[b"head", large.as_ref()].concat()).unwrap();
        frame::encode_into(&mut expected, 3, 2, b"").unwrap();
        assert_eq!(chunks.concat(), expected);
    }
}
