//! Reports about good and bad receipts of a network of four.

#![allow(clippy::unwrap_used)]

use ledger::{AccountNumber, Amount, Command, Leg, Legs, Transfer, TransferId};
use proof::{
    checkpoint::{Checkpoint, origin},
    final_rule::{Cosigner, cosigner_name, policy_text},
    key::{KeyType, NoteSigner},
    note::Note,
    tree::{leaf_hash, node_hash},
};

use super::*;

fn signer(node: u8, kind: KeyType) -> NoteSigner {
    let name = match kind {
        KeyType::Note => origin(&[1; 32]),
        KeyType::Cosignature => cosigner_name("BANKDEFFXXX", node.into()),
    };
    NoteSigner::from_seed(&name, kind, &[node; 32]).unwrap()
}

/// The policy of the four.
pub(crate) fn policy() -> String {
    let cosigner = |node| {
        let signer = signer(node, KeyType::Cosignature);
        let verifier = signer.verifier();
        Cosigner { name: verifier.name().to_owned(), key: *verifier.public() }
    };
    let cosigners: Vec<Cosigner> = (1..=4).map(cosigner).collect();
    policy_text(&origin(&[1; 32]), &cosigners).unwrap()
}

fn record(answer: u16) -> Vec<u8> {
    let leg = Leg { debit: AccountNumber(3), credit: AccountNumber(5), amount: Amount::new(1234) };
    let transfer = Transfer {
        id: TransferId([0x42; 16]),
        legs: Legs::new(vec![leg]).unwrap(),
        document: None,
        options: None,
    };
    let mut command = Vec::new();
    Command::Transfer(transfer).encode(&mut command);
    let mut record = Vec::new();
    proof::record::command(&mut record, answer, None, &command);
    record
}

/// The receipt of a record in leaf 1 of a log with two, cosigned by some of them.
pub(crate) fn receipt(record: Vec<u8>, cosigners: &[u8]) -> Receipt {
    let root = node_hash(&[7; 32], &leaf_hash(&record));
    let text = Checkpoint { origin: origin(&[1; 32]), size: 2, root }.to_string();
    let mut lines = vec![signer(1, KeyType::Note).sign(&text, 0)];
    for node in cosigners {
        lines.push(signer(*node, KeyType::Cosignature).sign(&text, 1_700_000_000));
    }
    Receipt { record, index: 1, path: vec![[7; 32]], checkpoint: Note::new(text, lines).unwrap() }
}

fn report(receipt: &Receipt) -> Report {
    verify(receipt.to_string().as_bytes(), policy().as_bytes(), &Names::default())
}

#[test]
fn a_good_receipt_is_told_in_sentences() {
    let report = report(&receipt(record(1), &[1, 3, 4]));
    assert!(report.valid, "{report:?}");
    let told = text(&report);
    for part in [
        "ok      the policy asks for 3 of 4 nodes, which is the finality rule",
        "ok      3 of 4 nodes cosigned the log at 2 leaves: it is final",
        "ok      the record is leaf 1 of the log that they cosigned",
        "The transfer 42424242-4242-4242-4242-424242424242 was settled.",
        "1234 minor units from account 3 to account 5.",
        "Cosigned by BANKDEFFXXX/node3 at 2023-11-14T22:13:20.000 UTC.",
        "Not needed and not included: BANKDEFFXXX/node2.",
    ] {
        assert!(told.contains(part), "{part:?} is missing in\n{told}");
    }
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["valid"], true);
    assert_eq!(json["record"]["answer"], "settled");
    assert_eq!(json["record"]["id"], "42424242-4242-4242-4242-424242424242");
    assert_eq!(json["leaf"], 1);
    assert_eq!(json["cosigned"][0]["time"], 1_700_000_000);
}

#[test]
fn a_refused_transfer_has_a_receipt_too() {
    let report = report(&receipt(record(190), &[1, 2, 3]));
    let told = text(&report);
    assert!(told.contains("was refused.\nReason AM04: The amount available"), "{told}");
}

#[test]
fn the_check_that_fails_is_named() {
    let failed = |receipt: &Receipt| {
        let report = report(receipt);
        assert!(!report.valid && report.record.is_none());
        let last = report.checks.last().unwrap().clone();
        assert!(!last.holds);
        (last.check, last.text)
    };
    let good = receipt(record(1), &[1, 2, 3]);
    let (check, text) = failed(&receipt(record(1), &[1, 2]));
    assert_eq!(check, "signatures");
    assert!(text.contains("2 of 4 witnesses cosigned"), "{text}");
    let forged = Receipt { record: record(190), ..good.clone() };
    assert_eq!(failed(&forged).0, "inclusion");
    let bare = Receipt { record: Vec::new(), ..good.clone() };
    assert_eq!(failed(&bare).0, "record");
    let mut longer = record(1);
    longer.push(0);
    assert_eq!(failed(&receipt(longer, &[1, 2, 3])).0, "record");
    let unknown = receipt(record(99), &[1, 2, 3]);
    assert_eq!(failed(&unknown), ("record", "99 is no answer".to_owned()));

    let weak = policy().replace("group final 3", "group final 1");
    let report = verify(good.to_string().as_bytes(), weak.as_bytes(), &Names::default());
    assert_eq!(report.checks.last().unwrap().check, "policy");
    let report = verify(b"nonsense", policy().as_bytes(), &Names::default());
    assert_eq!(report.checks.last().unwrap().check, "form");
}

#[test]
fn each_changed_bit_of_the_receipt_is_refused() {
    let bytes = receipt(record(1), &[1, 2, 3]).to_string().into_bytes();
    let policy = policy();
    for at in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[at / 8] ^= 1 << (at % 8);
        assert!(!verify(&changed, policy.as_bytes(), &Names::default()).valid, "bit {at}");
    }
}
