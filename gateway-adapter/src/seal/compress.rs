//! Compression of one document: zstd with a dictionary of payment messages, chosen by a version
//! byte.
//!
//! A dictionary is never changed: another one gets another number, and all numbers stay readable.

use std::{cell::RefCell, io, sync::LazyLock};

use zstd::{
    bulk::{Compressor, Decompressor},
    dict::{DecoderDictionary, EncoderDictionary},
};

use crate::limits::DOCUMENT_BYTES_MAX;

/// The dictionary in use for new documents.
const DICTIONARY: u8 = 1;
/// Dictionary number 1, made by `examples/train_dictionary.rs`.
const DICTIONARY_1: &[u8] = include_bytes!("../../assets/iso.dict");
const LEVEL: i32 = 3;

static ENCODER: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(DICTIONARY_1, LEVEL));
static DECODER: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(DICTIONARY_1));

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends the dictionary's number and the compressed `document` to `out`.
pub(super) fn compress(document: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    COMPRESSOR.with_borrow_mut(|slot| {
        let compressor = match slot {
            Some(compressor) => compressor,
            None => slot.insert(Compressor::with_prepared_dictionary(&ENCODER)?),
        };
        let frame = compressor.compress(document)?;
        out.push(DICTIONARY);
        out.extend_from_slice(&frame);
        Ok(())
    })
}

/// Reads what [`compress`] wrote. `None` when it is not that, or larger than a document may be.
pub(super) fn decompress(bytes: &[u8]) -> Option<Vec<u8>> {
    let (&dictionary, frame) = bytes.split_first()?;
    if dictionary != DICTIONARY {
        return None;
    }
    // The frame says its size; a frame that lies fails in the decompressor, which checks the
    // capacity.
    let size = Decompressor::upper_bound(frame)?;
    if size > DOCUMENT_BYTES_MAX {
        return None;
    }
    DECOMPRESSOR.with_borrow_mut(|slot| {
        let decompressor = match slot {
            Some(decompressor) => decompressor,
            None => slot.insert(Decompressor::with_prepared_dictionary(&DECODER).ok()?),
        };
        decompressor.decompress(frame, size).ok()
    })
}
