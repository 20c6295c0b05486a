//! Receipts, tiles, bundles, cosignatures and policies of a small log: what holds is accepted, and
//! each single changed bit is refused.

#![allow(clippy::unwrap_used)]

mod ledger;

use proof::{
    checkpoint::Checkpoint,
    final_rule,
    key::KeyType,
    note::Note,
    path,
    policy::{Policy, Refused},
    receipt::{RECEIPT_BYTES_MAX, Receipt, ReceiptError},
    tile::{self, TileKind, TileName},
    tile_tree::TileTree,
    tree::leaf_hash,
};
use proptest::prelude::*;

use ledger::{checkpoint, files, policy, read_policy, receipt, records, signed, signer};

/// Calls `accepted` with the bytes after each single bit was flipped.
fn each_flip(bytes: &[u8], accepted: impl Fn(&[u8]) -> bool) {
    let mut changed = bytes.to_vec();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            changed[at] ^= 1 << bit;
            assert!(!accepted(&changed), "bit {bit} of byte {at} may be changed unnoticed");
            changed[at] ^= 1 << bit;
        }
    }
    assert!(accepted(bytes), "what was not changed is refused");
}

fn receipt_holds(bytes: &[u8], policy: &Policy) -> bool {
    Receipt::parse(bytes).is_ok_and(|receipt| receipt.verify(policy).is_ok())
}

/// As a tool does that reads the policy of a network.
fn policy_holds(bytes: &[u8], receipt: &Receipt) -> bool {
    Policy::parse(bytes)
        .is_ok_and(|policy| final_rule::check(&policy).is_ok() && receipt.verify(&policy).is_ok())
}

#[test]
fn a_receipt_of_each_record_is_accepted_and_read_back() {
    let records = records(300);
    let policy = read_policy();
    for index in [0, 1, 2, 3, 4, 5, 6, 254, 255, 256, 257, 298, 299] {
        let receipt = receipt(&records, index, &[1, 2, 4]);
        let text = receipt.to_string();
        assert_eq!(Receipt::parse(text.as_bytes()), Ok(receipt.clone()));
        let accepted = receipt.verify(&policy).unwrap();
        assert_eq!(accepted.checkpoint.size, 300);
        assert_eq!(accepted.missing, ["BANKDEFFXXX/node3"]);
        let times: Vec<u64> = accepted.cosigned.iter().map(|one| one.time).collect();
        assert_eq!(times, [1, 2, 4].map(|node| ledger::SECOND + node));
    }
}

#[test]
fn each_changed_bit_of_a_receipt_is_refused() {
    let policy = read_policy();
    for (count, index) in [(1, 0), (7, 2), (11, 9)] {
        let receipt = receipt(&records(count), index, &[2, 3, 4]);
        each_flip(receipt.to_string().as_bytes(), |bytes| receipt_holds(bytes, &policy));
    }
}

#[test]
fn each_changed_bit_of_a_policy_is_refused() {
    let receipt = receipt(&records(7), 2, &[1, 2, 3, 4]);
    each_flip(policy().as_bytes(), |bytes| policy_holds(bytes, &receipt));
    let smallest = receipt.smallest(&read_policy()).unwrap();
    each_flip(policy().as_bytes(), |bytes| policy_holds(bytes, &smallest));
}

#[test]
fn each_changed_bit_of_a_cosignature_is_refused() {
    let checkpoint = checkpoint(&records(7));
    let text = checkpoint.to_string();
    let cosigner = signer(2, KeyType::Cosignature);
    let line = cosigner.sign(&text, ledger::SECOND);
    each_flip(&line.signature, |bytes| cosigner.verifier().verify(&text, bytes).is_ok());
    each_flip(text.as_bytes(), |bytes| {
        str::from_utf8(bytes)
            .is_ok_and(|text| cosigner.verifier().verify(text, &line.signature).is_ok())
    });
    // A note whose cosignatures are just enough: no bit of any line may change.
    let policy = read_policy();
    let note = signed(&checkpoint, &[2, 3, 4]);
    each_flip(note.to_string().as_bytes(), |bytes| {
        Note::parse(bytes).is_ok_and(|note| policy.judge(&note).is_ok())
    });
}

#[test]
fn each_changed_bit_of_a_tile_or_entry_is_refused() {
    let records = records(300);
    let checkpoint = checkpoint(&records);
    let files = files(&records);
    for (name, bytes) in &files.0 {
        // Of the large ones a part, which holds each offset within a hash and within a length.
        let part = bytes.len().min(700);
        each_flip(&bytes[..part], |changed| {
            let mut whole = changed.to_vec();
            whole.extend_from_slice(&bytes[part..]);
            file_holds(*name, &whole, &files, &checkpoint)
        });
        for shorter in [&bytes[1..], &bytes[..bytes.len() - 1]] {
            assert!(!file_holds(*name, shorter, &files, &checkpoint));
        }
    }
}

