//! The public keys that may connect, each with the number it stands for.
//!
//! One set is shared by everybody who holds a clone and can be replaced as a whole while
//! connections are open. Replacing closes nothing by itself: the owner of the connections has
//! to recheck them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// A shared, replaceable set of pinned keys. Clones see the same set.
#[derive(Clone, Debug)]
pub struct Pins(Arc<ArcSwap<BTreeMap<[u8; 32], u64>>>);

impl Pins {
    /// A set of (public key, name) pairs. Of two pairs with one key the last counts.
    pub fn new(pairs: impl IntoIterator<Item = ([u8; 32], u64)>) -> Pins {
        Pins(Arc::new(ArcSwap::from_pointee(pairs.into_iter().collect())))
    }

    /// The name that a key stands for; `None` when the key is not pinned.
    pub fn get(&self, key: &[u8; 32]) -> Option<u64> {
        self.0.load().get(key).copied()
    }

    /// Replaces the whole set for every holder of a clone, for handshakes from now on.
    pub fn replace(&self, pairs: impl IntoIterator<Item = ([u8; 32], u64)>) {
        self.0.store(Arc::new(pairs.into_iter().collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_set() {
        let pins = Pins::new([([1; 32], 10), ([2; 32], 20)]);
        let clone = pins.clone();
        pins.replace([([2; 32], 21)]);
        assert_eq!((clone.get(&[1; 32]), clone.get(&[2; 32])), (None, Some(21)));
    }
}
