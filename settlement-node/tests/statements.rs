//! Statements from the history alone: they lead to the balances that the ledger has, and repeat.
#![allow(clippy::unwrap_used)]

mod common;

use std::{path::Path, sync::Arc};

use ed25519_dalek::SigningKey;
use ledger::{
    AccountNumber, Amount, Command, LedgerTime, Leg, Legs, ParticipantNumber, Transfer, TransferId,
};
use settlement_node::{
    chain::Chain,
    forms::history_block,
    old_ids::OldIdsOnDisk,
    past::Past,
    prepare::PreparedBlock,
    statement::{Known, StatementError, Statements, Wanted},
    store::{
        history::{History, HistoryOptions},
        runs::RunSets,
        vfs::{MemVfs, Vfs},
    },
};
use wire::{
    batch::{BatchBuilder, encode_submission},
    block,
    genesis::Genesis,
};

const FUNDED: i128 = 1_000_000_000;

struct Network {
    vfs: Arc<dyn Vfs>,
    key: SigningKey,
    genesis: Genesis,
    chain: Chain,
    history: History,
    past: Past,
    /// The amount of the first payment of each block.
    amount: u64,
    /// Of account 0, what it had after each movement, with its height and time.
    expected: Vec<(u64, u64, i128)>,
}

impl Network {
    fn new(amount: u64) -> Self {
        let vfs: Arc<dyn Vfs> = Arc::new(MemVfs::new());
        let key = SigningKey::from_bytes(&[6; 32]);
        let genesis = common::genesis("statements", &key);
        let chain = Chain::genesis(&genesis, [1, 2]).unwrap();
        let options = HistoryOptions::default();
        let history = History::open(Arc::clone(&vfs), Path::new("/history"), options).unwrap();
        let runs = RunSets::open(Arc::clone(&vfs), Path::new("/runs")).unwrap();
        let past = Past {
            history: history.reader(),
            domain: genesis.domain,
            old_ids: Arc::new(OldIdsOnDisk(runs)),
        };
        let expected = vec![(0, 1, FUNDED)];
        Self { vfs, key, genesis, chain, history, past, amount, expected }
    }

    /// A block of three payments there and one back, one that is refused, and one repeated.
    fn block(&mut self) {
        let height = self.chain.height().0 + 1;
        let time = height * 1_000;
        let pay = |number: u64, from: u32, to: u32, amount: u64| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&(height * 10 + number).to_le_bytes());
            (id[6], id[8]) = (0x40, 0x80);
            Command::Transfer(Transfer {
                id: TransferId(id),
                legs: Legs::One(Leg {
                    debit: AccountNumber(from),
                    credit: AccountNumber(to),
                    amount: Amount::new(amount),
                }),
                document: None,
                options: None,
            })
        };
        let commands = [
            pay(1, 0, 1, self.amount),
            pay(2, 0, 1, 20 + height),
            pay(3, 1, 0, 7),
            pay(4, 1, 0, u64::from(u32::MAX)),
            pay(1, 0, 1, self.amount),
        ];
        let bank = ParticipantNumber(0);
        let mut builder = BatchBuilder::new(&self.genesis.domain, bank, LedgerTime(u64::MAX));
        commands.iter().for_each(|command| builder.push(command));
        let (batch, _) = builder.sign(&[(bank, &self.key)]);
        let bytes = block::encode(LedgerTime(time), [encode_submission(&batch, &[])].iter());
        let runs = RunSets::open(Arc::clone(&self.vfs), Path::new("/runs")).unwrap();
        let old = OldIdsOnDisk(runs);
        let prepared = PreparedBlock::trusted(bytes, &self.genesis.domain, &old, 0).unwrap();
        let index = self.chain.log_index() + 1;
        let applied = self.chain.apply(index, Arc::new(prepared), &old).unwrap();
        self.history.append(&history_block(&applied)).unwrap();
        self.history.flush().unwrap();
        for change in [-i128::from(self.amount), -20 - i128::from(height), 7] {
            let balance = self.expected.last().unwrap().2 + change;
            self.expected.push((height, time, balance));
        }
    }

    fn open(&self) -> Statements {
        Statements::open(&self.vfs, Path::new("/data"), self.past.clone(), &self.genesis).unwrap()
    }

    fn known(&self, account: u32) -> Known {
        let view = self.chain.ledger().account(AccountNumber(account)).unwrap();
        Known { account, height: self.chain.height().0, balance: view.posted.minor() }
    }
}

