//! Whether this node cosigns a checkpoint that somebody hands to it (C2SP tlog-witness).
//!
//! Pure. A node is a witness of its own network's log, and a severe one: beside the consistency proof that any
//! witness asks for, the root must be the one that this node has computed itself at that size. Whoever asks can so
//! have a cosignature sooner, or once more; nobody can have one for a log that this node does not know.

use proof::{
    Hash,
    path::verify_consistency,
    witness::{AddCheckpoint, PROOF_LINES_MAX},
};

/// What this node knows of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Size and root that it cosigned last; size 0 before the first.
    pub cosigned: (u64, Hash),
    /// Size and root of the log as it is now.
    pub newest: (u64, Hash),
    /// Root that it computed at the end of the block that ends at the asked size, if it remembers one.
    pub at_size: Option<Hash>,
}

/// What is done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was cosigned before; the same is signed once more.
    Again,
    /// The newest state of the log, which is to be cosigned now.
    Newest,
    /// Another size was cosigned last: this one.
    Conflict(u64),
    /// The size that was cosigned last, with another root.
    OtherRoot,
    /// The proof does not lead from what was cosigned to the checkpoint.
    NoProof,
    /// The log of this node has another root at that size.
    NotComputed,
    /// This node cannot say yet, or not any more, what the log was at that size.
    NotNow,
}

/// Judges a request of which a node's signature as the log was verified.
#[must_use]
pub fn judge(known: &Known, asked: &AddCheckpoint) -> Verdict {
    let (last, last_root) = known.cosigned;
    let (size, root) = (asked.checkpoint.size, asked.checkpoint.root);
    if asked.old != last {
        return Verdict::Conflict(last);
    }
    if size == last {
        return match (root == last_root, asked.path.is_empty()) {
            (false, _) => Verdict::OtherRoot,
            (true, false) => Verdict::NoProof,
            // After a restart the log may not have come to what was cosigned before it.
            (true, true) if known.newest.0 < last => Verdict::NotNow,
            (true, true) => Verdict::Again,
        };
    }
    let proven = match last {
        0 => asked.path.is_empty(),
        _ => {
            asked.path.len() <= PROOF_LINES_MAX
                && verify_consistency((last, &last_root), (size, &root), &asked.path).is_ok()
        }
    };
    if !proven {
        return Verdict::NoProof;
    }
    match known.at_size {
        _ if size == known.newest.0 && root == known.newest.1 => Verdict::Newest,
        _ if size == known.newest.0 => Verdict::NotComputed,
        Some(own) if own != root => Verdict::NotComputed,
        _ => Verdict::NotNow,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::convert::Infallible;

    use proof::{
        checkpoint::Checkpoint,
        key::{KeyType, NoteSigner},
        note::Note,
        path::{self, Subtrees},
        tree::{leaf_hash, node_hash},
    };

    use super::*;

    /// A log whose leaves from some point on are those of another history.
    struct Log(u64);

    impl Subtrees for Log {
        type Error = Infallible;

        fn subtree(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
            if level > 0 {
                let (left, right) = (self.subtree(level - 1, index * 2)?, index * 2 + 1);
                return Ok(node_hash(&left, &self.subtree(level - 1, right)?));
            }
            let seed = u8::from(index >= self.0);
            Ok(leaf_hash(&[&index.to_le_bytes()[..], &[seed]].concat()))
        }
    }

    const OWN: Log = Log(u64::MAX);

    fn root(log: &Log, size: u64) -> Hash {
        path::root(log, size).unwrap()
    }

    fn asked(log: &Log, old: u64, size: u64) -> AddCheckpoint {
        let checkpoint = Checkpoint { origin: "corridor/ab".into(), size, root: root(log, size) };
        let signer = NoteSigner::from_seed("corridor/ab", KeyType::Note, &[1; 32]).unwrap();
        let text = checkpoint.to_string();
        let note = Note::new(text.clone(), vec![signer.sign(&text, 0)]).unwrap();
        let path = path::consistency(log, old, size).unwrap();
        AddCheckpoint { old, path, checkpoint, note }
    }

    fn known(last: u64, newest: u64, at_size: Option<u64>) -> Known {
        let of = |size| (size, root(&OWN, size));
        let at_size = at_size.map(|size| root(&OWN, size));
        Known { cosigned: of(last), newest: of(newest), at_size }
    }

    #[test]
    fn the_newest_log_is_cosigned_and_the_last_one_again() {
        for last in [0, 1, 7, 8, 20] {
            let verdict = judge(&known(last, 21, Some(21)), &asked(&OWN, last, 21));
            assert_eq!(verdict, Verdict::Newest, "from {last}");
        }
        let again = asked(&OWN, 20, 20);
        assert_eq!(judge(&known(20, 21, None), &again), Verdict::Again);
        assert_eq!(judge(&known(20, 20, None), &again), Verdict::Again);
        assert_eq!(judge(&known(20, 12, None), &again), Verdict::NotNow);
    }

    #[test]
    fn who_knows_another_size_is_told_the_own_one() {
        for old in [0, 7, 21] {
            let verdict = judge(&known(20, 21, None), &asked(&OWN, old, 21));
            assert_eq!(verdict, Verdict::Conflict(20));
        }
        assert_eq!(judge(&known(0, 21, None), &asked(&OWN, 3, 21)), Verdict::Conflict(0));
    }

    #[test]
    fn another_history_is_never_cosigned() {
        let size = 21;
        let knows = known(20, size, Some(size));
        // It departs before what was cosigned: no proof leads there.
        assert_eq!(judge(&knows, &asked(&Log(5), 20, size)), Verdict::NoProof);
        // It departs after it, and proves so; but this node has computed otherwise.
        assert_eq!(judge(&knows, &asked(&Log(20), 20, size)), Verdict::NotComputed);
        assert_eq!(judge(&known(20, 30, Some(21)), &asked(&Log(20), 20, 21)), Verdict::NotComputed);
        assert_eq!(judge(&knows, &asked(&Log(5), 20, 20)), Verdict::OtherRoot);
        assert_eq!(judge(&known(0, 21, None), &asked(&Log(5), 0, 21)), Verdict::NotComputed);
    }

    #[test]
    fn what_is_not_known_now_is_not_cosigned() {
        assert_eq!(judge(&known(20, 21, None), &asked(&OWN, 20, 25)), Verdict::NotNow);
        assert_eq!(judge(&known(20, 30, Some(25)), &asked(&OWN, 20, 25)), Verdict::NotNow);
        assert_eq!(judge(&known(20, 30, None), &asked(&OWN, 20, 25)), Verdict::NotNow);
    }

    #[test]
    fn a_proof_that_is_none_is_refused() {
        let knows = known(13, 21, Some(21));
        let good = asked(&OWN, 13, 21);
        assert_eq!(judge(&knows, &good), Verdict::Newest);
        let mut short = good.clone();
        short.path.pop();
        let mut long = good.clone();
        long.path.push([0; 32]);
        for bad in [short, long] {
            assert_eq!(judge(&knows, &bad), Verdict::NoProof);
        }
        for at in 0..good.path.len() {
            let mut bad = good.clone();
            bad.path[at][3] ^= 1;
            assert_eq!(judge(&knows, &bad), Verdict::NoProof);
        }
        let mut idle = asked(&OWN, 20, 20);
        idle.path.push([0; 32]);
        assert_eq!(judge(&known(20, 21, None), &idle), Verdict::NoProof);
        let mut from_nothing = asked(&OWN, 0, 21);
        from_nothing.path.push([0; 32]);
        assert_eq!(judge(&known(0, 21, None), &from_nothing), Verdict::NoProof);
    }
}
