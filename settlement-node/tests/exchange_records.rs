//! An exchange leaves a record of its own: after the block, in its history, and on the walk along the Merkle log.
#![allow(clippy::unwrap_used)]

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{
    AccountNumber, Amount, Answer, Command, Exchange, ExchangeAmount, Exchanged, Fill, LedgerTime,
    ParticipantNumber, PlaceQuote, Rate, SetReporting, TransferId,
};
use proof::record;
use settlement_node::{
    chain::{AppliedBlock, Chain},
    forms::history_block,
    old_ids::OldIdsOnDisk,
    past::PastBlock,
    prepare::PreparedBlock,
    store::{
        runs::RunSets,
        vfs::{MemVfs, Vfs},
    },
};
use wire::{
    batch::{BatchBuilder, encode_submission},
    block,
    genesis::{Genesis, hex},
    notice::What,
};

/// One bank with money in two currencies, and accounts to quote from.
fn genesis(key: &SigningKey) -> Genesis {
    let text = format!(
        r#"version = 1
network = "exchanges"
time_ns = 1
rules = 2
nodes = [{{ id = 1, bic = "ALPHDEFF", link_key = "{zero}", address = "127.0.0.1:1", client_address = "127.0.0.1:2" }}]
participants = [{{ bic = "ALPHDEFF", name = "Alpha", signing_keys = ["{key}"], sealing_key = "{zero}", gateway_keys = [] }}]
assets = [{{ code = "EUR", exponent = 2, issuer = "ALPHDEFF" }}, {{ code = "JPY", exponent = 0, issuer = "ALPHDEFF" }}]
accounts = [{{ account = "ALPHDEFF/EUR" }}, {{ account = "ALPHDEFF/JPY" }}, {{ account = "ALPHDEFF/EUR/desk" }}, {{ account = "ALPHDEFF/JPY/desk" }}]
funding = [{{ id = "00000000-0000-4000-8000-000000000001", account = "ALPHDEFF/EUR", amount = 100000 }}, {{ id = "00000000-0000-4000-8000-000000000002", account = "ALPHDEFF/JPY/desk", amount = 100000 }}]
"#,
        zero = "00".repeat(32),
        key = hex(key.verifying_key().as_bytes()),
    );
    Genesis::parse(text.as_bytes()).unwrap()
}

fn id(number: u8) -> TransferId {
    let mut bytes = [number; 16];
    bytes[6] = 0x40;
    TransferId(bytes)
}

fn block_of(genesis: &Genesis, key: &SigningKey, time: u64, commands: &[Command]) -> Bytes {
    let bank = ParticipantNumber(0);
    let mut builder = BatchBuilder::new(&genesis.domain, bank, LedgerTime(u64::MAX));
    commands.iter().for_each(|command| builder.push(command));
    let (batch, _) = builder.sign(&[(bank, key)]);
    block::encode(LedgerTime(time), [encode_submission(&batch, &[])].iter())
}

/// A desk offers 161 JPY for 100 cents, and both sides of the market are used.
fn commands() -> Vec<Command> {
    let quote = PlaceQuote {
        id: id(1),
        sells: AccountNumber(3),
        buys: AccountNumber(2),
        rate: Rate::new(100, 161).unwrap(),
        amount: Amount::new(90_000),
        least: Amount::new(1),
        until: LedgerTime(1_000),
        replaces: None,
    };
    let exchange = |number, amount| {
        Command::Exchange(Exchange {
            id: id(number),
            debit: AccountNumber(0),
            credit: AccountNumber(1),
            amount,
            document: None,
            deadline: None,
        })
    };
    let amount = Amount::new;
    vec![
        Command::SetReporting(SetReporting { id: id(9), account: AccountNumber(1), within: 5 }),
        Command::PlaceQuote(quote),
        exchange(2, ExchangeAmount::Deliver { exactly: amount(1_000), at_most: amount(622) }),
        exchange(3, ExchangeAmount::Deliver { exactly: amount(1_000), at_most: amount(621) }),
        exchange(4, ExchangeAmount::Spend { exactly: amount(100), at_least: amount(161) }),
    ]
}

