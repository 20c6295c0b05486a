//! Bounds that the reader enforces before and while it reads.
//!
//! Every bound exists so that a hostile message costs a known amount of memory and time.
//! Exceeding one makes the message unreadable (layer L0); it never yields a half-read tree.

/// Largest single message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Largest batch file (many transactions in one message), in bytes.
pub const BATCH_BYTES_MAX: usize = 10 << 20;
/// Deepest nesting of elements, wrapper elements included.
pub const DEPTH_MAX: usize = 32;
/// Most attributes on one element, namespace declarations included.
pub const ATTRIBUTES_MAX: usize = 32;
/// Most elements in a single message, and most attributes of all of its elements together. The
/// smallest real elements take about 20 bytes, so the limit on bytes is met first.
pub const ELEMENTS_MAX: usize = 60_000;
/// Most elements, and most attributes, in a batch file.
pub const BATCH_ELEMENTS_MAX: usize = 600_000;
/// Most schema findings, and most errors of the layers above, kept for one message.
pub const FINDINGS_MAX: usize = 64;
/// Most warnings kept for one message. Counted apart from errors, so that neither hides the other.
pub const WARNINGS_MAX: usize = 64;
/// Longest excerpt of an offending value in a finding, in characters.
pub const EXCERPT_CHARS_MAX: usize = 80;
/// Most prefixes in scope at one time, and most different namespaces in one message.
pub const NAMESPACES_MAX: usize = 64;
/// Elements under wildcards carry the namespace declarations that they depend on. In one message
/// they may carry this many in all, plus one for each [`DECLARATIONS_BYTES`] of its size.
pub const DECLARATIONS_BASE: usize = 1024;
/// See [`DECLARATIONS_BASE`].
pub const DECLARATIONS_BYTES: usize = 64;

/// The bounds for one call of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest message, in bytes (at most `u32::MAX / 2`, higher values are cut to that).
    pub bytes_max: usize,
    /// Deepest nesting of elements.
    pub depth_max: usize,
    /// Most attributes on one element.
    pub attributes_max: usize,
    /// Most elements in the message, and most attributes of all of them together.
    pub elements_max: usize,
    /// Most schema findings kept.
    pub findings_max: usize,
}

impl Limits {
    /// Bounds for a single message of the interactive path.
    #[must_use]
    pub const fn message() -> Self {
        Self {
            bytes_max: MESSAGE_BYTES_MAX,
            depth_max: DEPTH_MAX,
            attributes_max: ATTRIBUTES_MAX,
            elements_max: ELEMENTS_MAX,
            findings_max: FINDINGS_MAX,
        }
    }

    /// Bounds for a batch file.
    #[must_use]
    pub const fn batch() -> Self {
        Self { bytes_max: BATCH_BYTES_MAX, elements_max: BATCH_ELEMENTS_MAX, ..Self::message() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::message()
    }
}
