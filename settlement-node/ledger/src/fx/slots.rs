//! A table with places: what is in it keeps its place, a new entry takes the lowest that is free.
//!
//! Which places have changed since the last seal is noted, so that only those are hashed again.

use std::collections::BTreeSet;

use crate::digest::HashTree;
use crate::id::Digest;

/// Something that stands in such a table.
pub(crate) trait Stored {
    /// First byte of what is hashed of a place: one for each table.
    const TAG: u8;

    /// Appends the canonical bytes.
    fn encode(&self, out: &mut Vec<u8>);
}

/// The table.
#[derive(Debug, Clone)]
pub(crate) struct Slots<T> {
    places: Vec<Option<T>>,
    free: BTreeSet<u32>,
    touched: BTreeSet<u32>,
    tree: HashTree,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self {
            places: Vec::new(),
            free: BTreeSet::new(),
            touched: BTreeSet::new(),
            tree: HashTree::default(),
        }
    }
}

impl<T: Stored> Slots<T> {
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let place = self.free.first().copied().unwrap_or(self.places.len() as u32);
        self.insert_at(place, value);
        place
    }

    /// Puts it on a place that is free or beyond the last.
    pub(crate) fn insert_at(&mut self, place: u32, value: T) {
        self.reserve(place + 1);
        self.free.remove(&place);
        self.touched.insert(place);
        self.places[place as usize] = Some(value);
    }

    /// Makes places up to `count`, all free.
    pub(crate) fn reserve(&mut self, count: u32) {
        for place in self.places.len() as u32..count {
            self.places.push(None);
            self.free.insert(place);
            self.touched.insert(place);
        }
    }

    pub(crate) fn remove(&mut self, place: u32) -> T {
        self.free.insert(place);
        self.touched.insert(place);
        self.places[place as usize].take().expect("the place is taken")
    }

    pub(crate) fn at(&self, place: u32) -> &T {
        self.places[place as usize].as_ref().expect("the place is taken")
    }

    pub(crate) fn at_mut(&mut self, place: u32) -> &mut T {
        self.touched.insert(place);
        self.places[place as usize].as_mut().expect("the place is taken")
    }

    /// All places, taken or free.
    pub(crate) fn places(&self) -> &[Option<T>] {
        &self.places
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + '_ {
        self.places.iter().flatten()
    }

    pub(crate) fn count(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(crate) fn is_sealed(&self) -> bool {
        self.touched.is_empty()
    }

    /// Hashes what has changed.
    pub(crate) fn seal(&mut self) {
        let mut touched = std::mem::take(&mut self.touched).into_iter().collect();
        hash(&self.places, &mut self.tree, &mut touched);
    }

    /// The root over the places as of the last seal.
    pub(crate) fn root(&self) -> [u8; 32] {
        self.tree.root()
    }

    /// The root over the places from all of them.
    pub(crate) fn recompute_root(&self) -> [u8; 32] {
        let mut tree = HashTree::default();
        let mut all = (0..self.places.len() as u32).collect();
        hash(&self.places, &mut tree, &mut all);
        tree.root()
    }
}

/// A place is SHA-256(tag ‖ its bytes), a free one 32 zero bytes.
fn hash<T: Stored>(places: &[Option<T>], tree: &mut HashTree, touched: &mut Vec<u32>) {
    tree.update(places.len(), touched, |at| {
        let Some(value) = &places[at as usize] else { return [0; 32] };
        let mut bytes = vec![T::TAG];
        value.encode(&mut bytes);
        Digest::of(&bytes).0
    });
}
