//! The bytes of stored answers: a version byte, then fixed-size integers (little-endian) and texts with a length.
//!
//! Reading checks each length against what is left before it allocates, so that damaged bytes cost nothing.

use thiserror::Error;

/// Stored bytes that are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("the bytes end too early")]
    Truncated,
    /// Bytes are left over.
    #[error("bytes are left over")]
    Trailing,
    /// Written by another version of this crate.
    #[error("version {0} of the stored form is not known")]
    Version(u8),
    /// A field has a value that it can't have.
    #[error("the {0} is not valid")]
    Field(&'static str),
}

/// Collects bytes.
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new(version: u8) -> Self {
        Self(vec![version])
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.array(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.array(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.array(&value.to_le_bytes());
    }

    pub(crate) fn array(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).expect("what comes from one message is below 4 GiB"));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.length(text.len());
        self.array(text.as_bytes());
    }

    pub(crate) fn optional_text(&mut self, text: Option<&str>) {
        self.u8(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A bounds-checked cursor over bytes.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], version: u8) -> Result<Self, DecodeError> {
        let mut reader = Self(bytes);
        match reader.u8()? {
            found if found == version => Ok(reader),
            other => Err(DecodeError::Version(other)),
        }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of items, each at least `bytes_min` long: more than can follow is refused.
    pub(crate) fn length(&mut self, bytes_min: usize) -> Result<usize, DecodeError> {
        let length = self.u32()? as usize;
        if length > self.0.len() / bytes_min { Err(DecodeError::Truncated) } else { Ok(length) }
    }

    pub(crate) fn text(&mut self) -> Result<String, DecodeError> {
        let length = self.length(1)?;
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        let text = std::str::from_utf8(bytes).map_err(|_| DecodeError::Field("text"))?;
        Ok(text.to_owned())
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>, DecodeError> {
        match self.u8()? {
            0 => Ok(None),
            1 => self.text().map(Some),
            _ => Err(DecodeError::Field("presence flag")),
        }
    }

    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }
}