/// A tile must lead to the signed root, a bundle to the hashes of its tile.
fn file_holds(name: TileName, bytes: &[u8], files: &ledger::Files, signed: &Checkpoint) -> bool {
    match name.kind {
        TileKind::Entries => {
            let Ok(records) = tile::entries(bytes, name.width) else { return false };
            let tile = TileName { kind: TileKind::Hashes { level: 0 }, ..name };
            let hashes = tile::hashes(&files.0[&tile], tile.width).unwrap();
            records.iter().map(|record| leaf_hash(record)).eq(hashes)
        }
        TileKind::Hashes { level } => {
            let Ok(hashes) = tile::hashes(bytes, name.width) else { return false };
            // A full tile below the top is checked against the tile above it.
            let above = TileKind::Hashes { level: level + 1 };
            if let Ok(full) = <&[_; 256]>::try_from(&hashes[..])
                && let Some(parent) = TileName::of_tree(above, name.number / 256, signed.size)
            {
                let parent = tile::hashes(&files.0[&parent], parent.width).unwrap();
                return proof::tile_tree::tile_root(full) == parent[(name.number % 256) as usize];
            }
            let mut changed = ledger::Files(files.0.clone());
            changed.0.insert(name, bytes.to_vec());
            let tree = TileTree::new(&changed, signed.size);
            path::root(&tree, signed.size) == Ok(signed.root)
        }
    }
}

#[test]
fn the_smallest_receipt_has_one_signature_and_the_quorum() {
    let policy = read_policy();
    let receipt = receipt(&records(7), 2, &[4, 1, 3, 2]);
    assert_eq!(receipt.checkpoint.signatures().len(), 5);
    let smallest = receipt.smallest(&policy).unwrap();
    assert_eq!(smallest.checkpoint.signatures().len(), 4);
    assert!(smallest.verify(&policy).is_ok());
    assert!(smallest.to_string().len() < 1_200, "{}", smallest.to_string().len());
}

#[test]
fn refusals_say_what_is_wrong() {
    let policy = read_policy();
    let records = records(7);
    let good = receipt(&records, 2, &[1, 2, 3]);
    let few = receipt(&records, 2, &[1, 2]);
    let said = few.verify(&policy).unwrap_err().to_string();
    assert_eq!(
        said,
        "the cosignatures do not reach the quorum of the policy: 2 of 4 witnesses cosigned \
         (BANKDEFFXXX/node1, BANKDEFFXXX/node2); missing: BANKDEFFXXX/node3, BANKDEFFXXX/node4"
    );
    let moved = Receipt { index: 3, ..good.clone() };
    assert!(matches!(moved.verify(&policy), Err(ReceiptError::Path(_))));
    let other = Receipt { record: records[3].clone(), ..good.clone() };
    assert!(matches!(other.verify(&policy), Err(ReceiptError::Path(_))));
    let bare = Receipt { record: Vec::new(), ..good.clone() };
    assert_eq!(Receipt::parse(bare.to_string().as_bytes()), Ok(bare.clone()));
    assert_eq!(bare.verify(&policy), Err(ReceiptError::NoRecord));
    let nonsense = Receipt { record: vec![9, 9], ..good.clone() };
    assert!(matches!(nonsense.verify(&policy), Err(ReceiptError::Record(_))));
    let unknown = Policy::parse(b"quorum none\n").unwrap();
    assert!(matches!(good.verify(&unknown), Err(ReceiptError::Refused(Refused::Origin(_)))));
}

#[test]
fn what_is_no_receipt_is_refused() {
    let text = receipt(&records(7), 2, &[1, 2, 3]).to_string();
    let replaced = |from: &str, to: &str| {
        assert!(text.contains(from));
        Receipt::parse(text.replacen(from, to, 1).as_bytes())
    };
    assert!(replaced("tlog-proof@v1", "tlog-proof@v2").is_err());
    assert!(replaced("index 2", "index 02").is_err());
    assert!(replaced("index 2\n", "").is_err());
    assert!(replaced("extra ", "extra").is_err());
    assert!(replaced("extra ", "extra  ").is_err());
    let displaced = replaced("index 2\n", "index 2\n\n").unwrap();
    assert!(displaced.verify(&read_policy()).is_err(), "the proof is part of the note then");
    assert!(replaced("index 2\n", &format!("index 2\n{}", "A\n".repeat(3))).is_err());
    let hash = format!("{}=\n", "A".repeat(43));
    assert!(replaced("index 2\n", &format!("index 2\n{}", hash.repeat(62))).is_err());
    assert!(Receipt::parse(&vec![b'x'; RECEIPT_BYTES_MAX + 1]).is_err());
    for length in 0..text.len() {
        assert!(!receipt_holds(&text.as_bytes()[..length], &read_policy()), "{length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Receipt::parse(&bytes);
    }

    #[test]
    fn what_is_read_is_written_alike(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = receipt(&records(7), 2, &[1, 2, 3]).to_string().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(receipt) = Receipt::parse(&bytes) {
            let written = receipt.to_string();
            prop_assert_eq!(written.as_bytes(), &bytes[..]);
            let _ = receipt.verify(&read_policy());
        }
    }
}
