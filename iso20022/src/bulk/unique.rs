//! UETRs of a file so far, to find one that comes twice.
//!
//! Nothing short of all ids tells whether one is new, so this is the one part of bulk reading whose
//! memory grows with the file: 16 bytes of id and 12 of place for each transaction, up to a number
//! that the caller sets. It is only kept where it is asked for.

use std::collections::BTreeMap;

/// Where an id came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) group: u32,
    pub(super) number: u32,
    pub(super) line: u32,
}

/// The ids.
#[derive(Debug, Default)]
pub(super) struct Uetrs {
    first: BTreeMap<u128, Mark>,
    max: usize,
}

impl Uetrs {
    /// Keeps at most `max` ids.
    pub(super) fn new(max: usize) -> Self {
        Self { first: BTreeMap::new(), max }
    }

    /// True when ids are kept at all.
    pub(super) fn is_on(&self) -> bool {
        self.max > 0
    }

    /// Notes an id. `Some` tells where it came before. A text that is no UUID is the schema's
    /// business.
    pub(super) fn insert(&mut self, text: &str, mark: Mark) -> Option<Mark> {
        let id = uuid(text)?;
        if let Some(first) = self.first.get(&id) {
            return Some(*first);
        }
        if self.first.len() < self.max {
            self.first.insert(id, mark);
        }
        None
    }
}

/// The number that a UUID in its usual form stands for.
fn uuid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    let dashes = |at: &usize| matches!(at, 8 | 13 | 18 | 23);
    if bytes.len() != 36 {
        return None;
    }
    (0..36).try_fold(0_u128, |id, at| match (dashes(&at), bytes[at]) {
        (true, b'-') => Some(id),
        (false, byte) => {
            let digit = char::from(byte).to_digit(16)?;
            Some(id << 4 | u128::from(digit))
        }
        (true, _) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_of_an_id_is_told() {
        let mark = |number| Mark { group: 0, number, line: 7 };
        let one = "00000001-1111-4222-8333-444444444444";
        let mut ids = Uetrs::new(2);
        assert_eq!(ids.insert(one, mark(1)), None);
        assert_eq!(ids.insert("no id", mark(2)), None);
        assert_eq!(ids.insert(&one.replace("0001", "0002"), mark(3)), None);
        assert_eq!(ids.insert(one, mark(4)), Some(mark(1)));
        // No room is left for a third one.
        let third = one.replace("0001", "0003");
        assert_eq!(ids.insert(&third, mark(5)), None);
        assert_eq!(ids.insert(&third, mark(6)), None);
        assert_eq!(uuid("00000001-1111-4222-8333+444444444444"), None);
        assert_eq!(uuid("00000000-0000-0000-0000-0000000000ff"), Some(255));
        assert_eq!(uuid("é0000000-0000-0000-0000-00000000000"), None);
    }
}
