//! Proofs of documents, and what receipts of payments and of certificates of erasure say of them.

#![allow(clippy::unwrap_used)]

use ledger::{
    AccountNumber, Amount, EraseDocument, LedgerTime, Leg, Legs, ParticipantNumber, Transfer,
    TransferId,
};

use super::*;
use crate::verify::sample::{policy, receipt};

fn proof(salt: u8, sealed: Option<u8>) -> DocumentProof {
    DocumentProof {
        version: PROOF_VERSION,
        id: "a".to_owned(),
        salt: hex(&[salt; 16]),
        sealed_sha256: sealed.map(|byte| hex(&[byte; 32])),
    }
}

#[test]
fn a_proof_fits_its_own_document_and_no_other() {
    let own = proof(1, Some(2));
    let expected = wire::document::commitment(&salted_digest(&[1; 16], b"one"), &Digest([2; 32]));
    assert_eq!(own.commitment(b"one").unwrap(), expected);
    // What is shown of one document says nothing of another: neither its text with this salt, nor this text
    // with the salt of another.
    for other in [
        own.commitment(b"two"),
        proof(3, Some(2)).commitment(b"one"),
        proof(1, Some(4)).commitment(b"one"),
        proof(1, None).commitment(b"one"),
    ] {
        assert_ne!(other.unwrap(), expected);
    }
}

#[test]
fn malformed_proofs_are_errors() {
    for (field, value) in [("salt", "00"), ("salt", "é"), ("sealed_sha256", "xy")] {
        let mut json = serde_json::to_value(proof(1, Some(2))).unwrap();
        json[field] = value.into();
        let read: DocumentProof = serde_json::from_value(json).unwrap();
        assert!(read.commitment(b"one").is_err(), "{field}");
    }
    assert!(DocumentProof { version: 2, ..proof(1, None) }.commitment(b"one").is_err());
}

const UETR: &str = "42424242-4242-4242-4242-424242424242";

fn payment() -> Transfer {
    let leg = Leg { debit: AccountNumber(3), credit: AccountNumber(5), amount: Amount::new(1234) };
    Transfer {
        id: TransferId([0x42; 16]),
        legs: Legs::new(vec![leg]).unwrap(),
        document: Some(proof(1, Some(2)).commitment(b"one").unwrap()),
        options: None,
    }
}

fn certificate() -> Command {
    Command::EraseDocument(Box::new(EraseDocument {
        id: TransferId([0x61; 16]),
        participant: ParticipantNumber(1),
        destroyed: LedgerTime(1_700_000_000_000_000_000),
        sealing_key: Some([7; 32]),
        by: "officer 2".to_owned(),
        ground: "retention is over".to_owned(),
        payment: payment(),
    }))
}

/// What is said of the receipt of a command, with a document and its proof or without.
fn said(answer: u16, command: &Command, nodes: &[u8], document: Option<&[u8]>) -> Result<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| dir.path().join(name);
    let (mut bytes, mut record) = (Vec::new(), Vec::new());
    command.encode(&mut bytes);
    proof::record::command(&mut record, answer, None, &bytes);
    fs::write(file("receipt"), receipt(record, nodes).to_string()).unwrap();
    fs::write(file("policy"), policy()).unwrap();
    write_proof(&file("proof"), &DocumentProof { id: UETR.to_owned(), ..proof(1, Some(2)) })?;
    // An empty document is one that is not on the disk.
    if let Some(document) = document.filter(|document| !document.is_empty()) {
        fs::write(file("document"), document).unwrap();
    }
    verified(&VerifyArguments {
        file: document.map(|_| file("document")),
        proof: document.map(|_| file("proof")),
        receipt: file("receipt"),
        policy: file("policy"),
        genesis: None,
    })
}

#[test]
fn a_certificate_of_erasure_says_who_erased_what_when_and_where_it_stands() {
    let nodes = &[1, 3, 4];
    let erased = "erased at 2023-11-14T22:13:20.000 UTC by officer 2, on the ground: \
        retention is over; certificate at leaf 1, which is final";
    for not_there in [None, Some(&b""[..])] {
        let text = said(1, &certificate(), nodes, not_there).unwrap();
        let start =
            format!("ok: the document of transfer {UETR} was, at participant 1, {erased}\n");
        assert!(text.starts_with(&start), "{text}");
        let commitment = payment().document.unwrap().to_string();
        assert!(text.contains(&commitment) && text.contains("may have kept a copy"), "{text}");
    }
    // Who still has a copy is told that it is one.
    let text = said(1, &certificate(), nodes, Some(b"one")).unwrap();
    let start =
        format!("ok: this is the document of transfer {UETR}; at participant 1 it was {erased}\n");
    assert!(text.starts_with(&start), "{text}");
    for (answer, nodes, document, says) in [
        (1, &nodes[..], Some(&b"two"[..]), "not the one that the record commits to"),
        (603, nodes, None, "was not settled"),
        (1, &[1, 3], None, "proves nothing"),
    ] {
        let error = said(answer, &certificate(), nodes, document).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn the_receipt_of_a_payment_needs_its_document() {
    let payment = Command::Transfer(payment());
    let text = said(1, &payment, &[1, 3, 4], Some(b"one")).unwrap();
    let whole = format!(
        "ok: this is the document of transfer {UETR}, committed to at leaf 1, which is final"
    );
    assert_eq!(text, whole);
    for (document, says) in [
        (None, "or the receipt of a certificate of erasure"),
        (Some(&b""[..]), "open "),
        (Some(b"two"), "not the one that the record commits to"),
    ] {
        let error = said(1, &payment, &[1, 3, 4], document).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
