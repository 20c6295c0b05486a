//! A signature is checked before a batch is ordered, and remembered; whether its key is live is decided where the batch
//! is applied. What was checked while a key was live is of no use once it has been revoked.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{
    AccountNumber, AddKey, Amount, Answer, Command, IdEntry, LedgerTime, Leg, Legs,
    ParticipantNumber, PublicKey, Refusal, RevokeKey, Transfer, TransferId,
};
use settlement_node::{
    chain::Chain,
    prepare::{Admitted, OldIdSource, PreparedBlock, PreparedSubmission},
};
use wire::{
    batch::{BatchBuilder, encode_submission},
    block,
    genesis::Genesis,
};

const BANK: ParticipantNumber = ParticipantNumber(0);

struct NoOldIds;

impl OldIdSource for NoOldIds {
    fn version(&self) -> u64 {
        0
    }

    fn find(&self, _: &[TransferId], _: u64) -> Result<Vec<(TransferId, IdEntry)>, std::io::Error> {
        Ok(Vec::new())
    }
}

fn id(number: u8) -> TransferId {
    TransferId([number, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, 0])
}

fn transfer(number: u8) -> Command {
    let leg = Leg { debit: AccountNumber(0), credit: AccountNumber(1), amount: Amount::new(1) };
    Command::Transfer(Transfer {
        id: id(number),
        legs: Legs::One(leg),
        document: None,
        options: None,
    })
}

fn submission(genesis: &Genesis, key: &SigningKey, command: &Command) -> Bytes {
    let mut builder = BatchBuilder::new(&genesis.domain, BANK, LedgerTime(u64::MAX));
    builder.push(command);
    let (batch, _) = builder.sign(&[(BANK, key)]);
    encode_submission(&batch, &[])
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey(*key.verifying_key().as_bytes())
}

#[test]
fn a_batch_checked_before_its_key_was_revoked_is_refused_after() {
    let (old, new) = (SigningKey::from_bytes(&[5; 32]), SigningKey::from_bytes(&[6; 32]));
    let genesis = common::genesis_with("keys", &old, "rules = 2");
    let mut chain = Chain::genesis(&genesis, [1, 2]).unwrap();
    let admitted = Admitted::default();
    // The node takes a batch in, checks its signature and keeps the result.
    let stale = submission(&genesis, &old, &transfer(9));
    let checked = PreparedSubmission::check(stale.clone(), &genesis.domain, &NoOldIds).unwrap();
    admitted.keep(&checked.submission);

    let add = AddKey { id: id(1), participant: BANK, key: public(&new), from: None };
    let revoke = RevokeKey { participant: BANK, key: public(&old) };
    let blocks = [
        vec![submission(&genesis, &old, &Command::AddKey(add))],
        // Both keys are live.
        vec![
            submission(&genesis, &old, &transfer(2)),
            submission(&genesis, &new, &transfer(3)),
            submission(&genesis, &new, &Command::RevokeKey(revoke)),
            submission(&genesis, &old, &transfer(4)),
        ],
        vec![stale.clone(), submission(&genesis, &new, &transfer(5))],
    ];
    let mut answers = Vec::new();
    for (index, parts) in (1..).zip(&blocks) {
        let bytes = block::encode(LedgerTime(index), parts.iter());
        let prepared = PreparedBlock::check(bytes, &genesis.domain, &NoOldIds, &admitted).unwrap();
        let applied = chain.apply(index, Arc::new(prepared), &NoOldIds).unwrap();
        answers.extend(applied.submissions.iter().map(|one| one.outcomes[0].answer));
    }
    assert!(admitted.find(&stale).is_some(), "the signature was not checked again");
    let (settled, refused) = (Answer::Settled, Answer::Refused(Refusal::SignerNotLive));
    assert_eq!(answers, [settled, settled, settled, settled, refused, refused, settled]);

    // The id of the stale batch is unused, and its sender still has it.
    let again = submission(&genesis, &new, &transfer(9));
    let bytes = block::encode(LedgerTime(9), [again].iter());
    let prepared = PreparedBlock::check(bytes, &genesis.domain, &NoOldIds, &admitted).unwrap();
    let applied = chain.apply(9, Arc::new(prepared), &NoOldIds).unwrap();
    assert_eq!(applied.submissions[0].outcomes[0].answer, settled);
}