fn apply(chain: &mut Chain, genesis: &Genesis, bytes: &Bytes) -> AppliedBlock {
    let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
    let old = OldIdsOnDisk(RunSets::open(vfs, Path::new("/runs")).unwrap());
    let prepared = PreparedBlock::trusted(bytes.clone(), &genesis.domain, &old, 0).unwrap();
    let index = chain.log_index() + 1;
    chain.apply(index, Arc::new(prepared), &old).unwrap()
}

#[test]
fn rate_and_fills_are_read_from_the_log_alone() {
    let key = SigningKey::from_bytes(&[5; 32]);
    let genesis = genesis(&key);
    let mut chain = Chain::genesis(&genesis, [1, 2]).unwrap();
    let (mut frontier, mut previous) = (chain.frontier().clone(), *chain.previous_seal());
    let first = apply(&mut chain, &genesis, &block_of(&genesis, &key, 10, &commands()));
    let answers: Vec<bool> =
        first.submissions[0].outcomes.iter().map(|one| one.answer.is_settled()).collect();
    assert_eq!(answers, [true, true, true, false, true]);
    let fill = |gave, took| Fill {
        quote: id(1),
        sells: AccountNumber(3),
        buys: AccountNumber(2),
        rate: Rate::new(100, 161).unwrap(),
        gave: Amount::new(gave),
        took: Amount::new(took),
    };
    let exchanged = |number, leaf, paid, delivered| Exchanged {
        id: id(number),
        leaf,
        paid: Amount::new(paid),
        delivered: Amount::new(delivered),
        via: None,
        first_step: 1,
        fills: vec![fill(delivered, paid)],
    };
    // Leaf 0 is genesis, 1 the batch; the commands follow.
    let expected = [exchanged(2, 4, 622, 1_000), exchanged(4, 6, 100, 161)];
    assert_eq!(first.exchanges, expected);
    // The batch, its five commands, two exchanges.
    assert_eq!((first.seal.records, first.seal.commands), (8, 5));

    let stored = history_block(&first);
    let past = PastBlock::read(&stored, &genesis.domain).unwrap();
    assert_eq!(past.exchanges(), expected);
    past.append_to(&mut frontier, &first.seal, &previous).unwrap();
    assert_eq!(frontier.root(), chain.log_root());
    previous = first.seal.leaf_hash();

    for one in &first.exchanges {
        let mut bytes = Vec::new();
        record::exchange(&mut bytes, &wire::exchanged::encode(one));
        assert!(matches!(record::decode(&bytes), Ok(record::Record::Exchange(_))));
    }
    let mut damaged = stored.clone();
    let mut outcome = damaged.outcome.to_vec();
    *outcome.last_mut().unwrap() ^= 1;
    damaged.outcome = Bytes::from(outcome);
    assert!(PastBlock::read(&damaged, &genesis.domain).is_err(), "the fills do not add up");

    // A block without exchanges, long after the reports of both credits were due.
    let second = apply(&mut chain, &genesis, &block_of(&genesis, &key, 100, &commands()[..1]));
    assert!(second.exchanges.is_empty());
    let past = PastBlock::read(&history_block(&second), &genesis.domain).unwrap();
    // Both reports were overdue first and are missing now, each said once; quotes whose time is over too.
    let bank = ParticipantNumber(0);
    assert!(second.notices.iter().all(|one| one.bank == bank));
    let said = |of: fn(&What) -> bool| second.notices.iter().filter(|one| of(&one.what)).count();
    let overdue = said(|what| matches!(what, What::ReportOverdue { .. }));
    let missing = said(|what| matches!(what, What::ReportMissing { .. }));
    assert_eq!((overdue, missing), (2, 2), "{:?}", second.notices);
    assert_eq!(past.notices(), second.notices);
    past.append_to(&mut frontier, &second.seal, &previous).unwrap();
    assert_eq!(frontier.root(), chain.log_root());
    assert_eq!(chain.ledger().scorecard(ParticipantNumber(0)).missing, 2);
    chain.ledger().check_invariants().unwrap();
    assert!(matches!(first.submissions[0].outcomes[3].answer, Answer::Refused(_)));
}