const ALL: Wanted = Wanted { as_of: u64::MAX, from: 0, before: u64::MAX, after: 0, limit: 1_000 };

#[test]
fn statements_lead_to_the_balances_of_the_ledger_and_repeat() {
    let mut network = Network::new(30);
    let mut statements = network.open();
    for height in 1..=40 {
        network.block();
        for account in [0, 1] {
            statements.catch_up(network.known(account)).unwrap();
        }
        let page = statements.page(0, &ALL).unwrap();
        let got: Vec<_> = page
            .rows
            .iter()
            .map(|row| (row.movement.height, row.movement.time, row.balance))
            .collect();
        assert_eq!(got, network.expected);
        assert_eq!((page.opening, page.count, page.next), (0, 1 + 3 * height, None));
    }
    // Any range of time at any height, in pages of any size.
    for (as_of, from, before, limit) in
        [(40, 0, u64::MAX, 7), (17, 5_000, 30_000, 4), (40, 5_000, 12_000, 1), (3, 90_000, 0, 5)]
    {
        let wanted: Vec<_> = network
            .expected
            .iter()
            .filter(|(height, time, _)| *height <= as_of && (from..before).contains(time))
            .copied()
            .collect();
        let (mut got, mut after) = (Vec::new(), 0);
        loop {
            let page = statements.page(0, &Wanted { as_of, from, before, after, limit }).unwrap();
            assert!(page.rows.len() as u64 <= limit);
            assert_eq!(page.count, wanted.len() as u64);
            let changes: i128 = page.rows.iter().map(|row| row.movement.change).sum();
            if page.count <= limit {
                assert_eq!(page.opening + changes, page.closing);
            }
            got.extend(
                page.rows.iter().map(|row| (row.movement.height, row.movement.time, row.balance)),
            );
            let Some(next) = page.next else { break };
            after = next;
        }
        assert_eq!(got, wanted);
    }
    // Opened again, nothing is different.
    let first = statements.page(0, &ALL).unwrap();
    drop(statements);
    let mut again = network.open();
    again.catch_up(network.known(0)).unwrap();
    assert_eq!(again.page(0, &ALL).unwrap(), first);
    assert_eq!(again.balance(0, 0).unwrap(), FUNDED);
    assert_eq!(again.balance(1, 0).unwrap(), 0);
}

#[test]
fn what_does_not_lead_to_the_ledgers_balance_is_made_again_or_refused() {
    let mut network = Network::new(30);
    (0..10).for_each(|_| network.block());
    let mut statements = network.open();
    statements.catch_up(network.known(0)).unwrap();
    let first = statements.page(0, &ALL).unwrap();
    drop(statements);
    // The file of a history with other payments: every row sound, and wrong.
    let mut other = Network::new(31);
    (0..10).for_each(|_| other.block());
    other.vfs = Arc::clone(&network.vfs);
    let mut file = other.open();
    file.catch_up(other.known(0)).unwrap();
    let known = Known { balance: network.known(0).balance + 1, ..network.known(0) };
    assert!(matches!(file.catch_up(known), Err(StatementError::OtherBalance(0))));
    drop(file);
    let mut statements = network.open();
    statements.catch_up(network.known(0)).unwrap();
    assert_eq!(statements.page(0, &ALL).unwrap(), first);
    // A height that the history does not have yet.
    let known = Known { height: 11, ..network.known(0) };
    let behind = statements.catch_up(known);
    assert!(matches!(behind, Err(StatementError::Behind { at: 10, of: 11 })));
}
