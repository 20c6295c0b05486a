//! Frames: how messages are cut out of a byte stream.
//!
//! A frame is `[len u32 LE][crc32c u32 LE][kind u8][version u8][payload]`. `len` counts the bytes
//! after the eight-byte prefix (kind, version and payload), the CRC covers exactly those bytes.
//! Kind 0 is never valid, so a run of zero bytes is not a frame.
//!
//! A length is compared with the receiver's limit before a byte is reserved for it. The decoder
//! keeps its first error for good: after a bad frame the stream has no known boundaries any more
//! and can only be closed. What a kind means and which versions exist is not known here.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Largest frame between nodes, in bytes, prefix included.
pub const PEER_FRAME_BYTES_MAX: usize = 16 << 20;
/// Largest frame between a node and a gateway or tool, in bytes, prefix included.
pub const CLIENT_FRAME_BYTES_MAX: usize = 4 << 20;
/// Bytes before the part that `len` counts: the length and the CRC.
pub const FRAME_PREFIX_BYTES: usize = 8;
/// Bytes of a frame that carries an empty payload.
pub const FRAME_HEADER_BYTES: usize = FRAME_PREFIX_BYTES + 2;

/// Reading room the decoder asks for while the size of the next frame is not known.
const READ_BYTES: usize = 16 << 10;

/// A received frame. The payload shares the receive buffer: no bytes are copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the payload is; 1 to 255.
    pub kind: u8,
    /// Version of the payload's layout.
    pub version: u8,
    /// The message itself.
    pub payload: Bytes,
}

/// Why bytes are not a frame, or a message cannot become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length field is too small to hold kind and version.
    #[error("frame length {len} is shorter than its own header")]
    TooShort {
        /// The length field as received.
        len: u32,
    },
    /// The whole frame would exceed the limit of this stream.
    #[error("frame of {bytes} bytes exceeds the limit of {limit} bytes")]
    TooLong {
        /// Size of the whole frame in bytes, prefix included.
        bytes: u64,
        /// The limit in bytes, prefix included.
        limit: usize,
    },
    /// The CRC does not fit the bytes.
    #[error("frame checksum is {found:#010x}, its bytes give {computed:#010x}")]
    Checksum {
        /// CRC-32C carried by the frame.
        found: u32,
        /// CRC-32C of kind, version and payload as received.
        computed: u32,
    },
    /// Kind 0 is not a message.
    #[error("frame kind 0 is not valid")]
    KindZero,
}

/// Builds the first [`FRAME_HEADER_BYTES`] of a frame whose payload is the concatenation of
/// `parts`, for writers that send the parts without copying them together.
///
/// Fails when kind is 0 or the whole frame exceeds `limit` bytes.
pub fn header<P: AsRef<[u8]>>(
    kind: u8,
    version: u8,
    parts: &[P],
    limit: usize,
) -> Result<[u8; FRAME_HEADER_BYTES], FrameError> {
    if kind == 0 {
        return Err(FrameError::KindZero);
    }
    let payload_bytes: u64 = parts.iter().map(|part| part.as_ref().len() as u64).sum();
    let bytes = payload_bytes + FRAME_HEADER_BYTES as u64;
    let len = u32::try_from(bytes - FRAME_PREFIX_BYTES as u64)
        .ok()
        .filter(|_| bytes <= limit as u64)
        .ok_or(FrameError::TooLong { bytes, limit })?;
    let mut crc = crc32c::crc32c(&[kind, version]);
    for part in parts {
        crc = crc32c::crc32c_append(crc, part.as_ref());
    }
    let mut out = [0; FRAME_HEADER_BYTES];
    out[..4].copy_from_slice(&len.to_le_bytes());
    out[4..8].copy_from_slice(&crc.to_le_bytes());
    out[8] = kind;
    out[9] = version;
    Ok(out)
}

/// Appends one whole frame to `out` (a `Vec<u8>` or a `BytesMut`).
///
/// Fails, leaving `out` as it was, when kind is 0 or the frame exceeds [`PEER_FRAME_BYTES_MAX`],
/// the largest limit there is; a stream with a smaller limit checks it when it sends.
pub fn encode_into(
    out: &mut impl BufMut,
    kind: u8,
    version: u8,
    payload: &[u8],
) -> Result<(), FrameError> {
    let header = header(kind, version, &[payload], PEER_FRAME_BYTES_MAX)?;
    out.put_slice(&header);
    out.put_slice(payload);
    Ok(())
}

