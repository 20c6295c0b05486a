//! The public keys that may connect, each with the number it stands for.
//!
//! One immutable set, shared by everybody who holds a clone.

use std::collections::BTreeMap;
use std::sync::Arc;

/// A shared set of pinned keys.
#[derive(Clone, Debug)]
pub struct Pins(Arc<BTreeMap<[u8; 32], u64>>);

impl Pins {
    /// A set of (public key, name) pairs. Of two pairs with one key the last counts.
    pub fn new(pairs: impl IntoIterator<Item = ([u8; 32], u64)>) -> Pins {
        Pins(Arc::new(pairs.into_iter().collect()))
    }

    /// The name that a key stands for; `None` when the key is not pinned.
    pub fn get(&self, key: &[u8; 32]) -> Option<u64> {
        self.0.get(key).copied()
    }
}
