#![allow(clippy::unwrap_used)]

use super::*;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{AccountNumber, Amount, Command, LedgerTime, Leg, Legs, Transfer, TransferId};
use wire::{
    batch::{BatchBuilder, encode_submission},
    block,
    genesis::{Genesis, hex},
};

use crate::{
    chain::Chain,
    old_ids::OldIdsOnDisk,
    prepare::PreparedBlock,
    store::runs::{RunSet, RunSets},
};

/// After a start from a snapshot memory holds no block, but there are some on disk.
#[test]
fn a_subscriber_hears_of_blocks_before_a_snapshot_from_the_history() {
    let owners: Owners = Arc::new(Vec::new());
    let heard = |height: u64, after: Cursor| {
        let mut subscribers = Subscribers::default();
        subscribers.open(1, ParticipantNumber(0));
        subscribers.subscribe(1, after);
        let mut effects = Effects::default();
        subscribers.on_tick(&Place { tick: 1, height, owners: &owners }, &mut effects);
        effects.scans.len()
    };
    assert_eq!(heard(9, Cursor::default()), 1);
    assert_eq!(heard(9, Cursor { height: 9, commands: 3 }), 1);
    assert_eq!(heard(9, Cursor { height: 9, commands: u32::MAX }), 0);
    assert_eq!(heard(0, Cursor::default()), 0);
}

/// Applied blocks, each with transfers that credit account 1.
fn blocks(count: u64, transfers: u64) -> Vec<Arc<AppliedBlock>> {
    let key = SigningKey::from_bytes(&[5; 32]);
    let text = format!(
        r#"version = 1
network = "subscribers"
time_ns = 1
nodes = [{{ id = 1, bic = "ALPHDEFF", link_key = "{zero}", address = "127.0.0.1:1", client_address = "127.0.0.1:2" }}]
participants = [{{ bic = "ALPHDEFF", name = "Alpha", signing_keys = ["{key}"], sealing_key = "{zero}", gateway_keys = [] }}]
assets = [{{ code = "EUR", exponent = 2, issuer = "ALPHDEFF" }}]
accounts = [{{ account = "ALPHDEFF/EUR" }}, {{ account = "ALPHDEFF/EUR/other" }}]
funding = [{{ id = "00000000-0000-4000-8000-000000000001", account = "ALPHDEFF/EUR", amount = 1000000000 }}]
"#,
        zero = "00".repeat(32),
        key = hex(key.verifying_key().as_bytes()),
    );
    let genesis = Genesis::parse(text.as_bytes()).unwrap();
    let old = OldIdsOnDisk(RunSets::new(RunSet::default()));
    let mut chain = Chain::genesis(&genesis, [1, 2]).unwrap();
    let bank = ParticipantNumber(0);
    let block = |height: u64| -> Bytes {
        let mut builder = BatchBuilder::new(&genesis.domain, bank, LedgerTime(u64::MAX));
        for number in 0..transfers {
            let mut id = [0x40; 16];
            id[..8].copy_from_slice(&(height * transfers + number).to_be_bytes());
            let (debit, credit) = (AccountNumber(0), AccountNumber(1));
            let leg = Leg { debit, credit, amount: Amount::new(1) };
            builder.push(&Command::Transfer(Transfer {
                id: TransferId(id),
                legs: Legs::One(leg),
                document: None,
                options: None,
            }));
        }
        let (batch, _) = builder.sign(&[(bank, &key)]);
        block::encode(LedgerTime(10 + height), [encode_submission(&batch, &[])].iter())
    };
    let apply = |height| {
        let prepared = PreparedBlock::trusted(block(height), &genesis.domain, &old, 0).unwrap();
        Arc::new(chain.apply(height, Arc::new(prepared), &old).unwrap())
    };
    (1..=count).map(apply).collect()
}

const HOGS: u64 = 64;
const VICTIM: SessionId = HOGS + 1;

#[test]
fn sessions_that_catch_up_share_a_bounded_effort_at_each_tick_bank_by_bank() {
    let blocks = blocks(30, 4_000);
    let largest = blocks.iter().map(|block| block.bytes.len()).max().unwrap();
    let all: usize = blocks.iter().map(|block| block.bytes.len()).sum();
    assert!(all > DELIVERIES_BURST_BYTES_MAX && all < RECENT_BYTES_MAX, "{all}");
    // Account 1, which all is paid to, is of bank 1; nothing is for bank 0.
    let owners: Owners = Arc::new(vec![ParticipantNumber(0), ParticipantNumber(1)]);
    let mut subscribers = Subscribers::default();
    blocks.iter().for_each(|block| subscribers.remember(block));
    for session in 1..=HOGS {
        subscribers.open(session, ParticipantNumber(0));
        subscribers.subscribe(session, Cursor::default());
    }
    subscribers.open(VICTIM, ParticipantNumber(1));
    subscribers.subscribe(VICTIM, Cursor::default());

    let (mut heard, mut ticks_of_victim, mut live) = (Vec::new(), 0, BTreeSet::new());
    let mut ticks = 0;
    while live.len() < HOGS as usize {
        ticks += 1;
        assert!(ticks < 1_000, "{} are live", live.len());
        let mut effects = Effects::default();
        // Who is live is told at once, so late is it, how far was searched.
        let at = Place { tick: SEARCHED_TICKS + ticks, height: 30, owners: &owners };
        subscribers.on_tick(&at, &mut effects);
        for frame in effects.deliveries {
            let told = Deliveries::decode(frame.payload).unwrap();
            if frame.session == VICTIM {
                ticks_of_victim = ticks;
                heard.extend(told.items.iter().map(|item| item.cursor));
            } else {
                assert!(told.items.is_empty());
                assert_eq!(told.searched, Cursor { height: 30, commands: u32::MAX });
                live.insert(frame.session);
            }
        }
        let effort = ticks as usize * (DELIVERIES_BURST_BYTES_MAX + 8 * largest);
        assert!(live.len() * all <= effort, "{} are live after {ticks} ticks", live.len());
    }
    let expected: Vec<Cursor> = blocks
        .iter()
        .flat_map(|block| block.commands().map(|applied| applied.cursor).collect::<Vec<_>>())
        .collect();
    assert_eq!(heard, expected);
    // The sessions of the other bank are many, but they are one bank.
    let turns = all.div_ceil(DELIVERIES_SHARE_BYTES_MAX) as u64;
    assert!(ticks_of_victim <= turns + 2, "{ticks_of_victim} ticks for {turns} turns");
}

#[test]
fn a_part_of_the_directory_is_for_each_bank_and_few_at_a_tick() {
    let mut subscribers = Subscribers::default();
    let bank = ParticipantNumber;
    assert!(subscribers.may_ask_directory(bank(1), 5));
    assert!(!subscribers.may_ask_directory(bank(1), 5));
    let others = (2..1_000).filter(|number| subscribers.may_ask_directory(bank(*number), 5));
    assert_eq!(others.count(), DIRECTORY_PARTS_MAX - 1);
    assert!(subscribers.may_ask_directory(bank(1), 6));
}