/// Takes the next whole frame from the front of `buffer`, or returns `None` (and takes nothing)
/// when more bytes are needed. The payload is a slice of `buffer`'s own memory.
///
/// `limit` is the largest frame in bytes, prefix included. After an error the buffer is of no
/// further use.
pub fn decode(buffer: &mut BytesMut, limit: usize) -> Result<Option<Frame>, FrameError> {
    let Some(len) = announced_len(buffer, limit)? else { return Ok(None) };
    let frame_bytes = FRAME_PREFIX_BYTES + len;
    if buffer.len() < frame_bytes {
        return Ok(None);
    }
    let mut body = buffer.split_to(frame_bytes);
    body.advance(4);
    let found = body.get_u32_le();
    let computed = crc32c::crc32c(&body);
    if found != computed {
        return Err(FrameError::Checksum { found, computed });
    }
    let kind = body.get_u8();
    let version = body.get_u8();
    if kind == 0 {
        return Err(FrameError::KindZero);
    }
    Ok(Some(Frame { kind, version, payload: body.freeze() }))
}

/// Reads the length field once it is there, checked against the limit.
fn announced_len(buffer: &[u8], limit: usize) -> Result<Option<usize>, FrameError> {
    let Some(prefix) = buffer.first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_le_bytes(*prefix);
    let bytes = u64::from(len) + FRAME_PREFIX_BYTES as u64;
    if bytes < FRAME_HEADER_BYTES as u64 {
        return Err(FrameError::TooShort { len });
    }
    if bytes > limit as u64 {
        return Err(FrameError::TooLong { bytes, limit });
    }
    Ok(Some(len as usize))
}

/// Cuts frames out of a stream that arrives in pieces of any size.
///
/// Holds at most one frame of the limit plus one read's worth of bytes.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: BytesMut,
    limit: usize,
    failed: Option<FrameError>,
}

impl FrameDecoder {
    /// A decoder that accepts frames of at most `limit` bytes, prefix included.
    pub fn new(limit: usize) -> FrameDecoder {
        FrameDecoder { buffer: BytesMut::new(), limit, failed: None }
    }

