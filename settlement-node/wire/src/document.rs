//! How a command names a document without showing it.
//!
//! A command carries one digest, the *commitment*. It binds two things: the salted document, which
//! a bank can reveal later by showing salt and bytes, and the sealed bytes that travel beside the
//! command, which every node can check without reading them. After the sealed bytes are pruned or
//! erased the commitment still verifies, because only their digest is needed.

use ledger::Digest;
use sha2::{Digest as _, Sha256};

const DOMAIN_DOCUMENT: &[u8] = b"corridor document v1\0";
const DOMAIN_COMMITMENT: &[u8] = b"corridor commitment v1\0";

/// Digest of a document with its salt.
pub fn salted_digest(salt: &[u8; 16], document: &[u8]) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN_DOCUMENT);
    hasher.update(salt);
    hasher.update(document);
    Digest(hasher.finalize().into())
}

/// Digest of sealed bytes.
pub fn sealed_digest(sealed: &[u8]) -> Digest {
    Digest(Sha256::digest(sealed).into())
}

/// What a command carries: binds the salted document and the sealed bytes.
pub fn commitment(salted: &Digest, sealed: &Digest) -> Digest {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN_COMMITMENT);
    hasher.update(salted.0);
    hasher.update(sealed.0);
    Digest(hasher.finalize().into())
}
