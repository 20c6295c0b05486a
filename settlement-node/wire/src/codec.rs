//! A reader and a few writers for little-endian binary forms, bounded and without panics.

use bytes::{Buf, Bytes};

/// Why bytes could not be read. The text names the field, so that a log line is enough to find it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The input ended inside a field.
    #[error("input ends inside {0}")]
    Truncated(&'static str),
    /// A length or count is above its limit.
    #[error("{field} is {value}, above the limit of {limit}")]
    TooLarge {
        /// Which field.
        field: &'static str,
        /// What it said.
        value: usize,
        /// What is allowed.
        limit: usize,
    },
    /// A value that has no meaning there.
    #[error("{field} has no meaning {value}")]
    Unknown {
        /// Which field.
        field: &'static str,
        /// What it said.
        value: u64,
    },
    /// Bytes are left over after the last field.
    #[error("{0} bytes are left over")]
    LeftOver(usize),
    /// A text is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotUtf8(&'static str),
}

/// Reads fields one after the other from shared bytes, without copying payloads.
#[derive(Clone, Debug)]
pub struct Reader {
    bytes: Bytes,
}

impl Reader {
    /// A reader over all of `bytes`.
    pub fn new(bytes: Bytes) -> Self {
        Self { bytes }
    }

    /// Bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn need(&self, count: usize, field: &'static str) -> Result<(), CodecError> {
        if self.bytes.len() < count { Err(CodecError::Truncated(field)) } else { Ok(()) }
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, CodecError> {
        self.need(1, field)?;
        Ok(self.bytes.get_u8())
    }

    /// A flag: 0 or 1.
    pub fn bool(&mut self, field: &'static str) -> Result<bool, CodecError> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(CodecError::Unknown { field, value: u64::from(other) }),
        }
    }

    /// Two bytes.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, CodecError> {
        self.need(2, field)?;
        Ok(self.bytes.get_u16_le())
    }

    /// Four bytes.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, CodecError> {
        self.need(4, field)?;
        Ok(self.bytes.get_u32_le())
    }

    /// Eight bytes.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, CodecError> {
        self.need(8, field)?;
        Ok(self.bytes.get_u64_le())
    }

    /// Sixteen bytes, signed.
    pub fn i128(&mut self, field: &'static str) -> Result<i128, CodecError> {
        self.need(16, field)?;
        Ok(self.bytes.get_i128_le())
    }

    /// A fixed number of bytes.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CodecError> {
        self.need(N, field)?;
        let mut out = [0; N];
        self.bytes.copy_to_slice(&mut out);
        Ok(out)
    }

    /// `count` bytes, shared with the input.
    pub fn take(&mut self, count: usize, field: &'static str) -> Result<Bytes, CodecError> {
        self.need(count, field)?;
        Ok(self.bytes.split_to(count))
    }

    /// Bytes with a four-byte length before them, at most `limit`.
    pub fn bytes(&mut self, limit: usize, field: &'static str) -> Result<Bytes, CodecError> {
        let count = self.count(limit, field)?;
        self.take(count, field)
    }

    /// A four-byte count, at most `limit`.
    pub fn count(&mut self, limit: usize, field: &'static str) -> Result<usize, CodecError> {
        let value = self.u32(field)? as usize;
        if value > limit {
            return Err(CodecError::TooLarge { field, value, limit });
        }
        Ok(value)
    }

    /// A UTF-8 text with a four-byte length before it, at most `limit` bytes.
    pub fn text(&mut self, limit: usize, field: &'static str) -> Result<String, CodecError> {
        let bytes = self.bytes(limit, field)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| CodecError::NotUtf8(field))
    }

    /// All that is left.
    pub fn rest(self) -> Bytes {
        self.bytes
    }

    /// Checks that nothing is left over.
    pub fn end(self) -> Result<(), CodecError> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(CodecError::LeftOver(left)),
        }
    }
}

/// Appends bytes with a four-byte length before them.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a four-byte count.
pub fn put_count(out: &mut Vec<u8>, count: usize) {
    let count = u32::try_from(count).expect("counts are bounded far below 2^32 by limits.rs");
    out.extend_from_slice(&count.to_le_bytes());
}

/// Appends a text with a four-byte length, cut at a character boundary to `limit` bytes.
pub fn put_text(out: &mut Vec<u8>, text: &str, limit: usize) {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    put_bytes(out, &text.as_bytes()[..end]);
}