    /// Changes the limit for frames not yet decoded, e.g. once the other side is known.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Appends received bytes (copies them; [`FrameDecoder::read_buffer`] avoids that).
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer to read into directly; append to it, do not change what it holds.
    ///
    /// Has room for the rest of a frame whose length is known, so that a large frame is received
    /// into one allocation; otherwise for one read of usual size.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        let wanted = match announced_len(&self.buffer, self.limit) {
            Ok(Some(len)) => (FRAME_PREFIX_BYTES + len).saturating_sub(self.buffer.len()),
            _ => 0,
        };
        // A little over a small frame: the next frames usually arrive in the same read.
        let room = wanted.max(READ_BYTES);
        if self.buffer.capacity() - self.buffer.len() < wanted.max(READ_BYTES / 4) {
            self.buffer.reserve(room);
        }
        &mut self.buffer
    }

    /// The next whole frame, `None` when more bytes are needed.
    ///
    /// The first error is final: each later call returns it again.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        decode(&mut self.buffer, self.limit).inspect_err(|error| {
            self.failed = Some(*error);
            self.buffer = BytesMut::new();
        })
    }

    /// Bytes received that are not yet part of a whole frame. Not 0 at the end of a stream means
    /// that the stream was cut inside a frame.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn encoded(kind: u8, version: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode_into(&mut out, kind, version, payload).unwrap();
        out
    }

    fn decoder(limit: usize, bytes: &[u8]) -> FrameDecoder {
        let mut decoder = FrameDecoder::new(limit);
        decoder.feed(bytes);
        decoder
    }

    #[test]
    fn layout_is_fixed() {
        let bytes = encoded(7, 1, b"123");
        assert_eq!(&bytes[..4], &5u32.to_le_bytes());
        assert_eq!(&bytes[4..8], &crc32c::crc32c(&[7, 1, b'1', b'2', b'3']).to_le_bytes());
        assert_eq!(&bytes[8..], &[7, 1, b'1', b'2', b'3']);
    }

    #[test]
    fn parts_give_the_same_header_as_one_payload() {
        let whole = encoded(9, 2, b"abcdef");
        let parts: [&[u8]; 3] = [b"ab", b"", b"cdef"];
        assert_eq!(header(9, 2, &parts, 1 << 20).unwrap(), whole[..FRAME_HEADER_BYTES]);
    }

    #[test]
    fn limit_is_checked_on_the_length_alone() {
        let mut exact = decoder(100, &encoded(1, 1, &[5; 90]));
        assert_eq!(exact.next_frame().unwrap().unwrap().payload.len(), 90);
        // Only the length field has arrived: already refused, nothing was reserved for it.
        let mut over = decoder(100, &u32::MAX.to_le_bytes());
        let error = FrameError::TooLong { bytes: u64::from(u32::MAX) + 8, limit: 100 };
        assert_eq!(over.next_frame(), Err(error));
        assert_eq!(over.next_frame(), Err(error), "the first error is final");
        assert_eq!(
            header(1, 1, &[&[0u8; 91]], 100),
            Err(FrameError::TooLong { bytes: 101, limit: 100 })
        );
    }

    #[test]
    fn short_lengths_kind_zero_and_bad_sums_are_refused() {
        for len in [0u32, 1] {
            let mut short = decoder(100, &len.to_le_bytes());
            assert_eq!(short.next_frame(), Err(FrameError::TooShort { len }));
        }
        let mut zero = vec![2, 0, 0, 0];
        zero.extend(crc32c::crc32c(&[0, 1]).to_le_bytes());
        zero.extend([0, 1]);
        assert_eq!(decoder(100, &zero).next_frame(), Err(FrameError::KindZero));
        assert_eq!(encode_into(&mut Vec::new(), 0, 1, b""), Err(FrameError::KindZero));
        let mut bad = encoded(1, 1, b"abc");
        bad[10] ^= 1;
        assert!(matches!(decoder(100, &bad).next_frame(), Err(FrameError::Checksum { .. })));
    }

    #[test]
    fn a_large_frame_is_read_into_one_allocation_without_copies() {
        let bytes = encoded(3, 1, &vec![6; 1 << 20]);
        let mut decoder = decoder(PEER_FRAME_BYTES_MAX, &bytes[..64]);
        let rest = decoder.read_buffer();
        assert!(rest.capacity() >= bytes.len());
        rest.extend_from_slice(&bytes[64..]);
        let start = rest.as_ptr() as usize;
        let frame = decoder.next_frame().unwrap().unwrap();
        assert_eq!(frame.payload.as_ptr() as usize, start + FRAME_HEADER_BYTES);
    }

    proptest! {
        #[test]
        fn any_frames_survive_any_cutting(
            frames in proptest::collection::vec(
                (1u8.., any::<u8>(), proptest::collection::vec(any::<u8>(), 0..200)), 0..8),
            piece in 1usize..97,
        ) {
            let mut stream = BytesMut::new();
            for (kind, version, payload) in &frames {
                encode_into(&mut stream, *kind, *version, payload).unwrap();
            }
            let mut decoder = FrameDecoder::new(4096);
            let mut got = Vec::new();
            for bytes in stream.chunks(piece) {
                decoder.read_buffer().extend_from_slice(bytes);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    got.push((frame.kind, frame.version, frame.payload.to_vec()));
                }
            }
            prop_assert_eq!(got, frames);
            prop_assert_eq!(decoder.pending_bytes(), 0);
        }

        #[test]
        fn any_bytes_give_frames_or_an_error_and_stay_within_the_limit(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut decoder = decoder(256, &bytes);
            while let Ok(Some(frame)) = decoder.next_frame() {
                prop_assert!(frame.kind != 0 && frame.payload.len() <= 246);
            }
        }

        #[test]
        fn one_flipped_bit_never_passes(
            payload in proptest::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0..8,
        ) {
            let mut bytes = encoded(5, 1, &payload);
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
            prop_assert!(!matches!(decoder(4096, &bytes).next_frame(), Ok(Some(_))));
        }
    }
}
