//! What banks are to be told of the end of a block: exchanges that settled, with their rates, and notices.
//!
//! Worked out from the block as a node applied it and from who owns which account, not by the code that delivers.

use std::collections::BTreeSet;

use bytes::Bytes;
use ledger::{AccountNumber, Command, Exchange, Exchanged};
use settlement_node::{chain::AppliedBlock, deliver::Applied};
use wire::client::{Cursor, Delivery, Told};

fn bank_of(account: AccountNumber) -> usize {
    account.0 as usize / 2
}

/// All accounts that an exchange moves, each once.
fn moved(exchange: &Exchange, exchanged: &Exchanged) -> BTreeSet<AccountNumber> {
    let fills = exchanged.fills.iter().flat_map(|fill| [fill.sells, fill.buys]);
    fills.chain([exchange.debit, exchange.credit]).collect()
}

/// Who is told what after all that waited has gone on, in order.
pub(super) fn ends(applied: &AppliedBlock) -> Vec<(usize, Delivery)> {
    let commands: Vec<Applied<'_>> = applied.commands().collect();
    let first_leaf = applied.first_leaf + (commands.len() + applied.submissions.len()) as u64;
    let at = |number: usize| {
        let number = applied.progress.len() + number;
        let cursor =
            Cursor { height: applied.height.0, commands: (commands.len() + number) as u32 + 1 };
        (cursor, first_leaf + number as u64)
    };
    let mut told = Vec::new();
    for (number, exchanged) in applied.exchanges.iter().enumerate() {
        let by = commands.iter().find(|one| one.leaf == exchanged.leaf);
        let by = by.expect("an exchange settles in the block of its command");
        let batch = by.submission.batch.batch();
        let Command::Exchange(exchange) = &batch.commands[by.position].command else {
            panic!("leaf {} is no exchange", exchanged.leaf)
        };
        let attached = by.submission.attachments.iter();
        let mut attached = attached.filter(|one| one.position as usize == by.position);
        let document = attached.next().map(|one| (one.salted, one.sealed.clone()));
        let mut banks: BTreeSet<usize> =
            moved(exchange, exchanged).into_iter().map(bank_of).collect();
        banks.insert(batch.submitter.0 as usize);
        for bank in banks {
            let is_credited = bank == bank_of(exchange.credit);
            let delivery = Delivery {
                cursor: at(number).0,
                leaf: at(number).1,
                time: applied.time,
                submitter: batch.submitter,
                command: by.submission.batch.command_bytes(by.position),
                document: document.clone().filter(|_| is_credited),
                told: Told::Exchanged(exchanged.clone()),
            };
            told.push((bank, delivery));
        }
    }
    for (number, notice) in (applied.exchanges.len()..).zip(&applied.notices) {
        let delivery = Delivery {
            cursor: at(number).0,
            leaf: at(number).1,
            time: applied.time,
            submitter: notice.bank,
            command: Bytes::new(),
            document: None,
            told: Told::Notice(*notice),
        };
        told.push((notice.bank.0 as usize, delivery));
    }
    told
}

/// How many entries a bank's gateway makes of what the end of a block tells it.
pub(super) fn entries(delivery: &Delivery, bank: usize) -> usize {
    match (&delivery.told, Command::decode(&delivery.command)) {
        (Told::Notice(_), _) => 1,
        (Told::Exchanged(exchanged), Ok((Command::Exchange(exchange), _))) => {
            let own = |account: &AccountNumber| bank_of(*account) == bank;
            moved(&exchange, exchanged).iter().filter(|account| own(account)).count()
        }
        _ => 0,
    }
}
