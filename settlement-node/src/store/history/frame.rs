//! Bytes of the history: file header, frame, index row.

use super::HistoryBlock;
use crate::store::wal::{read_u32, read_u64};
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// Bytes in front of the parts of a block.
pub(super) const FRAME_HEADER: usize = 64;
/// Bytes of a row in the sidecar.
pub(super) const ROW_BYTES: usize = 40;
/// Bytes in front of the first frame of a file.
pub(super) const FILE_HEADER: usize = 64;

const FILE_MAGIC: u64 = u64::from_le_bytes(*b"corr-his");
const FORMAT: u32 = 1;
const PREFIX: &str = "history-";
const DATA_SUFFIX: &str = ".blocks";
const ROWS_SUFFIX: &str = ".rows";

/// Where a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) height: u64,
    pub(super) first_leaf: u64,
    pub(super) offset: u32,
    pub(super) len: u32,
    pub(super) leaf_count: u32,
    /// Checksum of the frame.
    pub(super) crc: u32,
}

impl Row {
    /// Appends the 40 bytes of the row.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.height.to_le_bytes());
        out.extend_from_slice(&self.first_leaf.to_le_bytes());
        for field in [self.offset, self.len, self.leaf_count, self.crc, FORMAT] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        let crc = crc32c::crc32c(&out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
    }

    /// Reads a row; `None` if its checksum is wrong.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let sound = crc32c::crc32c(bytes.get(..36)?) == read_u32(bytes, 36);
        (sound && read_u32(bytes, 32) == FORMAT).then(|| Self {
            height: read_u64(bytes, 0),
            first_leaf: read_u64(bytes, 8),
            offset: read_u32(bytes, 16),
            len: read_u32(bytes, 20),
            leaf_count: read_u32(bytes, 24),
            crc: read_u32(bytes, 28),
        })
    }
}

/// A block read back, with its place in the chain.
pub(super) struct Frame {
    pub(super) block: HistoryBlock,
    pub(super) link: u32,
    pub(super) crc: u32,
    pub(super) len: usize,
}

/// Bytes of the frame of a block.
pub(super) fn bytes_of(block: &HistoryBlock) -> usize {
    FRAME_HEADER + block.block.len() + block.outcome.len() + block.seal.len()
}

/// Appends a frame and returns its checksum; `link` is that of the frame before.
pub(super) fn encode(out: &mut Vec<u8>, block: &HistoryBlock, link: u32) -> u32 {
    let start = out.len();
    out.extend_from_slice(&(bytes_of(block) as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for field in [block.height, block.log_index, block.time_ns, block.first_leaf] {
        out.extend_from_slice(&field.to_le_bytes());
    }
    let parts = [&block.block, &block.outcome, &block.seal];
    out.extend_from_slice(&block.leaf_count.to_le_bytes());
    out.extend_from_slice(&link.to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(&(part.len() as u32).to_le_bytes()));
    out.extend_from_slice(&[0; 4]);
    parts.iter().for_each(|part| out.extend_from_slice(part));
    let crc = checksum(&out[start..]);
    out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    crc
}

fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..4]), &frame[8..])
}

/// Length that the frame at the start of `bytes` claims, if it can be one.
pub(super) fn claimed_bytes(bytes: &[u8]) -> Option<usize> {
    let len = read_u32(bytes.get(..4)?, 0) as usize;
    (FRAME_HEADER..=1 << 30).contains(&len).then_some(len)
}

/// The frame at the start of `bytes`, if it is whole and sound. Its parts share `bytes`.
pub(super) fn decode(bytes: &Bytes) -> Option<Frame> {
    let len = claimed_bytes(bytes)?;
    let frame = bytes.get(..len)?;
    let crc = read_u32(frame, 4);
    if checksum(frame) != crc {
        return None;
    }
    let mut at = FRAME_HEADER;
    let mut part = |field: usize| {
        let end = at.checked_add(read_u32(frame, field) as usize)?;
        let range = at..end;
        at = end;
        (end <= len).then(|| bytes.slice(range))
    };
    let (block, outcome, seal) = (part(48)?, part(52)?, part(56)?);
    let block = HistoryBlock {
        height: read_u64(frame, 8),
        log_index: read_u64(frame, 16),
        time_ns: read_u64(frame, 24),
        first_leaf: read_u64(frame, 32),
        leaf_count: read_u32(frame, 40),
        block,
        outcome,
        seal,
    };
    (at == len).then_some(Frame { block, link: read_u32(frame, 44), crc, len })
}

/// The header of a file whose first block is `height`; `link` is the checksum of the frame before.
pub(super) fn file_header(height: u64, link: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(FILE_HEADER);
    out.extend_from_slice(&FILE_MAGIC.to_le_bytes());
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&link.to_le_bytes());
    out.extend_from_slice(&height.to_le_bytes());
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out.resize(FILE_HEADER, 0);
    out
}

/// The link in a file header, if it is sound and for this height.
pub(super) fn link_of_header(bytes: &[u8], height: u64) -> Option<u32> {
    let link = read_u32(bytes.get(..FILE_HEADER)?, 12);
    (bytes[..FILE_HEADER] == file_header(height, link)[..]).then_some(link)
}

/// The format in a sound file header of another version. Magic, format and the checksum stay where they are.
pub(super) fn other_format(bytes: &[u8]) -> Option<u32> {
    let format = read_u32(bytes.get(..FILE_HEADER)?, 8);
    let is_sound =
        read_u64(bytes, 0) == FILE_MAGIC && read_u32(bytes, 24) == crc32c::crc32c(&bytes[..24]);
    (is_sound && format != FORMAT).then_some(format)
}

/// Path of the file of blocks from `height` on.
pub(super) fn data_path(dir: &Path, height: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{height:020}{DATA_SUFFIX}"))
}

/// Path of its sidecar.
pub(super) fn rows_path(dir: &Path, height: u64) -> PathBuf {
    dir.join(format!("{PREFIX}{height:020}{ROWS_SUFFIX}"))
}

/// First height of a file of blocks, from its name.
pub(super) fn height_of_name(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.strip_suffix(DATA_SUFFIX)?.parse().ok()
}
