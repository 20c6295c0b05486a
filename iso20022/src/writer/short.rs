//! Texts that need no memory of their own while they are short.
//!
//! Nearly all names and values of a message are short; a draft of them is then one allocation for
//! each element with children instead of two for each element.

use std::borrow::Cow;
use std::fmt;

/// A text of which up to `N` bytes (`N` below 256) are kept in place.
#[derive(Clone)]
pub struct Short<const N: usize>(Store<N>);

/// The text of an element, as [`Draft::set`](super::Draft::set) takes it.
pub type Text = Short<38>;

#[derive(Clone)]
enum Store<const N: usize> {
    /// Length and bytes; what is beyond the length is zero.
    Inline(u8, [u8; N]),
    Heap(Box<str>),
}

impl<const N: usize> Short<N> {
    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Store::Inline(length, bytes) => std::str::from_utf8(&bytes[..usize::from(*length)])
                .expect("copied whole from a text"),
            Store::Heap(text) => text,
        }
    }

    /// Compares without looking at the text as characters.
    pub(crate) fn is(&self, text: &str) -> bool {
        let bytes = match &self.0 {
            Store::Inline(length, bytes) => &bytes[..usize::from(*length)],
            Store::Heap(own) => own.as_bytes(),
        };
        bytes == text.as_bytes()
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.0, Store::Inline(0, _))
    }

    fn inline(text: &str) -> Option<Self> {
        let mut bytes = [0; N];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        let length = u8::try_from(text.len()).ok()?;
        Some(Self(Store::Inline(length, bytes)))
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self(Store::Inline(0, [0; N]))
    }
}

impl<const N: usize> PartialEq for Short<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<const N: usize> Eq for Short<N> {}

impl<const N: usize> fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> From<&str> for Short<N> {
    fn from(text: &str) -> Self {
        Self::inline(text).unwrap_or_else(|| Self(Store::Heap(text.into())))
    }
}

impl<const N: usize> From<String> for Short<N> {
    fn from(text: String) -> Self {
        Self::inline(&text).unwrap_or_else(|| Self(Store::Heap(text.into_boxed_str())))
    }
}

impl<const N: usize> From<&String> for Short<N> {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl<const N: usize> From<Cow<'_, str>> for Short<N> {
    fn from(text: Cow<'_, str>) -> Self {
        match text {
            Cow::Borrowed(text) => text.into(),
            Cow::Owned(text) => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_texts_are_kept() {
        for text in ["", "a", "12345678", "123456789", "ÄÖÜß", "ÄÖÜßÄ"] {
            let short = Short::<8>::from(text);
            assert_eq!(short.as_str(), text);
            assert_eq!(short, Short::<8>::from(text.to_owned()));
            assert_eq!(short.is_empty(), text.is_empty());
            assert!(short.is(text) && !short.is("another"));
            assert_eq!(matches!(short.0, Store::Inline(..)), text.len() <= 8);
        }
    }
}
