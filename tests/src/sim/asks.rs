//! What banks ask where transfers may wait: holds, payments against payments, queues, later starts, and what is said
//! to those that wait. Few secrets, short deadlines, so that everything meets.

use ledger::{
    AccountNumber, Amount, Approve, Approver, Cancel, Command, Condition, Digest, Exchange, Ledger,
    LedgerTime, Leg, Legs, OnShortage, ParticipantNumber, Position, Priority, Refuse, Reorder,
    Reveal, Transfer, TransferId, TransferOptions,
};

use wire::genesis::Genesis;

use super::{decide, market, network::account, rng::Rng};

/// What a bank knows of the network when it asks.
pub(super) struct Known<'a> {
    pub(super) banks: usize,
    /// Nanoseconds.
    pub(super) clock: u64,
    /// An id that another bank uses.
    pub(super) foreign: Option<TransferId>,
    /// Transfers that wait.
    pub(super) waiting: &'a [TransferId],
    /// A transfer that has credited the bank.
    pub(super) credit: Option<&'a Transfer>,
    /// An exchange that has credited the bank.
    pub(super) exchanged: Option<&'a Exchange>,
    /// Banks with a real gateway, the first ones.
    pub(super) gateways: usize,
    /// The state of all, where the rules know all of this.
    pub(super) ledger: Option<&'a Ledger>,
    /// Which nodes there are.
    pub(super) genesis: &'a Genesis,
    /// How many of them, the first ones, may be voted out.
    pub(super) removable: usize,
}

pub(super) const MS: u64 = 1_000_000;

pub(super) fn command(
    rng: &mut Rng,
    own: usize,
    id: Option<TransferId>,
    known: &Known<'_>,
) -> Command {
    let id = id.unwrap_or_else(|| {
        let mut bytes = [0; 16];
        bytes.chunks_mut(8).for_each(|part| part.copy_from_slice(&rng.next().to_le_bytes()));
        TransferId(bytes)
    });
    let target = match known.waiting.len() {
        0 => None,
        count => Some(known.waiting[rng.index(count)]),
    };
    if let Some(ledger) = known.ledger {
        // Where nodes may come, much is said of that.
        if known.genesis.nodes.iter().any(|node| node.standby) && rng.percent(12) {
            return decide::about_nodes(rng, own, id, known, ledger);
        }
        match rng.range(0, 100) {
            0..16 => return decide::command(rng, own, id, known, ledger),
            16..26 => return market::liquidity(rng, own, id, known),
            26..42 => return market::exchange(rng, own, id, known, ledger),
            _ => {}
        }
    }
    match (rng.range(0, 20), target) {
        (0..5, Some(transfer)) => Command::Approve(Approve { transfer }),
        (5, Some(transfer)) => {
            let reason = "MS03".parse().expect("a code of four characters");
            Command::Refuse(Refuse { transfer, reason })
        }
        (6, Some(transfer)) => {
            Command::Reveal(Reveal { transfer, preimage: [rng.range(0, 3) as u8].into() })
        }
        (7, Some(transfer)) => Command::Cancel(Cancel { transfer }),
        (8, Some(transfer)) => Command::Reorder(Reorder {
            id,
            transfer,
            priority: priority(rng),
            position: [Position::Keep, Position::First, Position::Last][rng.index(3)],
        }),
        (9 | 10, _) if known.credit.is_some() => giving_back(rng, id, known),
        _ => transfer(rng, own, id, known),
    }
}

fn priority(rng: &mut Rng) -> Priority {
    [Priority::Urgent, Priority::High, Priority::Normal][rng.index(3)]
}

fn leg(rng: &mut Rng, from: usize, to: usize, asset: usize) -> Leg {
    let amount = if rng.percent(30) { rng.range(5_000, 30_000) } else { rng.range(1, 4_000) };
    let (debit, credit): (AccountNumber, _) = (account(from, asset), account(to, asset));
    Leg { debit, credit, amount: Amount::new(amount) }
}

/// A transfer that may have to wait.
fn transfer(rng: &mut Rng, own: usize, id: TransferId, known: &Known<'_>) -> Command {
    let other = (own + 1 + rng.index(known.banks - 1)) % known.banks;
    let asset = rng.index(2);
    let mut options = TransferOptions {
        deadline: Some(LedgerTime(known.clock + rng.range(100, 8_000) * MS)),
        priority: priority(rng),
        ..TransferOptions::default()
    };
    if rng.percent(4) {
        options.deadline = None;
    }
    let mut legs = vec![leg(rng, own, other, asset)];
    let bank = |bank: usize| ParticipantNumber(bank as u32);
    match rng.range(0, 6) {
        0 | 1 => options.on_shortage = OnShortage::Queue,
        2 => {
            // A payment against a payment.
            legs.push(leg(rng, other, own, 1 - asset));
            options.conditions.push(Condition::Approval { participant: bank(other) });
            if rng.percent(50) {
                options.on_shortage = OnShortage::Queue;
            }
        }
        3 => options.conditions.push(Condition::Approval { participant: bank(other) }),
        4 => {
            let of = (0..known.banks).map(|one| Approver::Participant(bank(one))).collect();
            options.conditions.push(Condition::Threshold { k: rng.range(1, 3) as u8, of });
        }
        _ => {
            let sha256 = Digest::of(&[rng.range(0, 3) as u8]);
            options.conditions.push(Condition::Preimage { sha256 });
        }
    }
    if rng.percent(15) {
        options.till = Some(LedgerTime(known.clock + rng.range(0, 4_000) * MS));
    }
    if rng.percent(20) {
        options.not_before = Some(LedgerTime(known.clock + rng.range(0, 3_000) * MS));
    }
    if rng.percent(10) {
        let time = LedgerTime(known.clock + rng.range(0, 3_000) * MS);
        options.conditions.push(Condition::NotBefore(time));
    }
    let legs = Legs::new(legs).expect("one or two legs");
    Command::Transfer(Transfer { id, legs, document: None, options: Some(Box::new(options)) })
}

/// Gives back some of what the bank was credited with.
fn giving_back(rng: &mut Rng, id: TransferId, known: &Known<'_>) -> Command {
    let original = known.credit.expect("looked at before");
    let legs = original.legs.as_slice();
    let of = legs[rng.index(legs.len())];
    let amount = Amount::new(of.amount.minor() / rng.range(1, 4));
    let leg = Leg { debit: of.credit, credit: of.debit, amount };
    let options = TransferOptions {
        returns: Some(original.id),
        original: Some(Box::new(original.clone())),
        ..TransferOptions::default()
    };
    let options = Some(Box::new(options));
    Command::Transfer(Transfer { id, legs: Legs::One(leg), document: None, options })
}
