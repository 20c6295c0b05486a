//! A bounds-checked cursor over bytes. It never panics and never allocates.

use super::DecodeError;

pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    consumed: usize,
    nested: bool,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self { rest: input, consumed: 0, nested: false }
    }

    /// True while a transfer inside another command is read.
    pub(crate) const fn is_nested(&self) -> bool {
        self.nested
    }

    /// Notes that what follows is inside another command, or no longer.
    pub(crate) const fn set_nested(&mut self, nested: bool) {
        self.nested = nested;
    }

    /// How many bytes were read so far.
    pub(crate) const fn consumed(&self) -> usize {
        self.consumed
    }

    /// True when everything was read.
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        self.consumed += length;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        self.consumed += N;
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

    /// A length byte and that many bytes of UTF-8.
    pub(crate) fn short_text(&mut self) -> Result<&'a str, DecodeError> {
        let length = usize::from(self.u8()?);
        std::str::from_utf8(self.bytes(length)?).map_err(|_| DecodeError::Field("text"))
    }
}
